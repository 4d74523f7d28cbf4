import type { Direction } from './phone-description.ts';
import { isDtls } from './phone-dtls.ts';
import { iceAttributes, ourIce, type IceStream, type LocalIce } from './phone-ice.ts';
import { NO_SECURITY, ourOfferSecurity, type LocalSecurity, type SecurityInUse } from './phone-security.ts';
import { offeredCodecs, PHONE_CODECS, type CodecLines, type PhoneCodecName, type PhoneNumbering } from './phone-codecs.ts';

/** Who we are in o=, c= and m=. */
export interface LocalDescription {
  /** Address the phone sends to; IPv4, IPv6 or a host name. */
  address: string;
  /** Local RTP port. */
  port: number;
  /** o= session id: digits, the same for the whole call. */
  sessionId: string;
  /** o= version: one more with each description that differs from the last (RFC 3264 §8). */
  version: number;
  /** What may be spoken, most wanted first. Default all. */
  codecs?: readonly PhoneCodecName[];
  /** Default: SRTP is off. */
  security?: LocalSecurity;
  /** What an offer inside a session must number, and encrypt, as before. */
  inUse?: (PhoneNumbering & SecurityInUse & { ice?: IceStream; address?: string }) | null;
  /** Absent: no ICE. */
  ice?: LocalIce;
  /** Which addresses of phones we can send to. Default both. */
  families?: ReadonlySet<4 | 6> | undefined;
}

/** What a page gets our sound as (RFC 8830). */
export const OUR_MEDIA_STREAM = 'a=msid:partyline phone';

/** Our offer: all codecs, keys, 20 ms. */
export function writePhoneOffer(local: LocalDescription, direction: Direction = 'sendrecv'): string {
  const codecs = offeredCodecs(local.codecs ?? PHONE_CODECS, local.inUse ?? null);
  const { protocol, attributes } = ourOfferSecurity(local.security ?? NO_SECURITY, local.inUse ?? null);
  const ice = ourIce(local.ice, local.inUse?.ice ?? null);
  const transport = [...attributes, ...(ice ? iceAttributes(ice, { address: local.address, port: local.port, rtcpPort: local.port + 1 }) : []), ...(isDtls(protocol) ? ['a=rtcp-mux', 'a=mid:0', OUR_MEDIA_STREAM] : [])];
  return [...sessionLines(local, ice !== null), ...audioLines({ port: local.port, protocol, codecs, ptimeMs: 20, direction, transport }), ''].join('\r\n');
}

/** v=, o=, s=, c=, t= of a description of ours. */
export function sessionLines(local: LocalDescription, iceLite: boolean): string[] {
  const connection = `IN IP${local.address.includes(':') ? 6 : 4} ${local.address}`;
  return ['v=0', `o=- ${local.sessionId} ${local.version} ${connection}`, 's=-', `c=${connection}`, 't=0 0', ...(iceLite ? ['a=ice-lite'] : [])];
}

/** One m= line with its attributes. */
export function audioLines(audio: { port: number; protocol: string; codecs: CodecLines; ptimeMs: number; direction: Direction; transport: string[] }): string[] {
  return [
    `m=audio ${audio.port} ${audio.protocol} ${audio.codecs.payloadTypes.join(' ')}`,
    ...audio.codecs.attributes,
    ...audio.transport,
    `a=ptime:${audio.ptimeMs}`,
    `a=${audio.direction}`,
  ];
}
