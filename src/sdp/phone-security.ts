import type { CryptoLine, PhoneLine } from './phone-description.ts';
import { answeredDtls, BROWSER_PROTOCOL, dtlsAttributes, isDtls, offeredDtls, type DtlsStream } from './phone-dtls.ts';

/** SRTP of a phone's audio with keys in SDP (RFC 4568): what is offered, answered and refused. Pure. */

/** Whether sound is encrypted: never, when the other side wants it, or always. */
export type PhoneSrtpPolicy = 'off' | 'allow' | 'require';

export type SrtpSuiteName = 'AES_CM_128_HMAC_SHA1_80' | 'AES_CM_128_HMAC_SHA1_32';

/** Suite and base64 of master key and salt. */
export interface SrtpKey {
  suite: SrtpSuiteName;
  key: string;
}

/** What was settled. Keys are secrets: never in a log. */
export interface SrtpStream {
  /** Of the m= line: RTP/SAVP, or RTP/AVP when both sides just do it (RFC 8643). */
  protocol: string;
  tag: number;
  /** Ours. */
  send: SrtpKey;
  receive: SrtpKey;
}

/** Our side of it. */
export interface LocalSecurity {
  policy: PhoneSrtpPolicy;
  /** Base64 of 30 random bytes for each suite, the same for the whole call. */
  keys: Record<SrtpSuiteName, string>;
  /** Offer it beside plain sound under `allow` (RFC 8643): where signaling is encrypted too, else keys would lie open. Default false. */
  opportunistic?: boolean;
  /** Of our DTLS certificate: `sha-256 AB:CD:…`. Absent: there is no DTLS. */
  fingerprint?: string | undefined;
  /** Offer nothing but this. Default: as the policy says. */
  insistsOn?: WantedEncryption | null;
}

/** Keys in SDP, as RTP/SAVP or as RTP/SAVPF (RFC 5124), or DTLS as browsers name it. */
export type WantedEncryption = 'sdes' | 'sdes-feedback' | 'dtls';

/** What is in use already. */
export interface SecurityInUse {
  srtp?: SrtpStream;
  dtls?: DtlsStream;
}

/** Suites by the tag that our offers give them, most wanted first. */
const OFFERED: readonly SrtpSuiteName[] = ['AES_CM_128_HMAC_SHA1_80', 'AES_CM_128_HMAC_SHA1_32'];
const PLAIN = ['RTP/AVP', 'RTP/AVPF'];
const SECURE = ['RTP/SAVP', 'RTP/SAVPF'];

/** Without any setting: what a phone wants encrypted is refused, as there are no keys. */
export const NO_SECURITY: LocalSecurity = { policy: 'off', keys: { AES_CM_128_HMAC_SHA1_80: '', AES_CM_128_HMAC_SHA1_32: '' } };

/** What an offered line settles: SRTP by keys in SDP, by DTLS, plain RTP (null), or why it cannot be taken. */
export function offeredSecurity(line: PhoneLine, { policy, keys, fingerprint }: LocalSecurity, inUse: SecurityInUse | null): SrtpStream | DtlsStream | null | string {
  const secure = SECURE.includes(line.protocol) || isDtls(line.protocol);
  if (!secure && !PLAIN.includes(line.protocol)) return `transport ${line.protocol} is not spoken here, only RTP/AVP${policy === 'off' ? '' : ' and RTP/SAVP'}`;
  if (policy === 'off') return secure ? `transport ${line.protocol} is not spoken here: SRTP is off` : null;
  const chosen = line.crypto.map(usable).find((found) => found !== null);
  if (chosen && !isDtls(line.protocol)) return { protocol: line.protocol, tag: chosen.tag, send: { suite: chosen.suite, key: keys[chosen.suite] }, receive: { suite: chosen.suite, key: chosen.key } };
  const dtls = fingerprint === undefined ? null : offeredDtls(line, inUse?.dtls ?? null);
  if (dtls) return dtls;
  if (secure) return isDtls(line.protocol) ? 'no a=fingerprint line that is understood here' : 'no a=crypto line that is understood here';
  // A call that is encrypted stays so: whoever could change one message would hear the rest.
  if (inUse?.srtp || inUse?.dtls) return 'the call is encrypted already';
  return policy === 'require' ? 'SRTP is required' : null;
}

