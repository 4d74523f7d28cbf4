import { randomBytes } from 'node:crypto';
import { element, floatElement, idBytes, textElement, uintElement, UNKNOWN_SIZE, voidElement } from './ebml.ts';

/** Element ids (RFC 9559 §5.1). */
export const ID = {
  ebml: 0x1a45dfa3,
  segment: 0x18538067,
  seekHead: 0x114d9b74,
  seek: 0x4dbb,
  seekId: 0x53ab,
  seekPosition: 0x53ac,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  duration: 0x4489,
  dateUtc: 0x4461,
  muxingApp: 0x4d80,
  writingApp: 0x5741,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  cluster: 0x1f43b675,
  clusterTimestamp: 0xe7,
  simpleBlock: 0xa3,
  cues: 0x1c53bb6b,
  cuePoint: 0xbb,
  cueTime: 0xb3,
  cueTrackPositions: 0xb7,
  cueTrack: 0xf7,
  cueClusterPosition: 0xf1,
} as const;

/** What a file says of its one track. */
export interface MatroskaTrack {
  /** As RFC 9559 and its codec registry name it: `A_OPUS`, `A_MS/ACM`, `V_VP8` … */
  codecId: string;
  codecPrivate: Buffer | null;
  audio?: { sampleRateHz: number; channels: number; bitDepth?: number };
  video?: { width: number; height: number };
  /** What a decoder must be fed with before a seek target, Opus: 80 ms. */
  seekPreRollMs?: number;
}

/** The file up to its first cluster, and where in it something will be known better later. */
export interface MatroskaHeader {
  bytes: Buffer;
  /** Where the segment's content begins: positions in cues and seek head count from here. Its size is the 8 bytes before. */
  segmentStart: number;
  /** `SEEK_HEAD_BYTES` kept free. */
  seekHeadOffset: number;
  infoOffset: number;
  tracksOffset: number;
  /** Of the duration element, `DURATION_BYTES` kept free. */
  durationOffset: number;
  /** Of the eight bytes of DateUTC's value. */
  dateOffset: number;
}

export const SEEK_HEAD_BYTES = 80;
export const DURATION_BYTES = 11;
const MS_FROM_1970_TO_2001 = 978_307_200_000;
const TRACK_VIDEO = 1;
const TRACK_AUDIO = 2;
const PROGRESSIVE = 2;

/** Of a file that is about to grow: the segment's size is unknown, the duration is left out until it is known. */
export function matroskaHeader(track: MatroskaTrack, startedAtMs: number): MatroskaHeader {
  const head = Buffer.concat([ebmlHeader(), idBytes(ID.segment), UNKNOWN_SIZE]);
  const segmentStart = head.length;
  const seekHeadOffset = segmentStart;
  const infoOffset = seekHeadOffset + SEEK_HEAD_BYTES;
  // The two places come last, so that their offsets follow from the end of the element.
  const info = element(
    ID.info,
    uintElement(ID.timestampScale, 1_000_000),
    textElement(ID.muxingApp, 'Partyline'),
    textElement(ID.writingApp, 'Partyline'),
    element(ID.dateUtc, dateValue(startedAtMs)),
    voidElement(DURATION_BYTES),
  );
  const tracksOffset = infoOffset + info.length;
  const durationOffset = tracksOffset - DURATION_BYTES;
  const bytes = Buffer.concat([head, voidElement(SEEK_HEAD_BYTES), info, trackList(track)]);
  return { bytes, segmentStart, seekHeadOffset, infoOffset, tracksOffset, durationOffset, dateOffset: durationOffset - 8 };
}

/** Nanoseconds since 2001 (RFC 8794 §7.6). */
export function dateValue(wallMs: number): Buffer {
  const value = Buffer.alloc(8);
  value.writeBigInt64BE(BigInt(Math.round(wallMs) - MS_FROM_1970_TO_2001) * 1_000_000n);
  return value;
}

export function dateOf(value: Buffer): number {
  return Number(value.readBigInt64BE() / 1_000_000n) + MS_FROM_1970_TO_2001;
}

function ebmlHeader(): Buffer {
  return element(
    ID.ebml,
    uintElement(0x4286, 1), // EBMLVersion
    uintElement(0x42f7, 1), // EBMLReadVersion
    uintElement(0x42f2, 4), // EBMLMaxIDLength
    uintElement(0x42f3, 8), // EBMLMaxSizeLength
    textElement(0x4282, 'matroska'), // DocType
    uintElement(0x4287, 4), // DocTypeVersion
    uintElement(0x4285, 2), // DocTypeReadVersion
  );
}

function trackList(track: MatroskaTrack): Buffer {
  const entry = [
    uintElement(0xd7, 1), // TrackNumber
    uintElement(0x73c5, randomBytes(6).readUIntBE(0, 6) || 1), // TrackUID
    uintElement(0x83, track.video ? TRACK_VIDEO : TRACK_AUDIO), // TrackType
    uintElement(0x9c, 0), // FlagLacing
    textElement(0x22b59c, 'und'), // Language
    textElement(0x86, track.codecId), // CodecID
  ];
  if (track.codecPrivate) entry.push(element(0x63a2, track.codecPrivate));
  if (track.seekPreRollMs !== undefined) entry.push(uintElement(0x56aa, 0), uintElement(0x56bb, track.seekPreRollMs * 1_000_000)); // CodecDelay, SeekPreRoll
  if (track.video) entry.push(videoSettings(track.video));
  if (track.audio) entry.push(audioSettings(track.audio));
  return element(ID.tracks, element(ID.trackEntry, ...entry));
}

function videoSettings({ width, height }: { width: number; height: number }): Buffer {
  return element(0xe0, uintElement(0x9a, PROGRESSIVE), uintElement(0xb0, width), uintElement(0xba, height)); // FlagInterlaced, PixelWidth, PixelHeight
}

function audioSettings({ sampleRateHz, channels, bitDepth }: { sampleRateHz: number; channels: number; bitDepth?: number }): Buffer {
  const settings = [floatElement(0xb5, sampleRateHz), uintElement(0x9f, channels)]; // SamplingFrequency, Channels
  if (bitDepth !== undefined) settings.push(uintElement(0x6264, bitDepth)); // BitDepth
  return element(0xe1, ...settings);
}
