import { parse, type MediaDescription, type SessionDescription } from 'sdp-transform';
import { chooseFingerprint, readUfrag } from './phone-attributes.ts';
import { SdpError } from './sdp-error.ts';

/** What of a phone's SDP matters to us. Numbers are checked; nothing else of the text survives. */
export interface PhoneDescription {
  lines: PhoneLine[];
}

/** One m= line. */
export interface PhoneLine {
  /** audio, video, application … */
  kind: string;
  /** 0: refused or taken away. */
  port: number;
  rtcpPort: number | null;
  protocol: string;
  /** Payload types (or other format names) as written, in order of preference. */
  formats: string[];
  /** The c= that holds for this line; null when neither it nor the session has one. */
  connection: { family: 4 | 6; address: string } | null;
  direction: Direction;
  codecs: PhoneCodecLine[];
  ptimeMs: number | null;
  maxptimeMs: number | null;
  /** a=crypto lines, as they came. */
  crypto: CryptoLine[];
  /** Of its DTLS certificate, `sha-256 AB:CD:…`; null without one that can be believed. */
  fingerprint: string | null;
  setup: 'active' | 'passive' | 'actpass' | 'holdconn' | null;
  /** Null when it speaks no ICE, or is lite as we are: nobody would check, the addresses of SDP hold (RFC 8445 §6.1.1). */
  iceUfrag: string | null;
  rtcpMux: boolean;
  /** Null without one. */
  mid: string | null;
}

export interface PhoneCodecLine {
  payloadType: number;
  /** In upper case. */
  name: string;
  clockRateHz: number;
  /** fmtp text, empty without one. */
  parameters: string;
}

/** One a=crypto line; `suite` and `key` as they came. */
export interface CryptoLine {
  tag: number;
  suite: string;
  /** `inline:` and what follows. */
  key: string;
  /** Session parameters, empty without. */
  parameters: string;
}

export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

const MAX_BYTES = 16_384;
const MAX_LINES = 500;
const MAX_LINE_LENGTH = 1024;
const MAX_MEDIA = 16;
const MAX_FORMATS = 64;
const MAX_CRYPTO = 16;

/** RFC 3551 §6: payload types that need no rtpmap. */
const STATIC_CODECS: ReadonlyMap<number, { name: string; clockRateHz: number }> = new Map([
  [0, { name: 'PCMU', clockRateHz: 8000 }],
  [8, { name: 'PCMA', clockRateHz: 8000 }],
  [9, { name: 'G722', clockRateHz: 8000 }],
  [13, { name: 'CN', clockRateHz: 8000 }],
]);

/** Reads SDP of a phone (RFC 8866), bounded in size. Throws SdpError `too-large` or `malformed`, nothing else. */
export function readPhoneDescription(body: Uint8Array): PhoneDescription {
  const text = boundedText(body);
  const session = parsed(text);
  if (session.media.length > MAX_MEDIA) throw new SdpError('too-large', `more than ${MAX_MEDIA} media lines`);
  const [ofSession = [], ...ofMedia] = fingerprintsOf(text);
  return { lines: session.media.map((media, n) => lineOf(media, session, ofMedia[n]?.length ? ofMedia[n] : ofSession)) };
}

/** Whether the phone describes ICE for its audio, asked for or not. Throws as `readPhoneDescription`. */
export function speaksIce(body: Uint8Array): boolean {
  return readPhoneDescription(body).lines.some(({ kind, port, iceUfrag }) => kind === 'audio' && port !== 0 && iceUfrag !== null);
}

/** The a=fingerprint values of the session, and of each m= line: the parser keeps one of several. */
function fingerprintsOf(text: string): string[][] {
  const sections: string[][] = [[]];
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (line.startsWith('m=')) sections.push([]);
    if (line.startsWith('a=fingerprint:')) sections.at(-1)?.push(line.slice('a=fingerprint:'.length));
  }
  return sections;
}

function boundedText(body: Uint8Array): string {
  if (body.length > MAX_BYTES) throw new SdpError('too-large', `SDP of ${body.length} bytes`);
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.length > MAX_LINES || lines.some((line) => line.length > MAX_LINE_LENGTH)) throw new SdpError('too-large', 'SDP with too many or too long lines');
  if (!lines[0]?.startsWith('v=0')) throw new SdpError('malformed', 'SDP must begin with v=0');
  return text;
}

function parsed(text: string): SessionDescription {
  try {
    return parse(text);
  } catch {
    throw new SdpError('malformed', 'SDP that cannot be parsed');
  }
}

function lineOf(media: MediaOf, session: SessionDescription, fingerprints: readonly string[]): PhoneLine {
  const formats = String(media.payloads ?? '').split(' ').filter((format) => format !== '');
  if (formats.length > MAX_FORMATS) throw new SdpError('too-large', `more than ${MAX_FORMATS} formats in one media line`);
  return {
    kind: String(media.type ?? ''),
    port: portOf(media.port) ?? 0,
    rtcpPort: portOf(media.rtcp?.port),
    protocol: String(media.protocol ?? ''),
    formats,
    connection: connectionOf(media) ?? connectionOf(session),
    direction: directionOf(media.direction) ?? directionOf(session.direction) ?? 'sendrecv',
    codecs: codecsOf(formats, media),
    ptimeMs: positive(media.ptime),
    maxptimeMs: positive(media.maxptime),
    fingerprint: chooseFingerprint(fingerprints),
    setup: setupOf(media.setup) ?? setupOf(session.setup),
    iceUfrag: session.icelite !== undefined ? null : readUfrag(media.iceUfrag ?? session.iceUfrag, media.icePwd ?? session.icePwd),
    rtcpMux: media.rtcpMux !== undefined,
    mid: /^[\w.+-]{1,32}$/.test(String(media.mid ?? '')) ? String(media.mid) : null,
    crypto: (media.crypto ?? []).slice(0, MAX_CRYPTO).map(({ id, suite, config, sessionConfig }) => ({ tag: Number(id), suite: String(suite), key: String(config), parameters: String(sessionConfig ?? '') })),
  };
}

type MediaOf = SessionDescription['media'][number] & MediaDescription;

function codecsOf(formats: string[], media: MediaOf): PhoneCodecLine[] {
  return formats.flatMap((format) => {
    if (!/^\d{1,3}$/.test(format) || Number(format) > 127) return [];
    const payloadType = Number(format);
    const mapped = media.rtp.find((rtp) => Number(rtp.payload) === payloadType);
    const parameters = String(media.fmtp.find((fmtp) => Number(fmtp.payload) === payloadType)?.config ?? '');
    if (mapped) return [{ payloadType, name: String(mapped.codec ?? '').toUpperCase(), clockRateHz: Number(mapped.rate ?? 8000), parameters }];
    const fixed = STATIC_CODECS.get(payloadType);
    return fixed ? [{ payloadType, ...fixed, parameters }] : [];
  });
}

function connectionOf(level: { connection?: { version?: number; ip?: string } | undefined }): PhoneLine['connection'] {
  const { version, ip } = level.connection ?? {};
  if (ip === undefined) return null;
  // A multicast time to live or count after a slash is dropped with the address check of the answer.
  return { family: Number(version) === 6 ? 6 : 4, address: String(ip) };
}

function directionOf(value: unknown): Direction | null {
  return value === 'sendrecv' || value === 'sendonly' || value === 'recvonly' || value === 'inactive' ? value : null;
}

function setupOf(value: unknown): PhoneLine['setup'] {
  return value === 'active' || value === 'passive' || value === 'actpass' || value === 'holdconn' ? value : null;
}

function portOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536 ? value : null;
}

function positive(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : null;
}
