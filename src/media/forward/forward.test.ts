import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRtp, RtpView, writeRtpHeader } from '../rtp/packet.ts';
import { RtcpCursor } from '../rtp/rtcp-feedback.ts';
import { readTransportFeedback } from '../rtp/rtcp-feedback-twcc.ts';
import { matchCodec } from './codec-match.ts';
import { beginsKeyFrame } from './key-frame.ts';
import { KeyFrameRequester } from './key-frame-requester.ts';
import { LayerSelector } from './layer-selector.ts';
import { NackGenerator } from './nack-generator.ts';
import { PacketCache } from './packet-cache.ts';
import { ReceiveStream } from './receive-stream.ts';
import { ReportClock } from './report-clock.ts';
import { rtxOriginalSequence, unwrapRtx, wrapRtx } from './rtx.ts';
import { SequenceWindow } from './sequence-window.ts';
import { StreamRewriter } from './stream-rewriter.ts';
import { TwccRecorder } from './twcc-recorder.ts';

function packet(fields: { ssrc?: number; sequenceNumber: number; timestamp?: number; payload?: Buffer; marker?: boolean; payloadType?: number }): RtpView {
  const head = Buffer.alloc(12);
  writeRtpHeader(head, { ssrc: 1, timestamp: 0, marker: false, payloadType: 96, ...fields });
  const view = new RtpView();
  expect(parseRtp(view, Buffer.concat([head, fields.payload ?? Buffer.from([1])]))).toBe(true);
  return view;
}

describe('stream rewriter', () => {
  it('keeps gaps and re-ordering of a source, over the wrap', () => {
    const rewriter = new StreamRewriter(65530);
    const out = [65534, 65535, 1, 0, 2].map((sequenceNumber) => rewriter.rewrite(packet({ sequenceNumber }), 90_000, 0) && rewriter.sequenceNumber);
    expect(out).toEqual([65530, 65531, 65533, 65532, 65534]);
  });

  it('goes on with the next number and a time that has passed when the source changes', () => {
    const rewriter = new StreamRewriter(100);
    rewriter.rewrite(packet({ ssrc: 1, sequenceNumber: 7, timestamp: 1000 }), 48_000, 1000);
    expect(rewriter.timestamp).toBe(1000);
    expect(rewriter.rewrite(packet({ ssrc: 2, sequenceNumber: 40_000, timestamp: 4_000_000_000 }), 48_000, 1020)).toBe(true);
    expect([rewriter.sequenceNumber, rewriter.timestamp]).toEqual([101, 1960]);
  });

  it('leaves no gap for what was left out, and keeps the time line of the same source', () => {
    const rewriter = new StreamRewriter(100);
    rewriter.rewrite(packet({ sequenceNumber: 7, timestamp: 1000 }), 48_000, 1000);
    rewriter.interrupt();
    rewriter.rewrite(packet({ sequenceNumber: 207, timestamp: 193_000 }), 48_000, 5003);
    expect([rewriter.sequenceNumber, rewriter.timestamp]).toEqual([101, 193_000]);
  });

  it('has no number for what is older than the beginning of the source', () => {
    const rewriter = new StreamRewriter(100);
    rewriter.rewrite(packet({ sequenceNumber: 7 }), 48_000, 0);
    expect(rewriter.rewrite(packet({ sequenceNumber: 6 }), 48_000, 0)).toBe(false);
    for (let i = 8; i < 70_000; i++) rewriter.rewrite(packet({ sequenceNumber: i & 0xffff }), 48_000, i);
    expect(rewriter.rewrite(packet({ sequenceNumber: (69_999 - 100) & 0xffff }), 48_000, 70_000)).toBe(true);
  });

  it('never uses a sequence number twice, whatever the sources do', () => {
    const step = fc.record({ ssrc: fc.integer({ min: 1, max: 3 }), jump: fc.integer({ min: 1, max: 5 }), pause: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const rewriter = new StreamRewriter(65_500);
        const at = new Map<number, number>();
        const used = new Set<number>();
        steps.forEach(({ ssrc, jump, pause }, i) => {
          const sequenceNumber = ((at.get(ssrc) ?? ssrc * 20_000) + jump) & 0xffff;
          at.set(ssrc, sequenceNumber);
          if (pause) rewriter.interrupt();
          if (!rewriter.rewrite(packet({ ssrc, sequenceNumber }), 90_000, i)) return;
          expect(used.has(rewriter.sequenceNumber)).toBe(false);
          used.add(rewriter.sequenceNumber);
        });
      }),
    );
  });
});

