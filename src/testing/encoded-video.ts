import { execFileSync } from 'node:child_process';
import { writeRtpHeader } from '../media/rtp/packet.ts';

export type VideoCodec = 'vp8' | 'vp9' | 'h264';

/** RTP packets small enough that a picture needs several. */
const PAYLOAD_BYTES = 300;
const CLOCK_RATE_HZ = 90_000;

export interface EncodedVideo {
  /** The encoder's file: IVF, or H.264 with start codes. */
  file: Buffer;
  /** Coded pictures in their order. */
  pictures: Buffer[];
}

const ENCODERS: Record<VideoCodec, string[]> = {
  vp8: ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-auto-alt-ref', '0', '-f', 'ivf'],
  vp9: ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-lag-in-frames', '0', '-f', 'ivf'],
  h264: ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-profile:v', 'baseline', '-bsf:v', 'h264_metadata=aud=insert', '-f', 'h264'],
};

/** A moving test picture of `size`, with a key frame every `keyFrameEvery` pictures. Needs ffmpeg. */
export function encodeVideo(codec: VideoCodec, options: { pictures: number; size?: string; keyFrameEvery?: number }): EncodedVideo {
  const { pictures, size = '160x120', keyFrameEvery = 10 } = options;
  const source = `testsrc2=size=${size}:rate=25`;
  const args = ['-v', 'error', '-f', 'lavfi', '-i', source, '-frames:v', String(pictures), '-pix_fmt', 'yuv420p', '-g', String(keyFrameEvery), '-b:v', '300k'];
  const file = execFileSync('ffmpeg', [...args, ...ENCODERS[codec], '-']);
  return { file, pictures: codec === 'h264' ? accessUnits(file) : ivfFrames(file) };
}

function ivfFrames(file: Buffer): Buffer[] {
  const frames = [];
  for (let at = 32; at + 12 <= file.length; ) {
    const length = file.readUInt32LE(at);
    frames.push(file.subarray(at + 12, at + 12 + length));
    at += 12 + length;
  }
  return frames;
}

/** Split at the access unit delimiters, without them. */
function accessUnits(file: Buffer): Buffer[] {
  const units: Buffer[][] = [];
  for (const unit of nalUnits(file)) {
    if (((unit[0] as number) & 0x1f) === 9) units.push([]);
    else units.at(-1)?.push(Buffer.concat([Buffer.from([0, 0, 0, 1]), unit]));
  }
  return units.map((parts) => Buffer.concat(parts));
}

/** NAL units between start codes (ITU-T H.264 annex B). */
function nalUnits(stream: Buffer): Buffer[] {
  const starts: number[] = [];
  for (let i = 0; i + 3 <= stream.length; i++) if (stream.readUIntBE(i, 3) === 1) starts.push(i + 3);
  return starts.map((start, i) => {
    let end = i + 1 < starts.length ? (starts[i + 1] as number) - 3 : stream.length;
    while (end > start && stream[end - 1] === 0) end--;
    return stream.subarray(start, end);
  });
}

/** Payloads of one picture. `number` is its picture id. */
export function payloadsOf(codec: VideoCodec, picture: Buffer, number: number): Buffer[] {
  if (codec === 'h264') return h264Payloads(nalUnits(picture));
  const chunks = cut(picture);
  return chunks.map((chunk, i) => Buffer.concat([codec === 'vp8' ? vp8Head(i === 0, number) : vp9Head({ isFirst: i === 0, isLast: i === chunks.length - 1, number }), chunk]));
}

function cut(bytes: Buffer): Buffer[] {
  const chunks = [];
  for (let at = 0; at < bytes.length; at += PAYLOAD_BYTES) chunks.push(bytes.subarray(at, at + PAYLOAD_BYTES));
  return chunks;
}

/** RFC 7741 §4.2, with everything a browser sends: picture id of 15 bits, TL0PICIDX, TID. */
function vp8Head(isFirst: boolean, number: number): Buffer {
  return Buffer.from([isFirst ? 0x90 : 0x80, 0xe0, 0x80 | ((number >> 8) & 0x7f), number & 0xff, number & 0xff, 0x20]);
}

/** RFC 9628 §4.2, non-flexible, one layer. */
function vp9Head({ isFirst, isLast, number }: { isFirst: boolean; isLast: boolean; number: number }): Buffer {
  return Buffer.from([0x80 | (isFirst ? 0x08 : 0) | (isLast ? 0x04 : 0), 0x80 | ((number >> 8) & 0x7f), number & 0xff]);
}

/** RFC 6184: parameter sets together, what is large in fragments, the rest as it is. */
function h264Payloads(units: Buffer[]): Buffer[] {
  const sets = units.filter((unit) => [7, 8].includes((unit[0] as number) & 0x1f));
  const rest = units.filter((unit) => !sets.includes(unit));
  const aggregate = Buffer.concat([Buffer.from([24]), ...sets.map((unit) => Buffer.concat([Buffer.from([unit.length >> 8, unit.length & 0xff]), unit]))]);
  return [...(sets.length > 0 ? [aggregate] : []), ...rest.flatMap((unit) => (unit.length <= PAYLOAD_BYTES ? [unit] : fragments(unit)))];
}

function fragments(unit: Buffer): Buffer[] {
  const chunks = cut(unit.subarray(1));
  const head = unit[0] as number;
  return chunks.map((chunk, i) => {
    const bits = (i === 0 ? 0x80 : 0) | (i === chunks.length - 1 ? 0x40 : 0);
    return Buffer.concat([Buffer.from([(head & 0xe0) | 28, bits | (head & 0x1f)]), chunk]);
  });
}

/** All packets of a video: picture i at `timestamp` + i / 25 s. */
export function videoPackets(codec: VideoCodec, pictures: readonly Buffer[], from: { sequenceNumber: number; timestamp: number; ssrc: number }): Buffer[] {
  let { sequenceNumber } = from;
  return pictures.flatMap((picture, number) => {
    const payloads = payloadsOf(codec, picture, number);
    return payloads.map((payload, i) => {
      const head = Buffer.alloc(12);
      const timestamp = from.timestamp + (number * CLOCK_RATE_HZ) / 25;
      writeRtpHeader(head, { payloadType: 96, marker: i === payloads.length - 1, sequenceNumber: sequenceNumber++, timestamp, ssrc: from.ssrc });
      return Buffer.concat([head, payload]);
    });
  });
}
