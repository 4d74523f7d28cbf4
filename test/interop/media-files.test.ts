import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newSid } from '../../src/base/sid.ts';
import { decodeGsm } from '../../src/media/play/gsm.ts';
import type { MediaPlaneHandle } from '../../src/media/worker-pool.ts';
import { MediaCallers, until } from '../../src/testing/media-callers.ts';
import type { RtpCaller } from '../../src/testing/rtp-caller.ts';
import { toneShare } from '../../src/testing/tone.ts';

// Audio files, with ffmpeg and ffprobe as those who write what we play and read what we record. No server: the media plane alone.

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'partyline-media-'));
const cast = new MediaCallers();
let plane: MediaPlaneHandle;

beforeAll(async () => {
  plane = await cast.plane();
});

afterAll(async () => {
  await cast.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A second and a half of a tone, made by ffmpeg. */
async function made(name: string, frequencyHz: number, ...args: string[]): Promise<string> {
  const path = join(folder, name);
  await run('ffmpeg', ['-y', '-loglevel', 'error', '-f', 'lavfi', '-i', `sine=frequency=${frequencyHz}:sample_rate=44100:duration=1.5`, '-af', 'volume=6dB', ...args, path]);
  return path;
}

/** How long this caller has heard the tone, in whole tenths of a second: its ends may be lost. */
function toneMs(caller: RtpCaller, frequencyHz: number): number {
  const heard = caller.pcm(Infinity);
  return (toneShare(heard, frequencyHz) * heard.length) / 8;
}

const formats: [name: string, contentType: string, args: string[]][] = [
  ['cbr.mp3', 'audio/mpeg', ['-ac', '2', '-b:a', '128k']],
  ['vbr.mp3', 'audio/mp3', ['-q:a', '5', '-metadata', 'title=Please hold']],
  ['phone.mp3', 'audio/mpeg', ['-ar', '8000', '-ac', '1', '-b:a', '16k']],
  ['rate24.mp3', 'application/octet-stream', ['-ar', '24000', '-ac', '1']],
  ['layer2.mp2', 'audio/mpeg', ['-ac', '1', '-b:a', '96k']],
  ['sixteen.aiff', 'audio/aiff', ['-c:a', 'pcm_s16be', '-ac', '2']],
  ['twentyfour.aif', 'audio/x-aiff', ['-c:a', 'pcm_s24be']],
  ['float.aifc', 'audio/x-aifc', ['-c:a', 'pcm_f32be', '-f', 'aiff']],
  ['ulaw.aifc', 'audio/x-aifc', ['-c:a', 'pcm_mulaw', '-ar', '8000', '-f', 'aiff']],
  ['phone.gsm', 'audio/x-gsm', ['-ar', '8000', '-ac', '1']],
  ['float.wav', 'audio/wav', ['-c:a', 'pcm_f32le']],
  ['basic.au', 'audio/basic', ['-c:a', 'pcm_mulaw', '-ar', '8000', '-ac', '1']],
];

it.concurrent.each(formats)('what ffmpeg wrote as %s is heard in full', async (name, contentType, args) => {
  const phone = await plane.createPhone({});
  const caller = await cast.call(phone, 0);
  const path = await made(name, 900, ...args);
  const startedMs = performance.now();
  await expect(phone.play({ kind: 'file', path, contentType })).resolves.toBe('finished');
  expect(performance.now() - startedMs).toBeGreaterThan(1350);
  expect(toneMs(caller, 900)).toBeGreaterThanOrEqual(1300);
});

it('GSM comes out as ffmpeg decodes it, bit for bit', async () => {
  const path = join(folder, 'noise.gsm');
  await run('ffmpeg', ['-y', '-loglevel', 'error', '-f', 'lavfi', '-i', 'anoisesrc=r=8000:d=2:a=0.3:c=pink', '-ac', '1', path]);
  await run('ffmpeg', ['-y', '-loglevel', 'error', '-c:a', 'libgsm', '-f', 'gsm', '-i', path, '-f', 's16le', `${path}.raw`]);
  const pcm = decodeGsm(readFileSync(path));
  expect(Buffer.from(pcm.buffer).equals(readFileSync(`${path}.raw`))).toBe(true);
});

it('a stereo recording is read by ffprobe as what it is, one voice in each channel', async () => {
  const room = await plane.createRoom({ roomSid: newSid('RM') });
  const [a, b] = [await plane.createPhone({ near: room }), await plane.createPhone({ near: room })];
  const [, bob] = [await cast.call(a, 440), await cast.call(b, 700)];
  await a.joinRoom(room, { trackSid: newSid('MT') });
  await b.joinRoom(room, { trackSid: newSid('MT') });
  await until(() => bob.hears(440) > 0.01);
  const path = join(folder, 'both.wav');
  const recording = await a.record({ path, source: 'both', channels: 2, maxDurationMs: 1500, silenceTimeoutMs: 0, trimSilence: false });
  const result = await new Promise<{ reason: string; durationMs: number }>((resolve) => recording.once('ended', resolve));
  expect(result).toMatchObject({ reason: 'max-duration', durationMs: 1500 });
  const probe = await run('ffprobe', ['-v', 'error', '-show_streams', '-show_format', '-of', 'json', path]);
  expect(probe.stderr).toBe('');
  const { streams, format } = JSON.parse(probe.stdout) as { streams: Record<string, unknown>[]; format: Record<string, unknown> };
  expect(streams).toHaveLength(1);
  expect(streams[0]).toMatchObject({ codec_name: 'pcm_s16le', sample_rate: '8000', channels: 2, duration: '1.500000' });
  expect(format).toMatchObject({ format_name: 'wav', size: String(44 + 1500 * 32) });
  for (const [channel, there, notThere] of [[0, 440, 700], [1, 700, 440]] as const) {
    const raw = join(folder, `channel-${channel}.raw`);
    await run('ffmpeg', ['-y', '-loglevel', 'error', '-i', path, '-af', `pan=mono|c0=c${channel}`, '-f', 's16le', raw]);
    const pcm = new Int16Array(readFileSync(raw).buffer.slice(0));
    expect(toneShare(pcm, there)).toBeGreaterThan(0.95);
    expect(toneShare(pcm, notThere)).toBe(0);
  }
  await room.close();
});

it('a recording whose worker was killed plays, and ffmpeg makes MP3 of it', async () => {
  const own = await cast.plane();
  const alone = await own.createPhone({});
  await cast.call(alone, 700);
  const path = join(folder, 'killed.wav');
  const recording = await alone.record({ path, source: 'inbound', channels: 1, maxDurationMs: 60_000, silenceTimeoutMs: 0, trimSilence: true });
  const ended = new Promise<{ reason: string; durationMs: number }>((resolve) => recording.once('ended', resolve));
  await until(() => readFileSync(path).readUInt32LE(40) >= 16_000);
  process.kill(own.workers()[0]!.pid, 'SIGKILL');
  const { reason, durationMs } = await ended;
  expect(reason).toBe('lost');
  expect(durationMs).toBeGreaterThanOrEqual(1000);
  const mp3 = join(folder, 'killed.mp3');
  await run('ffmpeg', ['-y', '-loglevel', 'error', '-i', path, mp3]);
  const probe = await run('ffprobe', ['-v', 'error', '-show_entries', 'format=duration', '-of', 'csv=p=0', path]);
  expect(Math.round(Number(probe.stdout) * 1000)).toBe(durationMs);
  const phone = await plane.createPhone({});
  const caller = await cast.call(phone, 0);
  await phone.play({ kind: 'file', path: mp3, contentType: 'audio/mpeg' });
  expect(toneMs(caller, 700)).toBeGreaterThanOrEqual(durationMs - 300);
});