describe('NACK generator', () => {
  it('asks once the packet was not just overtaken, then every round trip, ten times', () => {
    const nack = new NackGenerator();
    nack.packetReceived(65534, 0);
    nack.packetReceived(1, 0);
    expect(nack.due(5, 50)).toEqual([]);
    expect(nack.due(10, 50)).toEqual([65535, 0]);
    expect(nack.due(40, 50)).toEqual([]);
    nack.packetReceived(0, 50);
    let asked = 1;
    for (let t = 60; t < 3000; t += 50) asked += nack.due(t, 50).length;
    expect(asked).toBe(10);
    expect([nack.abandoned, nack.waiting]).toEqual([1, false]);
  });

  it('does not ask for what came late or went before a key frame', () => {
    const nack = new NackGenerator();
    for (const seq of [1, 4, 2, 6]) nack.packetReceived(seq, 0);
    nack.keyFrameReceived(4);
    expect(nack.due(100, 50)).toEqual([5]);
  });

  it('gives up an outage at once', () => {
    const nack = new NackGenerator();
    nack.packetReceived(0, 0);
    nack.packetReceived(2000, 0);
    expect([nack.due(100, 50), nack.abandoned]).toEqual([[], 1999]);
  });
});

describe('duplicates', () => {
  it('are told from late packets', () => {
    const window = new SequenceWindow();
    expect([65535, 0, 2, 1, 1, 0, 65535, 3].map((seq) => window.accept(seq))).toEqual([true, true, true, true, false, false, false, true]);
  });

  it('end where a sender begins anew', () => {
    const window = new SequenceWindow();
    window.accept(20_000);
    expect([18_500, 5000, 5001, 5000].map((seq) => window.accept(seq))).toEqual([false, true, true, false]);
  });

  it('agrees with a plain set over short distances', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 65535 }), fc.array(fc.integer({ min: 0, max: 500 })), (base, offsets) => {
        const window = new SequenceWindow();
        const seen = new Set<number>();
        for (const offset of offsets) {
          expect(window.accept((base + offset) & 0xffff)).toBe(!seen.has(offset));
          seen.add(offset);
        }
      }),
    );
  });
});

describe('retransmission', () => {
  it('comes out of its wrapping as it was', () => {
    const original = packet({ ssrc: 5, sequenceNumber: 65535, timestamp: 77, marker: true, payload: Buffer.from('hello') });
    const target = Buffer.alloc(100);
    const length = wrapRtx(target, original.buffer, { ssrc: 6, payloadType: 97, sequenceNumber: 3 });
    const view = new RtpView();
    expect(parseRtp(view, target.subarray(0, length))).toBe(true);
    expect([view.ssrc, view.payloadType, view.sequenceNumber, view.marker, rtxOriginalSequence(view)]).toEqual([6, 97, 3, true, 65535]);
    expect(unwrapRtx(view, { ssrc: 5, payloadType: 96 })).toBe(true);
    expect(view.buffer.subarray(0, view.length)).toEqual(original.buffer);
  });

  it('carries nothing when it is only padding', () => {
    expect(unwrapRtx(packet({ sequenceNumber: 1, payload: Buffer.from([0, 1]) }), { ssrc: 5, payloadType: 96 })).toBe(false);
  });

  it('is answered from the cache once per request, for the last 512 packets', () => {
    const cache = new PacketCache();
    for (let seq = 0; seq < 600; seq++) cache.store(seq, Buffer.from([seq & 0xff, seq >> 8]));
    expect(cache.take(599, 0)).toEqual(Buffer.from([599 & 0xff, 2]));
    expect([cache.take(599, 5), cache.take(87, 0)]).toEqual([null, null]);
    expect(cache.take(599, 20)).not.toBeNull();
    expect(cache.take(88, 0)).toEqual(Buffer.from([88, 0]));
  });
});

describe('key frames', () => {
  const begins = (codec: string, bytes: number[]): boolean => beginsKeyFrame(codec, Buffer.from(bytes), { offset: 0, length: bytes.length });
  it('are recognised by their first packet', () => {
    expect([begins('vp8', [0x10, 0x00]), begins('vp8', [0x10, 0x01]), begins('vp8', [0x00, 0x00]), begins('vp8', [0x90, 0x80, 0x81, 0x01, 0x00])]).toEqual([true, false, false, true]);
    expect([begins('vp9', [0x08]), begins('vp9', [0x48]), begins('vp9', [0x00]), begins('vp9', [0x28, 0x02]), begins('vp9', [0x28, 0x01])]).toEqual([true, false, false, false, true]);
    expect([begins('h264', [0x65]), begins('h264', [0x67]), begins('h264', [0x41]), begins('h264', [0x7c, 0x85]), begins('h264', [0x7c, 0x05]), begins('h264', [0x78, 0, 1, 0x67])]).toEqual([true, true, false, true, false, true]);
    expect([begins('opus', [1]), begins('vp8', [])]).toEqual([true, false]);
  });

  it('are asked for at once, then every 500 ms until one comes', () => {
    const requester = new KeyFrameRequester();
    const sent: number[] = [];
    for (let t = 0; t <= 1600; t += 100) {
      if (t === 100) requester.request();
      if (t === 1300) requester.keyFrameReceived();
      if (!requester.due(t)) continue;
      requester.sent(t);
      sent.push(t);
    }
    expect(sent).toEqual([100, 600, 1100]);
  });
});

