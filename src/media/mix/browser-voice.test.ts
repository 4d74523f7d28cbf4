import { createEncoder, type OpusEncoderHandle } from 'libopus-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { tonePower } from '../../testing/rtp-caller.ts';
import { pcmu } from '../codec/g711.ts';
import { preloadOpus } from '../codec/opus.ts';
import { parseRtp, RtpView, writeRtpHeader } from '../rtp/packet.ts';
import { BrowserVoice } from './browser-voice.ts';

const TONE_HZ = 600;
let encoder: OpusEncoderHandle;

beforeAll(async () => {
  await preloadOpus();
  encoder = await createEncoder({ sampleRate: 48_000, channels: 2, fec: true, packetLossPercent: 10, bitrate: 32_000 });
});

interface Sent {
  packet: Buffer;
  atMs: number;
}

/** 20 ms packets of a half-scale tone as a browser sends them. */
function opusStream(count: number, options: { ssrc?: number; fromMs?: number; first?: number } = {}): Sent[] {
  const { ssrc = 5, fromMs = 0, first = 0 } = options;
  return Array.from({ length: count }, (_, n) => {
    const pcm = new Int16Array(960 * 2);
    for (let i = 0; i < 960; i++) pcm[2 * i] = pcm[2 * i + 1] = 16_000 * Math.sin((2 * Math.PI * TONE_HZ * (n * 960 + i)) / 48_000);
    const payload = encoder.encode(pcm, { frameSize: 960 });
    const packet = Buffer.concat([Buffer.alloc(12), payload]);
    writeRtpHeader(packet, { payloadType: 111, marker: n === 0, sequenceNumber: (65_500 + first + n) & 0xffff, timestamp: (3_000_000 + (first + n) * 960) >>> 0, ssrc });
    return { packet, atMs: fromMs + n * 20 };
  });
}

const view = new RtpView();

function voiceOf(over: { needed?: boolean } = {}): BrowserVoice {
  const voice = new BrowserVoice({ ended: () => {} });
  voice.needed = over.needed ?? true;
  return voice;
}

/** Lets packets come in and pulls every 20 ms; the samples that were heard, silence as zeros. */
function listen(voice: BrowserVoice, stream: Sent[], options: { toMs: number; fromMs?: number; level?: number; codec?: string }): Int16Array {
  const { toMs, fromMs = 0, level = -1, codec = 'opus' } = options;
  const queue = [...stream].sort((a, b) => a.atMs - b.atMs);
  const heard: number[] = [];
  for (let nowMs = fromMs + 7; nowMs < toMs; nowMs += 20) {
    while (queue[0] && queue[0].atMs <= nowMs) {
      const { packet, atMs } = queue.shift()!;
      parseRtp(view, packet);
      view.audioLevel = level;
      voice.packetForwarded(view, codec, atMs);
    }
    heard.push(...(voice.pull(nowMs) ? voice.pcm : new Int16Array(160)));
  }
  return Int16Array.from(heard);
}

