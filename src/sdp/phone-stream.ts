import { chooseCodec, PHONE_CODECS, type ChosenCodec, type PhoneCodecName } from './phone-codecs.ts';
import type { PhoneDescription, PhoneLine } from './phone-description.ts';
import type { DtlsStream } from './phone-dtls.ts';
import type { IceStream } from './phone-ice.ts';
import type { SrtpStream } from './phone-security.ts';
import { SdpError } from './sdp-error.ts';

/** What offer and answer settled about one phone's audio, seen from us. */
export interface PhoneStream extends ChosenCodec {
  address: string;
  port: number;
  rtcpPort?: number;
  ptimeMs: number;
  /** False while the phone wants no sound from us (hold). */
  send: boolean;
  /** False while the phone sends none. */
  receive: boolean;
  /** Absent: plain RTP. */
  srtp?: SrtpStream;
  dtls?: DtlsStream;
  ice?: IceStream;
}

/** What may be taken. */
export interface Acceptable {
  /** Default all. */
  codecs?: readonly PhoneCodecName[] | undefined;
  /** SRTP of a line, null for plain RTP, or why the line cannot be taken. */
  securityOf: (line: PhoneLine) => SrtpStream | DtlsStream | null | string;
  /** Default: none. */
  iceOf?: (line: PhoneLine) => IceStream | null;
  /** Which addresses can be reached. Default both. */
  families?: ReadonlySet<4 | 6> | undefined;
  /** Nothing was described before: the address 0.0.0.0 puts nobody on hold, the phone does not know its own yet. */
  isFirst?: boolean;
}

const PTIMES_MS = [20, 10, 30, 40];
const DEFAULT_PTIME_MS = 20;

/** The first m= line we can take, and what it settles; of codecs the other side's first. Throws SdpError `unacceptable` (answered with 488). */
export function acceptableStream(description: PhoneDescription, acceptable: Acceptable): { line: PhoneLine; stream: PhoneStream } {
  const audio = description.lines.filter((line) => line.kind === 'audio');
  if (audio.length === 0) throw new SdpError('unacceptable', 'no audio is described');
  let refusal = 'no audio';
  for (const line of audio) {
    const taken = streamOf(line, acceptable);
    if (typeof taken !== 'string') return { line, stream: taken };
    refusal = taken;
  }
  throw new SdpError('unacceptable', refusal);
}

/** The stream of one line, or why it cannot be taken. */
function streamOf(line: PhoneLine, { codecs = PHONE_CODECS, securityOf, iceOf = () => null, families, isFirst = false }: Acceptable): PhoneStream | string {
  if (line.port === 0) return 'audio is refused (port 0)';
  const secured = securityOf(line);
  if (typeof secured === 'string') return secured;
  const ice = iceOf(line);
  if (!line.connection) return 'no connection address (c=)';
  const { family, address } = line.connection;
  if (!(family === 4 ? isUnicast4(address) : isAddress6(address))) return 'the connection address is not a unicast IP address';
  if (!ice && families?.has(familyOf(address)) === false) return `the connection address is IPv${familyOf(address)}, and there is no way to it from here`;
  const chosen = chooseCodec(line, codecs);
  if (!chosen) return `no common codec: ${codecs.join(', ')} are spoken here`;
  const towards = directionsOf(line, ice || isFirst ? null : address);
  return {
    address,
    port: line.port,
    ...(sharesPort(line, { ice, secured }) ? { rtcpPort: line.port } : line.rtcpPort === null ? {} : { rtcpPort: line.rtcpPort }),
    ...chosen,
    ptimeMs: chosen.codec === 'OPUS' ? DEFAULT_PTIME_MS : ptimeOf(line),
    ...towards,
    ...(secured && ('fingerprint' in secured ? { dtls: secured } : { srtp: secured })),
    ...(ice && { ice }),
  };
}

/** RFC 5761 §5.1.1. Phones that speak neither ICE nor DTLS keep their two ports. */
function sharesPort(line: PhoneLine, by: { ice: unknown; secured: SrtpStream | DtlsStream | null }): boolean {
  return line.rtcpMux && (by.ice !== null || (by.secured !== null && 'fingerprint' in by.secured));
}

/** RFC 3264 §6.1, §8.4; the address 0.0.0.0 is the old way to put on hold. Null: it says nothing. */
function directionsOf(line: PhoneLine, address: string | null): { send: boolean; receive: boolean } {
  const held = address !== null && isNowhere(address);
  return {
    send: !held && (line.direction === 'sendrecv' || line.direction === 'recvonly'),
    receive: line.direction === 'sendrecv' || line.direction === 'sendonly',
  };
}

function ptimeOf(line: PhoneLine): number {
  const limit = line.maxptimeMs ?? Infinity;
  const wanted = line.ptimeMs ?? DEFAULT_PTIME_MS;
  if (PTIMES_MS.includes(wanted) && wanted <= limit) return wanted;
  return DEFAULT_PTIME_MS <= limit ? DEFAULT_PTIME_MS : 10;
}

/** An address that nobody has: hold of old, or a phone that does not know its own. */
export function isNowhere(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** An IPv4 address in the spelling of IPv6 is one of IPv4. */
function familyOf(address: string): 4 | 6 {
  return address.includes(':') && !/^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? 6 : 4;
}

/** A dotted IPv4 address that is neither multicast nor broadcast; 0.0.0.0 counts (hold). */
function isUnicast4(address: string): boolean {
  const parts = address.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return false;
  return Number(parts[0]) < 224;
}

function isAddress6(address: string): boolean {
  return address.length <= 45 && /^[0-9a-fA-F:.]+$/.test(address) && address.includes(':') && !address.toLowerCase().startsWith('ff') && isUnicastHost6(address);
}

/** Multicast and broadcast of IPv4 are none in the spelling of IPv6 either (`::ffff:224.0.0.1`, as URLs have it `::ffff:e000:1`). */
function isUnicastHost6(address: string): boolean {
  return URL.canParse(`http://[${address}]/`) && !/^\[::ffff:[ef][0-9a-f]{3}:/.test(new URL(`http://[${address}]/`).hostname);
}
