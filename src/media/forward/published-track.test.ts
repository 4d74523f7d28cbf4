import { describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { ReceiveTrack } from '../protocol.ts';
import { parseRtp, RtpView, writeRtpHeader } from '../rtp/packet.ts';
import { LayerSelector } from './layer-selector.ts';
import { PublishedTrack } from './published-track.ts';
import type { TrackSink } from './track.ts';

const KEY = Buffer.from([0x10, 0x00, 0, 0]);
const DELTA = Buffer.from([0x10, 0x01, 0, 0]);

/** A publisher of three layers, 11 to 13. */
function simulcast() {
  const clock = new FakeClock();
  const plis: [ssrc: number, atMs: number][] = [];
  const demands: boolean[][] = [];
  const track: ReceiveTrack = {
    trackSid: newSid('MT'), kind: 'video', mid: '0', extensions: {},
    codecs: [{ name: 'vp8', payloadType: 96, clockRateHz: 90_000 }],
    encodings: [{ ssrc: 11 }, { ssrc: 12 }, { ssrc: 13 }],
  };
  const startMs = clock.nowMs();
  const feedback = {
    sendPli: (ssrc: number) => plis.push([ssrc, clock.nowMs() - startMs]) > 0,
    sendNack: () => {},
    layersWanted: (_: unknown, layers: boolean[]) => void demands.push(layers),
    rttMs: 50,
  };
  const published = new PublishedTrack(track, { feedback, clock });
  const sent = [0, 0, 0];
  const send = (layer: number, payload: Buffer): void => {
    const head = Buffer.alloc(12);
    const stream = published.streams[layer]!;
    writeRtpHeader(head, { ssrc: stream.ssrc, payloadType: 96, marker: true, sequenceNumber: (sent[layer] = (sent[layer] ?? 0) + 1), timestamp: 0 });
    const view = new RtpView();
    expect(parseRtp(view, Buffer.concat([head, payload]))).toBe(true);
    published.packetReceived(view, stream, clock.nowMs());
  };
  /** `ms` of all given layers, a packet each 50 ms. */
  const flow = (ms: number, layers: number[]): void => {
    for (let t = 0; t < ms; t += 50) {
      clock.advance(50);
      for (const layer of layers) send(layer, DELTA);
      published.tick(clock.nowMs());
    }
  };
  return { published, clock, plis, demands, send, flow };
}

function viewer(limit?: number): TrackSink & { got: number[]; layers: LayerSelector } {
  const got: number[] = [];
  const layers = new LayerSelector();
  if (limit !== undefined) layers.limit = layers.desired = limit;
  return { got, layers, packetForwarded: (view) => void got.push(view.ssrc), sourceEnded: () => {} };
}

describe('a simulcast publisher', () => {
  it('gives each subscriber its own layer, changed on key frames', () => {
    const { published, send, flow } = simulcast();
    const [small, large] = [viewer(0), viewer()];
    published.addSink(small);
    published.addSink(large);
    flow(1100, [0, 1, 2]);
    expect([small.got, large.got], 'nothing before a key frame').toEqual([[], []]);
    for (const layer of [0, 1, 2]) send(layer, KEY);
    flow(100, [0, 1, 2]);
    expect([small.got, large.got]).toEqual([[11, 11, 11], [11, 13, 13, 13]]);
    small.layers.limit = small.layers.desired = 1;
    flow(100, [0, 1, 2]);
    send(1, KEY);
    flow(50, [0, 1, 2]);
    expect(small.got.slice(3)).toEqual([11, 11, 12, 12]);
  });

  it('is asked for a key frame at once, no more than every 300 ms, and never in a layer that does not come', () => {
    const { published, plis, send, flow } = simulcast();
    published.addSink(viewer());
    expect(plis).toEqual([[11, 0]]);
    flow(100, [0, 1]);
    send(0, KEY);
    send(1, KEY);
    flow(1300, [0, 1]);
    expect(plis.map(([ssrc]) => ssrc), 'the higher one once it is steady').toEqual([11, 12]);
    send(1, KEY);
    flow(3000, [0, 1]);
    expect(plis.length, 'the silent one never').toBe(2);
    for (let i = 0; i < 5; i++) published.addSink(viewer());
    expect(plis.length).toBe(3);
    flow(1000, [0, 1]);
    const gaps = plis.slice(1).map(([, atMs], i) => atMs - (plis[i] as [number, number])[1]);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(300);
    expect(plis.every(([ssrc]) => ssrc !== 13)).toBe(true);
  });

  it('is told which layers somebody wants', () => {
    const { published, demands, send, flow } = simulcast();
    const small = viewer(0);
    published.addSink(small);
    flow(4000, [0, 1, 2]);
    expect(demands).toEqual([[true, false, false]]);
    small.layers.desired = small.layers.limit = 2;
    flow(50, [0]);
    expect(demands.at(-1)).toEqual([true, false, true]);
    published.removeSink(small);
    flow(3100, [0]);
    expect(demands.at(-1)).toEqual([false, false, false]);
    const recorder: TrackSink = { packetForwarded: () => {}, sourceEnded: () => {} };
    published.addSink(recorder);
    flow(50, [0]);
    expect(demands.at(-1), 'a sink that does not choose may need any').toEqual([true, true, true]);
    send(0, KEY);
  });
});