/** Decoders are made asynchronously: the first packet asks for one. */
async function withDecoder(voice: BrowserVoice, stream: Sent[]): Promise<void> {
  parseRtp(view, stream[0]!.packet);
  voice.packetForwarded(view, 'opus', 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
}

const HALF_SCALE = (16_000 / 32_768) ** 2;

describe('a browser as the phones of its room hear it', () => {
  it('is its Opus at 8 kHz', async () => {
    const [voice, stream] = [voiceOf(), opusStream(100)];
    await withDecoder(voice, stream);
    const heard = listen(voice, stream, { toMs: 2000 });
    const power = tonePower(heard.slice(8000), TONE_HZ);
    expect(power).toBeGreaterThan(HALF_SCALE * 0.8);
    expect(power).toBeLessThan(HALF_SCALE * 1.2);
    expect(voice.levelDbov).toBeCloseTo(-9.2, 0);
    expect(heard.subarray(800).every((_, i, all) => i % 160 !== 0 || all.subarray(i, i + 160).some((sample) => sample !== 0))).toBe(true);
    voice.close();
  });

  it('hides lost packets, reorders none of the rest', async () => {
    const [voice, stream] = [voiceOf(), opusStream(200)];
    await withDecoder(voice, stream);
    const heard = listen(voice, stream.filter((_, n) => n % 10 !== 9), { toMs: 4000 });
    expect(tonePower(heard.slice(16_000), TONE_HZ)).toBeGreaterThan(HALF_SCALE * 0.6);
    voice.close();
  });

  it.each([
    ['was muted for minutes', { level: 127, needed: true }],
    ['was not listened to for minutes', { level: 20, needed: false }],
  ])('is heard at once when it %s', async (_what, { level, needed }) => {
    const [voice, before] = [voiceOf(), opusStream(50)];
    await withDecoder(voice, before);
    listen(voice, before, { toMs: 1000, level: 20 });
    // 13 minutes: the sequence numbers are more than half way round.
    const fromMs = 40_000 * 20;
    voice.needed = needed;
    listen(voice, opusStream(50, { first: 39_950, fromMs: fromMs - 1000 }), { fromMs: fromMs - 1000, toMs: fromMs, level });
    voice.needed = true;
    const heard = listen(voice, opusStream(50, { first: 40_000, fromMs }), { fromMs, toMs: fromMs + 1000, level: 20 });
    expect(tonePower(heard.slice(1600), TONE_HZ)).toBeGreaterThan(HALF_SCALE * 0.6);
    voice.close();
  });

  it('goes on when its numbers begin anew under the same SSRC', async () => {
    const [voice, before] = [voiceOf(), opusStream(50, { first: 2000 })];
    await withDecoder(voice, before);
    listen(voice, before, { toMs: 1000 });
    const heard = listen(voice, opusStream(50, { fromMs: 1000 }), { fromMs: 1000, toMs: 2000 });
    expect(tonePower(heard.slice(4000), TONE_HZ)).toBeGreaterThan(HALF_SCALE * 0.6);
    voice.close();
  });

  it('goes on when the browser comes back under another SSRC', async () => {
    const [voice, before, after] = [voiceOf(), opusStream(50), opusStream(50, { ssrc: 6, fromMs: 1000 })];
    await withDecoder(voice, before);
    listen(voice, before, { toMs: 1000 });
    const heard = listen(voice, after, { fromMs: 1000, toMs: 2000 });
    expect(tonePower(heard.slice(2000), TONE_HZ)).toBeGreaterThan(HALF_SCALE * 0.7);
    voice.close();
  });

  it('costs nothing while no phone listens, but its level is known', () => {
    const voice = voiceOf({ needed: false });
    listen(voice, opusStream(10), { toMs: 200, level: 20 });
    expect(voice.levelAt(200)).toBe(-20);
    expect(voice.levelAt(2000)).toBe(-127);
    voice.close();
  });

  it('is not decoded while it says itself that it is silent', async () => {
    const [voice, stream] = [voiceOf(), opusStream(100)];
    await withDecoder(voice, stream);
    const heard = listen(voice, stream, { toMs: 2000, level: 127 });
    expect(heard.slice(8000).every((sample) => sample === 0)).toBe(true);
    voice.close();
  });

  it('may send G.711', () => {
    const voice = voiceOf();
    const stream = Array.from({ length: 50 }, (_, n): Sent => {
      const packet = Buffer.alloc(172);
      writeRtpHeader(packet, { payloadType: 0, marker: false, sequenceNumber: n, timestamp: n * 160, ssrc: 9 });
      for (let i = 0; i < 160; i++) packet[12 + i] = pcmu.toCode[Math.round(16_000 * Math.sin((2 * Math.PI * TONE_HZ * (n * 160 + i)) / 8000)) & 0xffff]!;
      return { packet, atMs: n * 20 };
    });
    const heard = listen(voice, stream, { toMs: 1000, codec: 'pcmu' });
    expect(tonePower(heard.slice(800, 7200), TONE_HZ)).toBeCloseTo(HALF_SCALE, 1);
  });

  it('shrugs at what is no Opus', async () => {
    const [voice, stream] = [voiceOf(), opusStream(60)];
    await withDecoder(voice, stream);
    for (const [n, { packet }] of stream.entries()) if (n < 30) packet.fill(0xff, 12);
    const heard = listen(voice, stream, { toMs: 1200 });
    expect(tonePower(heard.slice(6400), TONE_HZ)).toBeGreaterThan(HALF_SCALE * 0.5);
    voice.close();
  });

  it('says that its track has ended', () => {
    let ended = 0;
    const voice = new BrowserVoice({ ended: () => ended++ });
    voice.sourceEnded();
    expect(ended).toBe(1);
  });
});
