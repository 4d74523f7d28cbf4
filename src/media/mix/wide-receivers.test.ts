import { createEncoder } from 'libopus-wasm';
import { beforeAll, expect, it } from 'vitest';
import { G722Encoder } from '../codec/g722.ts';
import { SILENCE_DBOV } from '../codec/level.ts';
import { preloadOpus } from '../codec/opus.ts';
import { parseRtp, RtpView, writeRtpHeader } from '../rtp/packet.ts';
import type { VoiceReceiver } from './voice-receiver.ts';
import { G722Receiver, OpusReceiver } from './wide-receivers.ts';

const TONE_HZ = 5500;
const view = new RtpView();

const frame = (n: number): Int16Array => Int16Array.from({ length: 320 }, (_, i) => Math.round(8000 * Math.sin((2 * Math.PI * TONE_HZ * (n * 320 + i)) / 16_000)));

function receive(receiver: VoiceReceiver, n: number, packet: { payload: Uint8Array; units: number; nowMs: number }): void {
  const buffer = Buffer.concat([Buffer.alloc(12), packet.payload]);
  writeRtpHeader(buffer, { payloadType: 96, marker: false, sequenceNumber: (65_520 + n) & 0xffff, timestamp: (0xffff_f000 + n * packet.units) >>> 0, ssrc: 7 });
  parseRtp(view, buffer);
  receiver.packetReceived(view, packet.nowMs);
}

/** Amplitude of the tone in one frame, 1 as it was said. */
function amplitude(pcm: Int16Array): number {
  let re = 0;
  let im = 0;
  for (let i = 0; i < pcm.length; i++) {
    re += pcm[i]! * Math.cos((2 * Math.PI * TONE_HZ * i) / 16_000);
    im += pcm[i]! * Math.sin((2 * Math.PI * TONE_HZ * i) / 16_000);
  }
  return (2 * Math.hypot(re, im)) / pcm.length / 8000;
}

interface Speech {
  payload(n: number): Uint8Array;
  units: number;
}

/** What is heard, frame by frame, 0 for nothing; `arrivesMs`: of packet n, null: lost. */
function listen(receiver: VoiceReceiver, speech: Speech, options: { frames: number; arrivesMs?: (n: number) => number | null }): number[] {
  const { frames, arrivesMs = (n) => n * 20 } = options;
  const sent = Array.from({ length: frames }, (_, n) => ({ n, payload: speech.payload(n), atMs: arrivesMs(n) }));
  const queue = sent.filter((packet) => packet.atMs !== null).sort((a, b) => a.atMs! - b.atMs!);
  return sent.map((_, n) => {
    const nowMs = n * 20 + 15;
    while (queue[0] && queue[0].atMs! <= nowMs) {
      const { n: number, payload, atMs } = queue.shift()!;
      receive(receiver, number, { payload, units: speech.units, nowMs: atMs! });
    }
    return receiver.pull(nowMs) ? amplitude(receiver.wide()) : 0;
  });
}

function g722(): Speech {
  const encoder = new G722Encoder();
  return {
    units: 160,
    payload: (n) => {
      const codes = new Uint8Array(160);
      encoder.encode(frame(n), codes);
      return codes;
    },
  };
}

beforeAll(() => preloadOpus());

async function opus(): Promise<{ receiver: OpusReceiver; speech: Speech }> {
  const encoder = await createEncoder({ sampleRate: 16_000, channels: 1, bitrate: 40_000, frameSize: 320, fec: true, packetLossPercent: 20 });
  const receiver = new OpusReceiver();
  receive(receiver, -1, { payload: encoder.encode(frame(0), { frameSize: 320 }), units: 960, nowMs: 0 });
  await new Promise((resolve) => setTimeout(resolve, 30)); // the decoder is made asynchronously
  return { receiver, speech: { units: 960, payload: (n) => Uint8Array.from(encoder.encode(frame(n), { frameSize: 320 })) } };
}

it('G.722 that comes out of order is decoded in order, above 4 kHz and over the end of the numbers', () => {
  const heard = listen(new G722Receiver(), g722(), { frames: 80, arrivesMs: (n) => n * 20 + (n % 4 === 1 ? 30 : 0) });
  for (const [n, level] of heard.slice(20).entries()) expect(level, `frame ${n + 20}`).toBeGreaterThan(0.85);
});

it('G.722 that is lost is covered for a moment, and heard again as soon as it comes', () => {
  const heard = listen(new G722Receiver(), g722(), { frames: 80, arrivesMs: (n) => (n === 40 || (n > 50 && n < 56) ? null : n * 20) });
  expect(heard[41]).toBeGreaterThan(0.5);
  expect(heard.slice(58).every((level) => level > 0.8), JSON.stringify(heard.slice(38))).toBe(true);
});

it('Opus that is lost is stood in for by its decoder, from the copy in the next packet where there is one', async () => {
  const { receiver, speech } = await opus();
  const heard = listen(receiver, speech, { frames: 80, arrivesMs: (n) => (n % 10 === 7 ? null : n * 20) });
  for (const [n, level] of heard.slice(20).entries()) expect(level, `frame ${n + 20} in ${JSON.stringify(heard)}`).toBeGreaterThan(0.4);
  expect(receiver.discarded).toBe(0);
  receiver.close();
});

it('what DTX leaves out of Opus is silence at once, and speech after it is heard again', async () => {
  const { receiver, speech } = await opus();
  const pausing = { units: 960, payload: (n: number) => (n >= 40 && n < 80 ? Uint8Array.of(0x48) : speech.payload(n)) };
  const heard = listen(receiver, pausing, { frames: 110, arrivesMs: (n) => (n > 40 && n < 80 && n % 20 !== 0 ? null : n * 20) });
  expect(heard[38]).toBeGreaterThan(0.8);
  expect(heard.slice(46, 80).every((level) => level === 0), JSON.stringify(heard.slice(36))).toBe(true);
  expect(heard.slice(90).every((level) => level > 0.8), JSON.stringify(heard.slice(80))).toBe(true);
  receiver.close();
});

it('nothing that can come breaks them', () => {
  for (const receiver of [new G722Receiver(), new OpusReceiver()]) {
    for (let n = 0; n < 300; n++) {
      receive(receiver, (n * 7919) & 0xffff, { payload: Buffer.alloc((n * 37) % 1200, n), units: 960 * (n % 3), nowMs: n * 5 });
      if (n % 4 === 0) receiver.pull(n * 5);
    }
    receiver.reset();
    // It counts as talking for 0.3 s more.
    for (let n = 0; n < 16; n++) receiver.pull(2000 + n * 20);
    expect(receiver.pull(3000)).toBe(false);
    expect(receiver.levelDbov).toBe(SILENCE_DBOV);
    receiver.close();
  }
});
