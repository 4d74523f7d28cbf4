import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEncoder } from 'libopus-wasm';
import { afterAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../../testing/fake-clock.ts';
import { tonePower, toneSamples } from '../../testing/tone.ts';
import { pcma } from '../codec/g711.ts';
import type { TrackRecordingResult } from '../protocol.ts';
import { parseRtp, RtpView, writeRtpHeader } from '../rtp/packet.ts';
import { TrackRecorder } from './track-recorder.ts';

const folder = mkdtempSync(join(tmpdir(), 'partyline-sound-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const LOUD = 0.01;
const FAINT = 1e-4;
let files = 0;

/** A recorder whose packets are 20 ms of sound each; what is left out takes time all the same. */
class Microphone {
  readonly clock = new FakeClock();
  readonly told: string[] = [];
  result: TrackRecordingResult | null = null;
  recorder!: TrackRecorder;
  readonly #codec: string;
  readonly #step: number;
  readonly #view = new RtpView();
  #sequenceNumber = 65_530;
  #timestamp = 4_294_960_000;

  private constructor(codec: string) {
    this.#codec = codec;
    this.#step = codec === 'opus' ? 960 : 160;
  }

  static async open(codec: string, maxDurationMs = 3_600_000): Promise<Microphone> {
    const microphone = new Microphone(codec);
    const { told } = microphone;
    microphone.recorder = await TrackRecorder.open(
      { path: join(folder, `sound-${++files}`), kind: 'audio', maxDurationMs },
      {
        started: (name) => told.push(`started ${name}`),
        mediaLost: () => told.push('lost'),
        mediaReturned: () => told.push('returned'),
        ending: () => told.push('ending'),
        ended: (result) => (microphone.result = result),
        warned: (why) => told.push(why),
        source: () => null,
      },
      microphone.clock,
    );
    return microphone;
  }

  /** Null: nothing is sent, as with DTX or a lost packet. */
  speak(payload: Uint8Array | null): void {
    this.clock.advance(20);
    const head = Buffer.alloc(12);
    writeRtpHeader(head, { payloadType: 96, marker: false, sequenceNumber: payload ? ++this.#sequenceNumber : this.#sequenceNumber, timestamp: this.#timestamp, ssrc: 5 });
    this.#timestamp += this.#step;
    if (!payload) return this.tick();
    expect(parseRtp(this.#view, Buffer.concat([head, payload]))).toBe(true);
    this.recorder.packetForwarded(this.#view, this.#codec, this.clock.nowMs());
    this.tick();
  }

  tick(): void {
    this.recorder.tick(this.clock.nowMs());
  }

  lose(): void {
    this.#sequenceNumber++;
    this.speak(null);
  }
}

/** 8 kHz, mono, silence where the file has gaps; fails on whatever the decoder complains of. */
function decoded(path: string): Int16Array {
  const raw = execFileSync('ffmpeg', ['-v', 'error', '-xerror', '-i', path, '-af', 'aresample=async=1:first_pts=0', '-f', 's16le', '-ac', '1', '-ar', '8000', '-']);
  return new Int16Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
}

const at = (samples: Int16Array, fromMs: number, toMs: number): Int16Array => samples.subarray(fromMs * 8, toMs * 8);

/** 20 ms each, of 48 kHz stereo. */
async function opusPackets(frequencyHz: number, count: number): Promise<Uint8Array[]> {
  const encoder = await createEncoder({ sampleRate: 48_000, channels: 2, bitrate: 32_000 });
  const frames = Array.from({ length: count }, (_, frame) => {
    const pcm = new Int16Array(1920);
    for (let i = 0; i < 960; i++) pcm[2 * i] = pcm[2 * i + 1] = Math.round(10_000 * Math.sin((2 * Math.PI * frequencyHz * (frame * 960 + i)) / 48_000));
    return Uint8Array.from(encoder.encode(pcm));
  });
  encoder.free();
  return frames;
}

describe('a recording of sound', () => {
  it('has Opus as it came, each tone at its time, silence where nothing was sent', async () => {
    const microphone = await Microphone.open('opus');
    for (const packet of await opusPackets(440, 50)) microphone.speak(packet);
    for (let i = 0; i < 100; i++) microphone.speak(null);
    const second = await opusPackets(700, 50);
    second.forEach((packet, i) => (i === 25 ? microphone.lose() : microphone.speak(packet)));
    const result = await microphone.recorder.end('stopped');
    expect(result).toMatchObject({ reason: 'stopped', durationMs: 4000, codec: 'OPUS', container: 'mka', bytes: statSync(result.path).size });
    // The first packet's sound began when the recorder was opened.
    expect(result.startedAtMs).toBe(microphone.clock.wallMs() - 4000);
    const sound = decoded(result.path);
    expect([tonePower(at(sound, 100, 900), 440) > LOUD, tonePower(at(sound, 1200, 2900), 440) < FAINT]).toEqual([true, true]);
    expect([tonePower(at(sound, 1200, 2900), 700) < FAINT, tonePower(at(sound, 3100, 3450), 700) > LOUD, tonePower(at(sound, 3600, 3950), 700) > LOUD]).toEqual([true, true, true]);
    expect(microphone.told).toEqual(['started OPUS', 'ending']);
    const { streams } = JSON.parse(execFileSync('ffprobe', ['-v', 'error', '-of', 'json', '-show_streams', result.path], { encoding: 'utf8' })) as { streams: { codec_name: string }[] };
    expect(streams).toMatchObject([{ codec_name: 'opus', channels: 2, sample_rate: '48000', start_time: '0.000000' }]);
  });

  it('brings A-law to µ-law, tells of ten silent seconds and of the end of them', async () => {
    const microphone = await Microphone.open('pcma');
    const tone = toneSamples({ frequencyHz: 700 }, 1000);
    for (let i = 0; i < 50; i++) microphone.speak(Uint8Array.from(tone.subarray(i * 160, i * 160 + 160), (sample) => pcma.toCode[sample & 0xffff] ?? 0));
    for (let i = 0; i < 510; i++) microphone.speak(null);
    expect(microphone.told).toEqual(['started PCMU', 'lost']);
    microphone.speak(new Uint8Array(160).fill(pcma.silence));
    expect(microphone.told.at(-1)).toBe('returned');
    const result = await microphone.recorder.end('stopped');
    expect(result).toMatchObject({ codec: 'PCMU', durationMs: 11_220 });
    expect(tonePower(at(decoded(result.path), 0, 1000), 700)).toBeCloseTo(tonePower(tone, 700), 2);
  });

  it('ends when its codec changes, at its longest, and leaves no file when only others came', async () => {
    const microphone = await Microphone.open('pcmu', 500);
    for (let i = 0; i < 40; i++) microphone.speak(new Uint8Array(160).fill(0xff));
    await expect.poll(() => microphone.result).toMatchObject({ reason: 'max-duration', durationMs: 500 });
    const stranger = await Microphone.open('speex');
    stranger.speak(new Uint8Array(20));
    stranger.speak(new Uint8Array(20));
    expect(stranger.told).toEqual(['packets of speex are not recorded']);
    expect(await stranger.recorder.end('stopped')).toMatchObject({ reason: 'no-media', bytes: 0 });
    const changing = await Microphone.open('pcmu');
    changing.speak(new Uint8Array(160));
    const view = new RtpView();
    parseRtp(view, Buffer.concat([Buffer.from([0x80, 111, 0, 9, 0, 0, 0, 0, 0, 0, 0, 9]), (await opusPackets(440, 1))[0] as Uint8Array]));
    changing.recorder.packetForwarded(view, 'opus', 40);
    await expect.poll(() => changing.result).toMatchObject({ reason: 'track-ended', codec: 'PCMU', durationMs: 20 });
  });

  it('is lost when the disk does not follow, and what was written plays', async () => {
    const microphone = await Microphone.open('pcmu');
    for (let i = 0; i < 110; i++) microphone.speak(new Uint8Array(160).fill(0xff));
    await expect.poll(() => statSync(join(folder, `sound-${files}.mka`)).size).toBeGreaterThan(16_000);
    // No turn of the event loop for five minutes of sound: nothing is written meanwhile.
    for (let i = 0; i < 15_000; i++) microphone.speak(new Uint8Array(160).fill(0xff));
    await expect.poll(() => microphone.result).toMatchObject({ reason: 'lost' });
    expect(microphone.told).toEqual(['started PCMU', 'the disk does not follow', 'ending']);
    const { path, durationMs } = microphone.result as TrackRecordingResult;
    expect(durationMs).toBeGreaterThanOrEqual(2000);
    // The second that was on its way to the disk is not waited for; it comes whole or not at all.
    expect([0, 1000]).toContain(decoded(path).length / 8 - durationMs);
  });
});
