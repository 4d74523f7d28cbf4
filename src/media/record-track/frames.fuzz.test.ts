import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeVideo, payloadsOf, type VideoCodec } from '../../testing/encoded-video.ts';
import { parseRtp, RtpView, writeRtpHeader } from '../rtp/packet.ts';
import { frameReader } from './frame-readers.ts';
import type { EncodedFrame } from './frame-reader.ts';
import { MatroskaMuxer } from './matroska-muxer.ts';
import { Reorder, type OrderedPacket } from './reorder.ts';

const CODECS = ['vp8', 'vp9', 'h264', 'opus', 'pcmu', 'pcma'] as const;

/** Reads packets and writes whatever comes of them; what it takes must never hurt it. */
function chew(codec: (typeof CODECS)[number], packets: { payload: Uint8Array; marker: boolean; timestamp: number; lost: boolean }[]): EncodedFrame[] {
  const frames: EncodedFrame[] = [];
  const reader = frameReader(codec, ['vp8', 'vp9', 'h264'].includes(codec) ? 'video' : 'audio', {
    frame: (frame) => frames.push({ ...frame, data: Buffer.from(frame.data.subarray(frame.offset, frame.offset + frame.length)), offset: 0 }),
    keyFrameNeeded: () => {},
  });
  let muxer: MatroskaMuxer | null = null;
  for (const { payload, marker, timestamp, lost } of packets) {
    if (lost) reader?.lost();
    // Surrounded by what is not the packet's.
    const buffer = Buffer.concat([Buffer.alloc(12, 0xff), payload, Buffer.alloc(20, 0xff)]);
    reader?.packet({ buffer, offset: 12, length: payload.length, marker, timestamp, ssrc: 1, arrivalMs: 0, codec });
  }
  for (const frame of frames) {
    muxer ??= reader ? new MatroskaMuxer(reader.describe(), 0) : null;
    muxer?.frame({ ...frame, timestampMs: frame.timestamp / 90 });
  }
  return frames;
}

const bytes = fc.uint8Array({ maxLength: 200 });
/** Beginnings that lead deeper than chance would. */
const guided = fc.tuple(
  fc.constantFrom([0x10], [0x90, 0xe0, 0x80, 1, 1, 0x20], [0x8c, 0x80, 1], [0x0a, 0xf8], [24, 0, 9], [28, 0x85], [28, 0x45], [0x67], [0x68], [0x65, 0x88], [0x78], [0xfc, 0x3f]),
  bytes,
);
const payload = fc.oneof(bytes, guided.map(([head, rest]) => Uint8Array.from([...head, ...rest])));
const packet = fc.record({ payload, marker: fc.boolean(), timestamp: fc.integer({ min: 0, max: 5 }).map((n) => n * 3600), lost: fc.boolean() });

describe('frame readers', () => {
  it.each(CODECS)('take any packets for %s', (codec) => {
    fc.assert(fc.property(fc.array(packet, { maxLength: 30 }), (packets) => void chew(codec, packets)), { numRuns: 100 });
  });

  it.each(['vp8', 'vp9', 'h264'] as const)('take %s with bytes turned, and never make a picture of two', (codec: VideoCodec) => {
    const { pictures } = encodeVideo(codec, { pictures: 3, size: '64x48' });
    const good = pictures.flatMap((picture, n) => payloadsOf(codec, picture, n).map((part, i, all) => ({ payload: part, marker: i === all.length - 1, timestamp: n * 3600, lost: false })));
    expect(chew(codec, good)).toHaveLength(3);
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(8), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(damage, (turns) => {
        const packets = good.map((part) => ({ ...part, payload: Uint8Array.from(part.payload) }));
        for (const [which, where, mask] of turns) {
          const target = (packets[which % packets.length] as (typeof packets)[number]).payload;
          if (where < target.length) target[where] = (target[where] as number) ^ mask;
        }
        const timestamps = chew(codec, packets).map((frame) => frame.timestamp);
        expect(new Set(timestamps).size).toBe(timestamps.length);
      }),
      { numRuns: 50 },
    );
  });

  it('leave out a picture of more than a megabyte', () => {
    const chunk = Uint8Array.from([0x10, ...new Uint8Array(1199)]);
    const packets = Array.from({ length: 1000 }, (_, i) => ({ payload: i === 0 ? chunk : Uint8Array.from([0, ...chunk.subarray(1)]), marker: i === 999, timestamp: 0, lost: false }));
    expect(chew('vp8', packets)).toEqual([]);
  });
});

describe('the order of packets', () => {
  const view = new RtpView();
  function send(reorder: Reorder, sequenceNumber: number, options: { nowMs: number; ssrc?: number }): void {
    const head = Buffer.alloc(14);
    writeRtpHeader(head, { payloadType: 96, marker: false, sequenceNumber, timestamp: 0, ssrc: options.ssrc ?? 1 });
    head.writeUInt16BE(sequenceNumber & 0xffff, 12);
    expect(parseRtp(view, head)).toBe(true);
    reorder.packetReceived(view, 'vp8', options.nowMs);
  }

  function listening(holdMs = 1000): { reorder: Reorder; got: (number | 'lost')[] } {
    const got: (number | 'lost')[] = [];
    const events = { packet: ({ buffer, offset }: OrderedPacket) => void got.push(buffer.readUInt16BE(offset)), lost: () => void got.push('lost') };
    return { reorder: new Reorder({ holdMs, events }), got };
  }

  it('waits for what is missing, and no longer than it may', () => {
    const { reorder, got } = listening();
    for (const n of [65_534, 0, 1, 65_535, 3, 4, 1]) send(reorder, n, { nowMs: 0 });
    expect(got).toEqual([65_534, 65_535, 0, 1]);
    reorder.tick(999);
    expect(got).toHaveLength(4);
    reorder.tick(1000);
    expect(got.slice(4)).toEqual(['lost', 3, 4]);
    send(reorder, 2, { nowMs: 1001 });
    expect(got).toHaveLength(7);
  });

  it('holds only so much, goes on behind an outage, and begins anew with another stream', () => {
    const { reorder, got } = listening();
    send(reorder, 10, { nowMs: 0 });
    for (let n = 12; n < 12 + 511; n++) send(reorder, n, { nowMs: 1 });
    expect(got).toEqual([10]);
    send(reorder, 523, { nowMs: 2 });
    expect(got).toEqual([10, 'lost', ...Array.from({ length: 512 }, (_, i) => 12 + i)]);
    got.length = 0;
    send(reorder, 5000, { nowMs: 3 });
    send(reorder, 400, { nowMs: 4 });
    send(reorder, 7, { nowMs: 5, ssrc: 2 });
    expect(got).toEqual(['lost', 5000, 'lost', 400, 'lost', 7]);
  });

  it('hands on each packet once and in order, whatever comes', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: -40, max: 60 }), fc.integer({ min: 0, max: 400 })), { maxLength: 300 });
    fc.assert(
      fc.property(steps, (all) => {
        const { reorder, got } = listening();
        let [at, nowMs] = [100, 0];
        for (const [jump, waitMs] of all) {
          at += Math.max(jump, -30);
          nowMs += waitMs;
          send(reorder, (at + 65_536) & 0xffff, { nowMs });
        }
        reorder.flush();
        const numbers = got.filter((each) => each !== 'lost');
        expect(numbers.every((n, i) => i === 0 || ((n - (numbers[i - 1] as number)) & 0xffff) < 3000 + 512)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
