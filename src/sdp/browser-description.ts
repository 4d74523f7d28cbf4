import { SdpError } from './sdp-error.ts';
import { readCodecs, type BrowserCodec, type RtpMap } from './browser-codecs.ts';

/** What of a browser's SDP matters to us. Everything in it is checked; nothing else of the text survives. */
export interface BrowserDescription {
  iceUfrag: string;
  icePwd: string;
  /** As in a=fingerprint: `sha-256 AB:CD:…`. */
  fingerprint: string;
  sections: BrowserSection[];
}

export type BrowserDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** One m-section, in the order of the SDP. */
export interface BrowserSection {
  kind: 'audio' | 'video' | 'application' | 'other';
  mid: string;
  /** Port 0 without a=bundle-only: the transceiver was stopped. */
  rejected: boolean;
  direction: BrowserDirection;
  /** Last token of a=msid: the track's id. Null when there is none. */
  trackId: string | null;
  /** Those we speak, in our order (audio: opus first; video: VP8 first). */
  codecs: BrowserCodec[];
  /** Header extensions we know, URI → id. */
  extensions: Record<string, number>;
  /** Streams of the sender, lowest simulcast layer first. */
  encodings: { ssrc: number; rtxSsrc?: number }[];
  /** Every payload type that is named, ours or not. */
  payloadTypes: number[];
}

/** Large rooms make large offers: some 5 kB for each video. */
const MAX_LENGTH = 768 * 1024;
const MAX_LINE_LENGTH = 4096;
export const MAX_SECTIONS = 128;
const MAX_ENCODINGS = 4;
const MAX_SSRCS = 32;

/** Header extensions that we write into our SDP and understand in packets. */
export const KNOWN_EXTENSIONS: ReadonlySet<string> = new Set([
  'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  'urn:ietf:params:rtp-hdrext:sdes:mid',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  'urn:3gpp:video-orientation',
]);

interface IceDtls {
  iceUfrag?: string;
  icePwd?: string;
  fingerprint?: string;
}

interface RawSection extends IceDtls, RtpMap {
  kind: BrowserSection['kind'];
  port: number;
  bundleOnly: boolean;
  mid: string | null;
  direction: BrowserDirection;
  trackId: string | null;
  extensions: Record<string, number>;
  ssrcs: Set<number>;
  groups: { semantics: string; ssrcs: number[] }[];
}

/** Reads the SDP of a browser. Throws SdpError `too-large` or `malformed`, nothing else. */
export function readBrowserDescription(sdp: string): BrowserDescription {
  if (sdp.length > MAX_LENGTH) throw new SdpError('too-large', `SDP of ${sdp.length} characters`);
  if (!sdp.startsWith('v=0')) throw malformed('SDP must begin with v=0');
  const session: IceDtls = {};
  const raw: RawSection[] = [];
  for (const line of sdp.split(/\r\n|\r|\n/)) readLine(line, session, raw);
  const sections = raw.map(sectionOf);
  if (new Set(sections.map((section) => section.mid)).size !== sections.length) throw malformed('an a=mid is there twice');
  return { ...transportOf(raw, session), sections };
}

function malformed(message: string): SdpError {
  return new SdpError('malformed', message);
}

function readLine(line: string, session: IceDtls, raw: RawSection[]): void {
  if (line.length > MAX_LINE_LENGTH) throw new SdpError('too-large', 'a line of the SDP is too long');
  if (line.startsWith('m=')) {
    if (raw.length >= MAX_SECTIONS) throw new SdpError('too-large', `more than ${MAX_SECTIONS} m-sections`);
    raw.push(newSection(line.slice(2)));
  } else if (line.startsWith('a=')) readAttribute(line.slice(2), session, raw.at(-1));
}

function newSection(text: string): RawSection {
  const [kind = '', port = '', , ...formats] = text.split(' ');
  if (!/^\d{1,5}$/.test(port)) throw malformed('an m-line has no port');
  return {
    kind: kind === 'audio' || kind === 'video' || kind === 'application' ? kind : 'other',
    port: Number(port),
    bundleOnly: false,
    mid: null,
    direction: 'sendrecv',
    trackId: null,
    payloadTypes: formats.filter((format) => /^\d{1,3}$/.test(format) && Number(format) < 128).map(Number),
    names: new Map(),
    parameters: new Map(),
    extensions: {},
    ssrcs: new Set(),
    groups: [],
  };
}

function readAttribute(text: string, session: IceDtls, section: RawSection | undefined): void {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  const value = colon < 0 ? '' : text.slice(colon + 1);
  transportAttributes.get(name)?.(section ?? session, value);
  if (section) sectionAttributes.get(name)?.(section, value);
}

const transportAttributes = new Map<string, (level: IceDtls, value: string) => void>([
  ['ice-ufrag', (level, value) => void (level.iceUfrag ??= value.trim())],
  ['ice-pwd', (level, value) => void (level.icePwd ??= value.trim())],
  ['fingerprint', (level, value) => void (level.fingerprint ??= value.trim())],
]);