describe('layers', () => {
  it('start with the first key frame, climb when the higher one is steady, fall when it is silent', () => {
    const [low, high] = [new ReceiveStream(1, { nack: false }), new ReceiveStream(2, { nack: false })];
    const layers = new LayerSelector();
    layers.reset([low, high]);
    let sequenceNumber = 0;
    const come = (stream: ReceiveStream, nowMs: number, key = false): boolean => {
      stream.packetReceived(packet({ ssrc: stream.ssrc, sequenceNumber: sequenceNumber++ }), { nowMs, clockRateHz: 90_000, repeated: false });
      return layers.accept(stream, key, nowMs);
    };
    expect([come(low, 0), come(low, 10, true), come(low, 20)]).toEqual([false, true, true]);
    for (let t = 100; t < 1100; t += 100) expect([come(high, t, t === 100), come(low, t)]).toEqual([false, true]);
    expect(layers.awaited(1150)).toBe(high);
    expect([come(high, 1200), come(high, 1210, true), come(low, 1220, true)]).toEqual([false, true, false]);
    for (let t = 1300; t < 2500; t += 100) come(low, t);
    expect(layers.awaited(2500)).toBe(low);
    expect([come(low, 2510), come(low, 2520, true), come(low, 2530)]).toEqual([false, true, true]);
  });
});

describe('codecs', () => {
  it('are matched by name, H.264 also by mode and profile', () => {
    const h264 = (payloadType: number, parameters: string): { name: string; payloadType: number; clockRateHz: number; parameters: string } => ({ name: 'h264', payloadType, clockRateHz: 90_000, parameters });
    const receiver = [h264(1, 'packetization-mode=0;profile-level-id=42e01f'), h264(2, 'packetization-mode=1;profile-level-id=42001f'), h264(3, 'packetization-mode=1;profile-level-id=42e01f')];
    expect(matchCodec(receiver, 'h264', h264(9, 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42c034'))?.payloadType).toBe(3);
    expect(matchCodec(receiver, 'h264', h264(9, 'packetization-mode=1;profile-level-id=640032'))).toBeNull();
    expect(matchCodec(receiver, 'pcmu', null)).toBeNull();
  });
});

describe('arrival times', () => {
  function take(recorder: TwccRecorder): (number | null)[][] {
    return recorder.takeFeedback().map((buffer) => {
      const cursor = new RtcpCursor();
      cursor.reset(buffer);
      cursor.next();
      return readTransportFeedback(cursor)?.arrivals ?? [];
    });
  }

  it('go out once, with what was lost between', () => {
    const recorder = new TwccRecorder(1);
    recorder.packetReceived(65534, 9, 100);
    recorder.packetReceived(65535, 9, 101);
    expect(take(recorder)).toEqual([[400, 404]]);
    expect(take(recorder)).toEqual([]);
    recorder.packetReceived(2, 9, 110.25);
    expect(take(recorder)).toEqual([[null, null, 441]]);
    recorder.packetReceived(0, 9, 120);
    expect(take(recorder)).toEqual([[480, null, 441]]);
  });

  it('fit several messages after an outage', () => {
    const recorder = new TwccRecorder(1);
    recorder.packetReceived(1, 9, 0);
    recorder.packetReceived(1001, 9, 20_000);
    const feedback = take(recorder);
    expect(feedback.flat().filter((a) => a !== null)).toEqual([0, 80_000]);
  });
});

describe('sender reports', () => {
  it("put our numbers on the publisher's time line and measure the round trip", () => {
    const rewriter = new StreamRewriter(1);
    rewriter.rewrite(packet({ ssrc: 1, sequenceNumber: 1, timestamp: 500 }), 90_000, 0);
    rewriter.rewrite(packet({ ssrc: 3, sequenceNumber: 1, timestamp: 90_000 }), 90_000, 1000);
    const reports = new ReportClock();
    const source = { ssrc: 3, ntpSeconds: 100, ntpFraction: 0xc0000000, rtpTimestamp: 90_000, receivedMs: 1010 };
    const info = reports.senderInfo({ ssrc: 8, source, rewriter, nowMs: 1510, wallMs: 0 });
    expect(info).toEqual({ ssrc: 8, ntpSeconds: 101, ntpFraction: 0x40000000, rtpTimestamp: 500 + 90_000 + 45_000 });
    expect(reports.due(1600)).toBe(false);
    const block = { ssrc: 8, fractionLost: 0, lost: 0, extendedHighest: 0, jitter: 0, lastSr: (101 << 16) | 0x4000, delaySinceLastSr: 6554 };
    expect(reports.roundTripMs(block, 1660)).toBeCloseTo(50, 0);
    expect(reports.senderInfo({ ssrc: 8, source: null, rewriter, nowMs: 1510, wallMs: 0 })).toBeNull();
  });
});
