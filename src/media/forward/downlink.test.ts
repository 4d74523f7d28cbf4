import { beforeEach, describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import type { TrackSid } from '../../base/sid.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { SendTrack, VideoPolicy } from '../protocol.ts';
import { extensionDataLength, findExtension, isRtcp, parseRtp, RtpView, writeRtpHeader } from '../rtp/packet.ts';
import { RtcpCursor, writeNack } from '../rtp/rtcp-feedback.ts';
import { writeTransportFeedback } from '../rtp/rtcp-feedback-twcc.ts';
import { Downlink } from './downlink.ts';
import { AUDIO_LEVEL_URI, PublishedTrack, VIDEO_ORIENTATION_URI } from './published-track.ts';
import { TRANSPORT_CC_URI } from './subscription.ts';
import type { TrackRegistry, TrackSink } from './track.ts';

const KEY = Buffer.alloc(1000);
const DELTA = Buffer.alloc(1000, 1);
KEY[0] = DELTA[0] = 0x10;

class Registry implements TrackRegistry {
  sources = new Map<TrackSid, PublishedTrack>();
  activeSpeaker: TrackSid | null = null;
  addSource(): void {}
  removeSource(): void {}
  source(trackSid: TrackSid): PublishedTrack | null {
    return this.sources.get(trackSid) ?? null;
  }
  subscribe(trackSid: TrackSid, sink: TrackSink): () => void {
    this.source(trackSid)?.addSink(sink);
    return () => this.source(trackSid)?.removeSink(sink);
  }
}

/** One publisher of three layers (200, 400 and 800 kbit/s) and one browser at the end of a path of a certain width. */
class World {
  readonly clock = new FakeClock();
  readonly registry = new Registry();
  readonly sent: Buffer[] = [];
  readonly switches: [off: TrackSid[], on: TrackSid[]][] = [];
  readonly video = newSid('MT');
  readonly source: PublishedTrack;
  readonly downlink: Downlink;
  /** Bit/s; the browser tells nothing while null. */
  pathBps: number | null = null;
  keyFrameOf: number | null = null;
  #numbers = [0, 0, 0];
  #queueFreeMs = 0;
  #arrivals: { number: number; arrivalMs: number }[] = [];
  #cursor = new RtcpCursor();

  constructor() {
    const feedback = { sendPli: (ssrc: number) => ((this.keyFrameOf = ssrc - 11), true), sendNack: () => {}, layersWanted: () => {}, rttMs: 50 };
    const codecs = [{ name: 'vp8', payloadType: 96, clockRateHz: 90_000 }];
    this.source = new PublishedTrack(
      { trackSid: this.video, kind: 'video', mid: '0', codecs, extensions: { [VIDEO_ORIENTATION_URI]: 5 }, encodings: [{ ssrc: 11 }, { ssrc: 12 }, { ssrc: 13 }] },
      { feedback, clock: this.clock },
    );
    this.registry.sources.set(this.video, this.source);
    this.downlink = new Downlink({
      registry: this.registry,
      clock: this.clock,
      path: { open: true, send: (packet) => this.#send(packet) },
      switched: (off, on) => this.switches.push([off, on]),
    });
  }

  #send(packet: Buffer): void {
    if (isRtcp(packet)) return;
    this.sent.push(Buffer.from(packet));
    if (this.pathBps === null) return;
    const nowMs = this.clock.nowMs();
    this.#queueFreeMs = Math.max(nowMs, this.#queueFreeMs) + (packet.length * 8000) / this.pathBps;
    const number = numberOf(packet);
    if (number !== null) this.#arrivals.push({ number, arrivalMs: this.#queueFreeMs });
  }

  subscribe(): void {
    const codecs = [{ name: 'vp8', payloadType: 100, clockRateHz: 90_000, rtxPayloadType: 101 }];
    const track: SendTrack = { trackSid: this.video, kind: 'video', mid: 's', ssrc: 21, rtxSsrc: 22, cname: 'PA1', codecs, extensions: { [TRANSPORT_CC_URI]: 3, [VIDEO_ORIENTATION_URI]: 4 } };
    this.downlink.setTracks([track]);
    this.downlink.transportConnected();
  }

  publish(layer: number, payload: Buffer, extension?: Buffer): void {
    const head = Buffer.alloc(12);
    const sequenceNumber = (this.#numbers[layer] = (this.#numbers[layer] ?? 0) + 1);
    writeRtpHeader(head, { ssrc: 11 + layer, payloadType: 96, marker: true, sequenceNumber, timestamp: Math.round(this.clock.nowMs() * 90) });
    if (extension) head[0] = 0x90;
    const view = new RtpView();
    expect(parseRtp(view, Buffer.concat([head, ...(extension ? [Buffer.from([0xbe, 0xde, 0, 1]), extension] : []), payload]))).toBe(true);
    this.source.packetReceived(view, this.source.streams[layer]!, this.clock.nowMs());
  }

  /** Packets of all layers, feedback, and the browser's transport at work. */
  run(seconds: number): void {
    for (let i = 0; i < seconds * 100; i++) {
      this.clock.advance(10);
      for (const layer of [0, 1, 2]) if (i % (4 >> layer) === 0) this.publish(layer, this.keyFrameOf === null ? DELTA : KEY);
      if (i % 4 === 0) this.keyFrameOf = null;
      if (i % 5 === 0) {
        this.source.tick(this.clock.nowMs());
        this.downlink.tick(this.clock.nowMs());
        this.#feedBack();
      }
    }
  }

  #feedBack(): void {
    const ready = this.#arrivals.filter(({ arrivalMs }) => arrivalMs <= this.clock.nowMs());
    if (ready.length === 0) return;
    this.#arrivals.splice(0, ready.length);
    this.tell(writeTransportFeedback({ senderSsrc: 1, mediaSsrc: 21, feedbackCount: 0, baseSequence: ready[0]!.number, arrivals: ready.map(({ arrivalMs }) => Math.round(arrivalMs * 4)) }).packet);
  }

  tell(packet: Buffer): void {
    this.#cursor.reset(packet);
    while (this.#cursor.next()) this.downlink.rtcpReceived(this.#cursor, this.clock.nowMs());
  }

  /** Kilobit per second that left for the browser in the next `seconds`. */
  rate(seconds: number): number {
    this.sent.length = 0;
    this.run(seconds);
    return this.sent.reduce((sum, packet) => sum + packet.length * 8, 0) / seconds / 1000;
  }
}

const view = new RtpView();
function numberOf(packet: Buffer): number | null {
  expect(parseRtp(view, packet)).toBe(true);
  const offset = findExtension(view, 3);
  return offset < 0 ? null : packet.readUInt16BE(offset);
}

const policy = (more: Partial<VideoPolicy> = {}): VideoPolicy => ({ maxBitrateBps: null, maxTracks: null, mode: 'grid', switchOff: 'predicted', wishes: [], ...more });
const shown = (world: World, enabled: boolean) => ({ trackSid: world.video, priority: 'standard' as const, enabled, renderDimensions: null });

let world: World;
beforeEach(() => {
  world = new World();
  world.subscribe();
});

describe('what goes to a browser', () => {
  it('is numbered transport-wide, retransmissions too, and keeps the orientation', () => {
    world.publish(0, KEY, Buffer.from([0x50, 0x03, 0, 0]));
    world.publish(0, DELTA);
    expect(parseRtp(view, world.sent[0]!)).toBe(true);
    const orientation = findExtension(view, 4);
    expect([view.buffer[orientation], extensionDataLength.value, view.payloadLength]).toEqual([3, 1, 1000]);
    world.tell(writeNack(1, 21, [view.sequenceNumber]));
    const numbers = world.sent.map((packet) => numberOf(packet) ?? -1);
    expect(numbers).toEqual([numbers[0], numbers[0]! + 1, numbers[0]! + 2]);
    expect(parseRtp(view, world.sent[2]!)).toBe(true);
    expect([view.ssrc, view.payloadType]).toEqual([22, 101]);
  });

  it('has the layer that its path carries: down when it narrows, up again when it opens', () => {
    world.pathBps = 5_000_000;
    world.run(4);
    expect(world.rate(2)).toBeGreaterThan(750);
    world.pathBps = 500_000;
    world.run(6);
    const narrow = world.rate(4);
    expect([narrow > 180, narrow < 480]).toEqual([true, true]);
    world.pathBps = 5_000_000;
    world.run(25);
    expect(world.rate(2)).toBeGreaterThan(750);
  });

  it('is held to the limit of its policy, and not probed for more', () => {
    world.pathBps = 5_000_000;
    world.downlink.setPolicy(policy({ maxBitrateBps: 450_000 }));
    world.run(4);
    expect(world.rate(4)).toBeLessThan(460);
    expect(world.sent.every((packet) => parseRtp(view, packet) && view.ssrc === 21)).toBe(true);
    world.downlink.setPolicy(policy());
    world.run(3);
    expect(world.rate(2)).toBeGreaterThan(750);
  });

  it('is nothing of a video that is not shown, which is told, and begins again with a key frame', () => {
    world.run(1);
    world.downlink.setPolicy(policy({ wishes: [shown(world, false)] }));
    expect(world.switches).toEqual([[[world.video], []]]);
    expect(world.rate(1)).toBe(0);
    world.keyFrameOf = null;
    world.downlink.setPolicy(policy({ wishes: [shown(world, true)] }));
    expect([world.switches.at(-1), world.keyFrameOf !== null]).toEqual([[[], [world.video]], true]);
    expect(world.rate(1)).toBeGreaterThan(100);
    expect(parseRtp(view, world.sent[0]!) && world.sent[0]![view.payloadOffset + 1]).toBe(0);
    expect(world.switches.length).toBe(2);
  });

  it('is switched off where the path is too narrow for it, and comes back by probes when it opens', () => {
    world.downlink.setPolicy(policy());
    world.pathBps = 5_000_000;
    world.run(2);
    world.pathBps = 60_000;
    world.run(10);
    expect(world.switches).toEqual([[[world.video], []]]);
    world.pathBps = 5_000_000;
    world.run(25);
    expect(world.switches.slice(1)).toEqual([[[], [world.video]]]);
    expect(world.rate(2)).toBeGreaterThan(180);
  });

  it('may begin too narrow for a video, and is padded to find more', () => {
    world.downlink.setPolicy(policy({ wishes: [shown(world, false)] }));
    world.pathBps = 5_000_000;
    world.run(1);
    expect([world.sent.length, world.downlink.quality(world.clock.nowMs()).video?.actualBps]).toEqual([0, 0]);
    world.downlink.setPolicy(policy({ wishes: [shown(world, true)] }));
    expect(world.rate(2)).toBeGreaterThan(100);
  });

  it('is told by REMB alone where nothing is numbered', () => {
    const bare = new World();
    const codecs = [{ name: 'vp8', payloadType: 100, clockRateHz: 90_000 }];
    bare.downlink.setTracks([{ trackSid: bare.video, kind: 'video', mid: 's', ssrc: 21, cname: 'PA1', codecs, extensions: {} }]);
    bare.run(4);
    expect(bare.rate(1)).toBeGreaterThan(750);
    // 450 kbit/s: mantissa 225000 and exponent 1.
    const remb = Buffer.from('8fce0005000000010000000052454d4201000000', 'hex');
    remb.writeUInt32BE(((1 << 24) | (1 << 18) | 225_000) >>> 0, 16);
    bare.tell(Buffer.concat([remb, Buffer.from([0, 0, 0, 21])]));
    bare.run(2);
    expect(bare.rate(2)).toBeLessThan(450);
    expect(bare.downlink.quality(bare.clock.nowMs()).video?.availableBps).toBeCloseTo(427_500, -4);
  });
});

it('quality tells rate, estimate and what the browser reports; nothing of a kind that is not sent', () => {
  world.pathBps = 5_000_000;
  world.run(4);
  const report = Buffer.alloc(32);
  report.writeUInt32BE(0x81c90007, 0);
  report.writeUInt32BE(21, 8);
  report.writeUInt32BE(0x40000000, 12);
  report.writeUInt32BE(900, 20);
  world.tell(report);
  const { audio, video } = world.downlink.quality(world.clock.nowMs());
  expect(audio).toBeNull();
  expect(video).toMatchObject({ jitterMs: 10, fractionLost: 0.25, rttMs: null });
  expect(video?.actualBps).toBeGreaterThan(700_000);
  expect(video?.availableBps).toBeGreaterThan(700_000);
});

it('sound keeps its level beside the number', () => {
  const audio = newSid('MT');
  const feedback = { sendPli: () => true, sendNack: () => {}, layersWanted: () => {}, rttMs: 50 };
  const source = new PublishedTrack({ trackSid: audio, kind: 'audio', mid: '0', codecs: [{ name: 'opus', payloadType: 111, clockRateHz: 48_000 }], extensions: { [AUDIO_LEVEL_URI]: 1 }, encodings: [{ ssrc: 31 }] }, { feedback, clock: world.clock });
  world.registry.sources.set(audio, source);
  world.downlink.setTracks([{ trackSid: audio, kind: 'audio', mid: 's', ssrc: 41, cname: 'PA1', codecs: [{ name: 'opus', payloadType: 109, clockRateHz: 48_000 }], extensions: { [TRANSPORT_CC_URI]: 3, [AUDIO_LEVEL_URI]: 14 } }]);
  const packet = Buffer.from('906f000100000000000000' + '1f' + 'bede0001' + '10a60000' + '0102', 'hex');
  const parsed = new RtpView();
  expect(parseRtp(parsed, packet)).toBe(true);
  source.packetReceived(parsed, source.streams[0]!, 0);
  expect(numberOf(world.sent[0]!)).not.toBeNull();
  const level = findExtension(view, 14);
  expect([view.buffer[level], view.payloadLength]).toEqual([0x26, 2]);
});
