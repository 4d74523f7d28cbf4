import type { Direction } from './phone-description.ts';
import type { PhoneCodecName } from './phone-stream.ts';

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
}

export const OFFERED_DTMF_PAYLOAD_TYPE = 101;
const CODECS: readonly { name: PhoneCodecName; payloadType: number }[] = [
  { name: 'PCMU', payloadType: 0 },
  { name: 'PCMA', payloadType: 8 },
];

/** Our offer: G.711 both ways of it, keys, 20 ms. */
export function writePhoneOffer(local: LocalDescription, direction: Direction = 'sendrecv'): string {
  const codecs = CODECS.map((codec) => ({ payloadType: codec.payloadType, name: codec.name }));
  return [...sessionLines(local), ...audioLines({ port: local.port, protocol: 'RTP/AVP', codecs, dtmfPayloadType: OFFERED_DTMF_PAYLOAD_TYPE, ptimeMs: 20, direction }), ''].join('\r\n');
}

/** v=, o=, s=, c=, t= of a description of ours. */
export function sessionLines(local: LocalDescription): string[] {
  const connection = `IN IP${local.address.includes(':') ? 6 : 4} ${local.address}`;
  return ['v=0', `o=- ${local.sessionId} ${local.version} ${connection}`, 's=-', `c=${connection}`, 't=0 0'];
}

/** One m= line with its attributes. */
export function audioLines(audio: { port: number; protocol: string; codecs: { payloadType: number; name: string }[]; dtmfPayloadType: number | null; ptimeMs: number; direction: Direction }): string[] {
  const events = audio.dtmfPayloadType === null ? [] : [audio.dtmfPayloadType];
  return [
    `m=audio ${audio.port} ${audio.protocol} ${[...audio.codecs.map((codec) => codec.payloadType), ...events].join(' ')}`,
    ...audio.codecs.map((codec) => `a=rtpmap:${codec.payloadType} ${codec.name}/8000`),
    ...events.flatMap((payloadType) => [`a=rtpmap:${payloadType} telephone-event/8000`, `a=fmtp:${payloadType} 0-16`]),
    `a=ptime:${audio.ptimeMs}`,
    `a=${audio.direction}`,
  ];
}