/** What the answer to an offer of ours settles, as `offeredSecurity`. */
export function answeredSecurity(line: PhoneLine, local: LocalSecurity, { offered, inUse }: { offered: PhoneOfferSecurity; inUse: SecurityInUse | null }): SrtpStream | DtlsStream | null | string {
  // Some phones answer in the words of their own account: RTP/SAVP, with or without feedback. The fingerprint is what counts.
  if (isDtls(offered.protocol)) return isDtls(line.protocol) || SECURE.includes(line.protocol) ? (answeredDtls(line, inUse?.dtls ?? null) ?? 'no a=fingerprint line that is understood here') : `transport ${line.protocol} was not offered`;
  const secure = SECURE.includes(line.protocol) || isDtls(line.protocol);
  if (offered.attributes.length === 0) return PLAIN.includes(line.protocol) ? null : `transport ${line.protocol} was not offered`;
  if (!secure && !PLAIN.includes(line.protocol)) return `transport ${line.protocol} was not offered`;
  const [answer] = line.crypto;
  const chosen = answer ? usable(answer) : null;
  if (chosen && OFFERED[chosen.tag - 1] === chosen.suite) return { protocol: offered.protocol, tag: chosen.tag, send: { suite: chosen.suite, key: local.keys[chosen.suite] }, receive: { suite: chosen.suite, key: chosen.key } };
  if (answer) return 'its a=crypto line was not offered';
  const dtls = offered.attributes.includes('a=setup:actpass') && secure ? answeredDtls(line, inUse?.dtls ?? null) : null;
  if (dtls) return dtls;
  return secure || offered.mandatory ? 'SRTP is required' : null;
}

export interface PhoneOfferSecurity {
  protocol: string;
  attributes: string[];
  /** Plain RTP is no answer. */
  mandatory: boolean;
}

/** How our offer begins; inside a session as it was before, so that nobody falls back to plain sound. */
export function ourOfferSecurity({ policy, keys, opportunistic, fingerprint, insistsOn }: LocalSecurity, inUse: SecurityInUse | null): PhoneOfferSecurity {
  const lines = (): string[] => OFFERED.map((suite, n) => cryptoAttribute(n + 1, { suite, key: keys[suite] }));
  if (fingerprint !== undefined && (inUse?.dtls || (insistsOn === 'dtls' && !inUse && policy !== 'off'))) return { protocol: inUse?.dtls?.protocol ?? BROWSER_PROTOCOL, attributes: dtlsAttributes(fingerprint, 'actpass'), mandatory: true };
  if (inUse?.srtp) return { protocol: inUse.srtp.protocol, attributes: lines(), mandatory: true };
  const byKeys = insistsOn === 'sdes' || insistsOn === 'sdes-feedback';
  if (policy === 'require' || (policy === 'allow' && byKeys)) return { protocol: insistsOn === 'sdes-feedback' ? 'RTP/SAVPF' : 'RTP/SAVP', attributes: [...lines(), ...(fingerprint === undefined ? [] : dtlsAttributes(fingerprint, 'actpass'))], mandatory: true };
  return policy === 'allow' && opportunistic === true ? { protocol: 'RTP/AVP', attributes: lines(), mandatory: false } : { protocol: 'RTP/AVP', attributes: [], mandatory: false };
}

/** RFC 4568 §5.1.2: the tag of the offered line, a key of our own; with DTLS our fingerprint and role. */
export function answerAttributes({ srtp, dtls }: SecurityInUse, { fingerprint }: LocalSecurity): string[] {
  if (dtls && fingerprint !== undefined) return dtlsAttributes(fingerprint, dtls.role);
  return srtp ? [cryptoAttribute(srtp.tag, srtp.send)] : [];
}

function cryptoAttribute(tag: number, { suite, key }: SrtpKey): string {
  return `a=crypto:${tag} ${suite} inline:${key}`;
}

/** A line of a suite of ours, one key without master key identifier, no session parameter that must be obeyed (RFC 4568 §6.3). */
function usable(line: CryptoLine): (SrtpKey & { tag: number }) | null {
  const suite = OFFERED.find((known) => known === line.suite);
  const key = /^inline:([A-Za-z0-9+/]{40})(\|(2\^)?\d{1,15})?$/.exec(line.key)?.[1];
  const obeyed = line.parameters.split(/\s+/).every((parameter) => parameter === '' || parameter.startsWith('-') || /^WSH=\d{1,5}$/i.test(parameter));
  return suite && key !== undefined && obeyed && line.tag >= 1 && line.tag <= 999_999_999 ? { tag: line.tag, suite, key } : null;
}
