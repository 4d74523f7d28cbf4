import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

/** The certificate that phones see in DTLS; its fingerprint goes into our SDP (RFC 8122). */
export interface DtlsIdentity {
  certificatePem: string;
  /** A secret: never in a log. */
  keyPem: string;
  /** As in a=fingerprint: `sha-256 AB:CD:…`. */
  fingerprint: string;
}

const VALID_YEARS = 10;

/** A new key and a certificate that signed itself: nobody believes it but for the fingerprint in signaling. */
export function createDtlsIdentity(wallMs: number): DtlsIdentity {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const certificate = selfSigned(privateKey, publicKey, wallMs);
  const fingerprint = createHash('sha256').update(certificate).digest('hex').toUpperCase().match(/../g) ?? [];
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    certificatePem: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    fingerprint: `sha-256 ${fingerprint.join(':')}`,
  };
}

/** RFC 5280 §4.1, the least of it: version 1, a name, a time, a key. */
function selfSigned(privateKey: KeyObject, publicKey: KeyObject, wallMs: number): Buffer {
  const algorithm = der(0x30, objectId('2a8648ce3d040302')); // ecdsa-with-SHA256
  const name = der(0x30, der(0x31, der(0x30, objectId('550403'), der(0x0c, Buffer.from('Partyline')))));
  const day = 86_400_000;
  const validity = der(0x30, time(wallMs - day), time(wallMs + VALID_YEARS * 365 * day));
  const serial = randomBytes(8);
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40;
  const body = der(0x30, der(0x02, serial), algorithm, name, validity, name, publicKey.export({ type: 'spki', format: 'der' }));
  const signature = sign('sha256', body, privateKey);
  return der(0x30, body, algorithm, der(0x03, Buffer.from([0]), signature));
}

function objectId(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

/** UTCTime, which ends with the year 2049. */
function time(wallMs: number): Buffer {
  const digits = new Date(wallMs).toISOString().replace(/\D/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`));
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const prefix = length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(prefix), content]);
}
