import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { MediaCallers, until } from '../../testing/media-callers.ts';
import { tonePower } from '../../testing/tone.ts';
import { decodeWav } from '../play/wav.ts';
import type { MediaRecording, RecordingOptions, RecordingResult } from '../protocol.ts';

const LOUD = 0.01;
const FAINT = 1e-5;
const folder = mkdtempSync(join(tmpdir(), 'partyline-tapes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const cast = new MediaCallers();
afterEach(() => cast.close());

let files = 0;
function options(over: Partial<RecordingOptions> = {}): RecordingOptions {
  return { path: join(folder, `${++files}.wav`), source: 'both', channels: 2, maxDurationMs: 60_000, silenceTimeoutMs: 0, trimSilence: false, ...over };
}

/** Both channels of a stereo file. */
function stereo(path: string): [Int16Array, Int16Array] {
  const file = readFileSync(path);
  const samples = new Int16Array(file.buffer.slice(file.byteOffset + 44, file.byteOffset + file.length));
  return [samples.filter((_, i) => i % 2 === 0), samples.filter((_, i) => i % 2 === 1)];
}

function mono(path: string): Int16Array {
  return Int16Array.from(decodeWav(readFileSync(path)).samples);
}

const endOf = (recording: MediaRecording): Promise<RecordingResult> => new Promise((resolve) => recording.once('ended', resolve));
const grown = (path: string, bytes: number): Promise<void> => until(() => statSync(path).size > bytes);

describe('a recording of a phone', () => {
  it.each([1, 2])('in a room has both sides, whatever worker the room is on (%i)', async (workers) => {
    const plane = await cast.plane({ workers });
    const room = await plane.createRoom({ roomSid: newSid('RM') });
    const [a, b] = [await plane.createPhone({ near: room }), await plane.createPhone({})];
    const [, bob] = [await cast.call(a, 440), await cast.call(b, 700)];
    await a.joinRoom(room, { trackSid: newSid('MT') });
    await b.joinRoom(room, { trackSid: newSid('MT') });
    await until(() => bob.hears(440) > LOUD);
    const given = options();
    const recording = await b.record(given);
    const ends: RecordingResult[] = [];
    recording.on('ended', (result) => ends.push(result));
    await grown(given.path, 44 + 32_000);
    const result = await recording.stop();
    expect(await recording.stop()).toEqual(result);
    await recording.pause('skip');
    expect(result.reason).toBe('stopped');
    expect(statSync(given.path).size).toBe(result.bytes);
    expect(result.durationMs).toBeGreaterThanOrEqual(1000);
    const [said, heard] = stereo(given.path);
    expect(said).toHaveLength(result.durationMs * 8);
    expect([tonePower(said, 700) > LOUD, tonePower(said, 440) < FAINT]).toEqual([true, true]);
    expect([tonePower(heard, 440) > LOUD, tonePower(heard, 700) < FAINT]).toEqual([true, true]);
    expect(ends).toEqual([result]);
  });

  it('alone has prompts and what it says, and is complete when it hangs up', async () => {
    const plane = await cast.plane();
    const phone = await plane.createPhone({});
    await cast.call(phone, 700);
    const given = options();
    const recording = await phone.record(given);
    const ended = endOf(recording);
    await phone.play({ kind: 'tone', frequencyHz: 500, durationMs: 800, levelDbov: -15 });
    await phone.close();
    const result = await ended;
    expect(result).toMatchObject({ reason: 'phone-closed', bytes: statSync(given.path).size });
    expect(await recording.stop()).toEqual(result);
    const [said, heard] = stereo(given.path);
    expect(tonePower(said, 700)).toBeGreaterThan(LOUD);
    expect(tonePower(heard, 500)).toBeGreaterThan(LOUD);
    await expect(phone.record(options())).rejects.toMatchObject({ reason: 'closed' });
  });

  it('ends by silence and by duration, told by an event, several at a time', async () => {
    const plane = await cast.plane();
    const phone = await plane.createPhone({});
    const caller = await cast.call(phone, 700);
    const long = await phone.record(options({ maxDurationMs: 400 }));
    const shy = await phone.record(options({ silenceTimeoutMs: 600, source: 'inbound', channels: 1 }));
    const [longEnd, shyEnd] = [endOf(long), endOf(shy)];
    expect(await longEnd).toMatchObject({ reason: 'max-duration', durationMs: 400, bytes: 44 + 400 * 32 });
    caller.stopHumming();
    expect(await shyEnd).toMatchObject({ reason: 'silence' });
    await expect(phone.record(options({ path: folder }))).rejects.toMatchObject({ reason: 'bad-request' });
  });

  it('leaves a file that plays when its worker is killed', async () => {
    const plane = await cast.plane();
    const phone = await plane.createPhone({});
    await cast.call(phone, 700);
    const given = options();
    const recording = await phone.record(given);
    const ended = endOf(recording);
    await grown(given.path, 44 + 24_000);
    process.kill(plane.workers()[0]!.pid, 'SIGKILL');
    const result = await ended;
    expect(result).toMatchObject({ reason: 'lost', bytes: statSync(given.path).size });
    expect(result.durationMs).toBeGreaterThanOrEqual(500);
    const [said] = stereo(given.path);
    expect(said).toHaveLength(result.durationMs * 8);
    expect(tonePower(said, 700)).toBeGreaterThan(LOUD);
    expect(await recording.stop()).toEqual(result);
  });

  it('is complete when the media plane stops', async () => {
    const plane = await cast.plane();
    const phone = await plane.createPhone({});
    await cast.call(phone, 700);
    const given = options();
    const recording = await phone.record(given);
    const ended = endOf(recording);
    await grown(given.path, 44 + 16_000);
    await plane.stop();
    expect((await ended).bytes).toBe(statSync(given.path).size);
    expect(readFileSync(given.path).readUInt32LE(40)).toBe(statSync(given.path).size - 44);
  });
});

describe('a recording of a room', () => {
  it('has all phones and no prompt, and ends with the room', async () => {
    const plane = await cast.plane({ workers: 2 });
    const room = await plane.createRoom({ roomSid: newSid('RM') });
    const path = join(folder, `${++files}.wav`);
    const recording = await room.record({ path, maxDurationMs: 60_000, trimSilence: true });
    const ended = endOf(recording);
    const [a, b] = [await plane.createPhone({ near: room }), await plane.createPhone({})];
    const [ann] = [await cast.call(a, 440), await cast.call(b, 700)];
    await a.joinRoom(room, { trackSid: newSid('MT') });
    await b.joinRoom(room, { trackSid: newSid('MT') });
    const prompt = room.play({ kind: 'tone', frequencyHz: 2000, durationMs: 20_000, levelDbov: -15 });
    await until(() => ann.hears(2000) > LOUD && ann.hears(700) > LOUD);
    await grown(path, 44 + 24_000);
    await room.close();
    await expect(prompt).resolves.toBe('stopped');
    const result = await ended;
    expect(result).toMatchObject({ reason: 'phone-closed', bytes: statSync(path).size });
    const tail = mono(path).slice(-4000);
    expect([tonePower(tail, 440) > LOUD, tonePower(tail, 700) > LOUD, tonePower(tail, 2000) < FAINT]).toEqual([true, true, true]);
  });
});
