import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { tonePower } from '../../testing/rtp-caller.ts';
import { ToneSource } from '../play/pcm-source.ts';
import type { RecordingOptions, RecordingResult } from '../protocol.ts';
import { Recording } from './recording.ts';

const LOUD = 0.03;
const FAINT = 1e-6;
const folder = mkdtempSync(join(tmpdir(), 'partyline-recordings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;

interface Tape {
  recording: Recording;
  path: string;
  told: string[];
  results: RecordingResult[];
  /** So many ms of these tones, 0 for silence. */
  run(ms: number, inboundHz: number, outboundHz?: number): Promise<void>;
}

async function tape(over: Partial<RecordingOptions> = {}): Promise<Tape> {
  const path = join(folder, `${++files}.wav`);
  const told: string[] = [];
  const results: RecordingResult[] = [];
  const options: RecordingOptions = { path, source: 'both', channels: 2, maxDurationMs: 60_000, silenceTimeoutMs: 0, trimSilence: false, ...over };
  const recording = await Recording.open(options, {
    ending: () => told.push('ending'),
    ended: (result) => results.push(result),
    failed: (why) => told.push(why),
  });
  const run = async (ms: number, inboundHz: number, outboundHz = 0): Promise<void> => {
    const [inbound, outbound] = [inboundHz, outboundHz].map((frequencyHz) => new ToneSource({ frequencyHz, durationMs: ms, levelDbov: -15 }));
    const [a, b] = [new Int16Array(160), new Int16Array(160)];
    for (let n = 0; n < ms / 20; n++) {
      inbound!.read(a);
      outbound!.read(b);
      recording.frame(a, b);
      // Twenty times as fast as time is: the disk gets its turns.
      if (n % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return { recording, path, told, results, run };
}

/** Read by the book, apart from the code under test. */
function read(path: string): { channels: number; samples: Int16Array[] } {
  const file = readFileSync(path);
  expect([file.toString('latin1', 0, 4), file.toString('latin1', 8, 16), file.toString('latin1', 36, 40)]).toEqual(['RIFF', 'WAVEfmt ', 'data']);
  expect(file.readUInt32LE(4)).toBe(file.length - 8);
  expect(file.readUInt32LE(40)).toBe(file.length - 44);
  expect([file.readUInt16LE(20), file.readUInt32LE(24), file.readUInt16LE(34)]).toEqual([1, 8000, 16]);
  const channels = file.readUInt16LE(22);
  const all = Array.from({ length: (file.length - 44) / 2 }, (_, i) => file.readInt16LE(44 + 2 * i));
  return { channels, samples: Array.from({ length: channels }, (_, c) => Int16Array.from(all.filter((_, i) => i % channels === c))) };
}

describe('a recording', () => {
  it('has the phone on the left and what it hears on the right', async () => {
    const { recording, path, results, run } = await tape();
    await run(1300, 440, 700);
    const result = await recording.end('stopped');
    expect(result).toEqual({ reason: 'stopped', durationMs: 1300, bytes: 44 + 1300 * 32 });
    expect(await recording.end('phone-closed')).toEqual(result);
    expect(results).toEqual([result]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const { samples } = read(path);
    const [left, right] = [samples[0]!, samples[1]!];
    expect(left).toHaveLength(10_400);
    expect([tonePower(left, 440) > LOUD, tonePower(left, 700) < FAINT, tonePower(right, 700) > LOUD, tonePower(right, 440) < FAINT]).toEqual([true, true, true, true]);
  });

  it.each([
    ['both', [true, true]],
    ['inbound', [true, false]],
    ['outbound', [false, true]],
  ] as const)('of one channel has %s', async (source, heard) => {
    const { recording, path, run } = await tape({ source, channels: 1 });
    await run(500, 440, 700);
    await recording.end('stopped');
    const { channels, samples } = read(path);
    expect(channels).toBe(1);
    expect([440, 700].map((tone) => tonePower(samples[0]!, tone) > LOUD)).toEqual(heard);
  });

  it('saturates where both shout', async () => {
    const { recording, path } = await tape({ channels: 1 });
    recording.frame(new Int16Array(160).fill(30_000), new Int16Array(160).fill(30_000));
    recording.frame(new Int16Array(160).fill(-30_000), new Int16Array(160).fill(-30_000));
    await recording.end('stopped');
    expect(new Set(read(path).samples[0])).toEqual(new Set([32_767, -32_768]));
  });

  it('cuts off the silence at both ends, and leaves what lies between', async () => {
    const { recording, path, run } = await tape({ trimSilence: true, channels: 1 });
    await run(3000, 0);
    await run(600, 440);
    await run(1500, 0);
    await run(400, 0, 700);
    await run(4000, 0);
    const result = await recording.end('phone-closed');
    // 100 ms of lead, and the 100 ms that a voice takes to have ceased.
    expect(result.durationMs).toBeGreaterThanOrEqual(2500);
    expect(result.durationMs).toBeLessThanOrEqual(2800);
    const [pcm] = read(path).samples;
    expect(pcm).toHaveLength(result.durationMs * 8);
    expect(tonePower(pcm!.slice(0, 5600), 440)).toBeGreaterThan(LOUD / 2);
    expect(tonePower(pcm!.slice(-4000), 700)).toBeGreaterThan(LOUD / 4);
  });

  it('is empty where nobody spoke', async () => {
    const { recording, path, run } = await tape({ trimSilence: true });
    await run(2000, 0);
    expect(await recording.end('stopped')).toEqual({ reason: 'stopped', durationMs: 0, bytes: 44 });
    expect(read(path).samples[0]).toHaveLength(0);
  });

  it('ends when the phone has been silent, from the beginning or after its last word, whatever is played to it', async () => {
    const silent = await tape({ silenceTimeoutMs: 1000 });
    await silent.run(1500, 0, 700);
    const spoken = await tape({ silenceTimeoutMs: 1000 });
    await spoken.run(800, 0);
    await spoken.run(500, 440);
    await spoken.run(900, 0, 700);
    expect(spoken.told).toEqual([]);
    await spoken.run(600, 0, 700);
    expect([await silent.recording.end('stopped'), await spoken.recording.end('stopped')]).toMatchObject([
      { reason: 'silence', durationMs: 1000 },
      { reason: 'silence', durationMs: 2300 },
    ]);
  });

  it('ends at its maximal duration to the millisecond', async () => {
    const { recording, path, told, run } = await tape({ maxDurationMs: 1010 });
    await run(2000, 440);
    expect(await recording.end('stopped')).toMatchObject({ reason: 'max-duration', durationMs: 1010 });
    expect(told).toEqual(['ending']);
    expect(read(path).samples[0]).toHaveLength(8080);
  });

  it('leaves a pause out, or writes silence for it', async () => {
    const { recording, path, run } = await tape({ channels: 1 });
    await run(500, 440);
    recording.pause('skip');
    await run(500, 900);
    recording.resume();
    await run(500, 700);
    recording.pause('silence');
    await run(500, 900);
    recording.resume();
    await run(500, 440);
    expect(await recording.end('stopped')).toMatchObject({ durationMs: 2000 });
    const [pcm] = read(path).samples;
    expect(tonePower(pcm!, 900)).toBeLessThan(FAINT);
    expect(pcm!.slice(8000, 12_000).every((sample) => sample === 0)).toBe(true);
    expect(tonePower(pcm!.slice(4000, 8000), 700)).toBeGreaterThan(LOUD);
  });

  it('is a whole file every half second, for the day the worker dies', async () => {
    const { path, run } = await tape();
    await run(1700, 440);
    await vi.waitFor(() => expect(read(path).samples[0]).toHaveLength(12_000));
  });

  it('is lost when the disk does not follow, and says so once', async () => {
    const { recording, told, results } = await tape();
    const frame = new Int16Array(160).fill(1000);
    for (let n = 0; n < 2000; n++) recording.frame(frame, frame);
    expect(told).toEqual(['the disk does not follow', 'ending']);
    const result = await recording.end('stopped');
    expect(result.reason).toBe('lost');
    expect(result.durationMs).toBeLessThan(6000);
    expect(results).toHaveLength(1);
  });

  it('writes over nothing, and needs an absolute path', async () => {
    const path = join(folder, 'there.wav');
    writeFileSync(path, 'precious');
    await expect(tape({ path })).rejects.toMatchObject({ name: 'MediaError', reason: 'bad-request' });
    expect(readFileSync(path, 'utf8')).toBe('precious');
    await expect(tape({ path: 'here.wav' })).rejects.toMatchObject({ reason: 'bad-request' });
    await expect(tape({ path: join(folder, 'no', 'folder.wav') })).rejects.toMatchObject({ reason: 'bad-request' });
  });
});
