import { answeredCodec } from './phone-codecs.ts';
import { readPhoneDescription, type Direction, type PhoneLine } from './phone-description.ts';
import { answeredIce, iceAttributes, offeredIce } from './phone-ice.ts';
import { audioLines, OUR_MEDIA_STREAM, sessionLines, type LocalDescription } from './phone-offer.ts';
import { answerAttributes, answeredSecurity, NO_SECURITY, offeredSecurity, ourOfferSecurity } from './phone-security.ts';
import { acceptableStream, isNowhere, type PhoneStream } from './phone-stream.ts';

export interface PhoneAnswer {
  text: string;
  stream: PhoneStream;
}

/**
 * Answers a phone's offer (RFC 3264 §6): the first audio line that offers a codec of ours, and as much encryption as it must have, is taken with the
 * phone's first choice of those, every other line is refused with port 0. rtcp-mux is taken with ICE or DTLS alone. Throws SdpError.
 */
export function answerPhoneOffer(offer: Uint8Array, local: LocalDescription): PhoneAnswer {
  const description = readPhoneDescription(offer);
  const { line, stream } = acceptableStream(description, { codecs: local.codecs, securityOf: (line) => offeredSecurity(line, local.security ?? NO_SECURITY, local.inUse ?? null), iceOf: (line) => offeredIce(line, local.ice, local.inUse?.ice ?? null), families: local.families, isFirst: knowsNoAddress(local) });
  const media = description.lines.flatMap((other) => (other === line ? takenLines(line, stream, local) : [refusedLine(other)]));
  return { text: [...sessionLines(local, stream.ice !== undefined), ...media, ''].join('\r\n'), stream };
}

/** Reads the answer to an offer that `local` was written into. Throws SdpError. */
export function readPhoneAnswer(answer: Uint8Array, local: Pick<LocalDescription, 'codecs' | 'security' | 'inUse' | 'ice' | 'families'> = {}): PhoneStream {
  const security = local.security ?? NO_SECURITY;
  const offered = ourOfferSecurity(security, local.inUse ?? null);
  const inUse = local.inUse ?? null;
  return acceptableStream(readPhoneDescription(answer), { codecs: local.codecs, securityOf: (line) => answeredSecurity(line, security, { offered, inUse }), iceOf: (line) => answeredIce(line, local.ice, inUse?.ice ?? null), families: local.families, isFirst: knowsNoAddress(local) }).stream;
}

function knowsNoAddress({ inUse }: Pick<LocalDescription, 'inUse'>): boolean {
  return !inUse || (inUse.address !== undefined && isNowhere(inUse.address));
}

function takenLines(line: PhoneLine, stream: PhoneStream, local: LocalDescription): string[] {
  return audioLines({
    port: local.port,
    protocol: line.protocol,
    codecs: answeredCodec(stream),
    ptimeMs: stream.ptimeMs,
    direction: mirrored(line.direction),
    transport: transportLines(line, stream, local),
  });
}

/** Encryption, ICE, and what browsers want to see again of their own lines. */
function transportLines(line: PhoneLine, stream: PhoneStream, local: LocalDescription): string[] {
  const muxed = stream.rtcpPort === stream.port && line.rtcpMux;
  return [
    ...answerAttributes(stream, local.security ?? NO_SECURITY),
    ...(stream.ice ? iceAttributes(stream.ice, { address: local.address, port: local.port, rtcpPort: muxed ? null : local.port + 1 }) : []),
    ...(muxed ? ['a=rtcp-mux'] : []),
    ...(line.mid === null ? [] : [`a=mid:${line.mid}`]),
    ...(stream.ice && stream.dtls ? [OUR_MEDIA_STREAM] : []),
  ];
}

/** RFC 3264 §6.1. */
function mirrored(direction: Direction): Direction {
  if (direction === 'sendonly') return 'recvonly';
  if (direction === 'recvonly') return 'sendonly';
  return direction;
}

/** RFC 3264 §6: a refused line keeps its place, kind and formats. */
function refusedLine(line: PhoneLine): string {
  const kind = /^\w{1,32}$/.test(line.kind) ? line.kind : 'audio';
  const protocol = /^[\w/]{1,32}$/.test(line.protocol) ? line.protocol : 'RTP/AVP';
  const formats = line.formats.filter((format) => /^[\w.*+-]{1,64}$/.test(format));
  return `m=${kind} 0 ${protocol} ${formats.join(' ') || '0'}`;
}