const sectionAttributes = new Map<string, (section: RawSection, value: string) => void>([
  ['mid', (section, value) => void (section.mid = value.trim())],
  ['bundle-only', (section) => void (section.bundleOnly = true)],
  ['sendrecv', (section) => void (section.direction = 'sendrecv')],
  ['sendonly', (section) => void (section.direction = 'sendonly')],
  ['recvonly', (section) => void (section.direction = 'recvonly')],
  ['inactive', (section) => void (section.direction = 'inactive')],
  ['msid', (section, value) => void (section.trackId ??= value.trim().split(' ')[1] ?? null)],
  ['rtpmap', readRtpMap],
  ['fmtp', readParameters],
  ['extmap', readExtension],
  ['ssrc', readSsrc],
  ['ssrc-group', readSsrcGroup],
]);

function readRtpMap(section: RawSection, value: string): void {
  const match = /^(\d{1,3}) ([\w.-]{1,40})\/(\d{1,6})(?:\/(\d))?/.exec(value);
  if (!match) return;
  const [, payloadType, name = '', rate, channels] = match;
  section.names.set(Number(payloadType), { name: name.toLowerCase(), clockRateHz: Number(rate), ...(channels === undefined ? {} : { channels: Number(channels) }) });
}

function readParameters(section: RawSection, value: string): void {
  const match = /^(\d{1,3}) ([\x20-\x7e]{1,500})$/.exec(value);
  if (match?.[2] !== undefined) section.parameters.set(Number(match[1]), match[2]);
}

function readExtension(section: RawSection, value: string): void {
  const match = /^(\d{1,3})(?:\/\w+)? (\S+)/.exec(value);
  if (!match?.[2] || !KNOWN_EXTENSIONS.has(match[2])) return;
  const id = Number(match[1]);
  // RFC 8285 §4.2: ids of the one-byte form.
  if (id >= 1 && id <= 14) section.extensions[match[2]] ??= id;
}

function readSsrc(section: RawSection, value: string): void {
  const ssrc = ssrcOf(value.split(' ')[0] ?? '');
  if (ssrc !== null && section.ssrcs.size < MAX_SSRCS) section.ssrcs.add(ssrc);
}

function readSsrcGroup(section: RawSection, value: string): void {
  const [semantics = '', ...texts] = value.trim().split(' ');
  const ssrcs = texts.map(ssrcOf).filter((ssrc) => ssrc !== null);
  if (section.groups.length < MAX_SSRCS) section.groups.push({ semantics, ssrcs: ssrcs.slice(0, MAX_SSRCS) });
}

function ssrcOf(text: string): number | null {
  if (!/^\d{1,10}$/.test(text)) return null;
  const ssrc = Number(text);
  return ssrc > 0 && ssrc <= 0xffffffff ? ssrc : null;
}

function sectionOf(raw: RawSection): BrowserSection {
  if (raw.mid === null || !/^[!-~]{1,64}$/.test(raw.mid)) throw malformed('an m-section has no a=mid');
  const sends = raw.direction === 'sendrecv' || raw.direction === 'sendonly';
  return {
    kind: raw.kind,
    mid: raw.mid,
    rejected: raw.port === 0 && !raw.bundleOnly,
    direction: raw.direction,
    trackId: sends ? raw.trackId : null,
    codecs: raw.kind === 'audio' || raw.kind === 'video' ? readCodecs(raw.kind, raw) : [],
    extensions: raw.extensions,
    encodings: sends ? encodingsOf(raw) : [],
    payloadTypes: raw.payloadTypes,
  };
}

/** Simulcast is a SIM group of first streams, each with its FID group (rsp: SSRC order is low to high). */
function encodingsOf(raw: RawSection): BrowserSection['encodings'] {
  const second = new Set(raw.groups.filter((group) => group.semantics !== 'SIM').flatMap((group) => group.ssrcs.slice(1)));
  const simulcast = raw.groups.find((group) => group.semantics === 'SIM')?.ssrcs;
  const first = simulcast ?? [...raw.ssrcs].filter((ssrc) => !second.has(ssrc)).slice(0, 1);
  return [...new Set(first)].slice(0, MAX_ENCODINGS).map((ssrc) => {
    const rtxSsrc = raw.groups.find((group) => group.semantics === 'FID' && group.ssrcs[0] === ssrc)?.ssrcs[1];
    return { ssrc, ...(rtxSsrc === undefined ? {} : { rtxSsrc }) };
  });
}

/** All of it is one bundle: the first section that has them speaks for all, else the session level (Firefox). */
function transportOf(raw: RawSection[], session: IceDtls): { iceUfrag: string; icePwd: string; fingerprint: string } {
  const find = (read: (level: IceDtls) => string | undefined): string | undefined => raw.map(read).find((value) => value !== undefined) ?? read(session);
  const iceUfrag = find((level) => level.iceUfrag);
  const icePwd = find((level) => level.icePwd);
  const fingerprint = find((level) => level.fingerprint);
  if (iceUfrag === undefined || icePwd === undefined || fingerprint === undefined) throw malformed('ICE credentials or fingerprint are missing');
  return { iceUfrag, icePwd, fingerprint };
}
