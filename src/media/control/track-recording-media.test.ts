import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { MediaCallers, until } from '../../testing/media-callers.ts';
import { tonePower } from '../../testing/tone.ts';
import type { TrackRecording, TrackRecordingOptions, TrackRecordingResult } from '../protocol.ts';

const LOUD = 0.01;
const FAINT = 1e-5;
const folder = mkdtempSync(join(tmpdir(), 'partyline-tracks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const cast = new MediaCallers();
afterEach(() => cast.close());

let files = 0;
function options(over: Partial<TrackRecordingOptions> = {}): TrackRecordingOptions {
  return { path: join(folder, `track-${++files}`), kind: 'audio', maxDurationMs: 60_000, ...over };
}

const endOf = (recording: TrackRecording): Promise<TrackRecordingResult> => new Promise((resolve) => recording.once('ended', resolve));
const grown = (path: string, bytes: number): Promise<void> => until(() => statSync(path).size > bytes);

interface Probe {
  streams: { codec_name: string; channels: number; sample_rate: string }[];
  format: { duration?: string; format_name: string };
}

function probe(path: string): Probe {
  return JSON.parse(execFileSync('ffprobe', ['-v', 'error', '-of', 'json', '-show_streams', '-show_format', path], { encoding: 'utf8' })) as Probe;
}

/** 8 kHz, mono; fails on whatever the decoder complains of. */
function decoded(path: string): Int16Array {
  const raw = execFileSync('ffmpeg', ['-v', 'error', '-xerror', '-i', path, '-f', 's16le', '-ac', '1', '-ar', '8000', '-']);
  return new Int16Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
}

describe('a recording of a phone’s track', () => {
  it('has what the phone said as it came, wherever the room is, and no other', async () => {
    const plane = await cast.plane({ workers: 2 });
    const room = await plane.createRoom({ roomSid: newSid('RM') });
    const [a, b] = [await plane.createPhone({ near: room }), await plane.createPhone({})];
    await cast.call(a, 440);
    await cast.call(b, 700);
    const [ann, bob] = [newSid('MT'), newSid('MT')];
    const recordings = await Promise.all([ann, bob].map((trackSid) => room.recordTrack(trackSid, options())));
    const begun = Promise.all(recordings.map((recording) => new Promise((resolve) => recording.once('started', (codec) => resolve(codec)))));
    await a.joinRoom(room, { trackSid: ann });
    await b.joinRoom(room, { trackSid: bob });
    expect(await begun).toEqual(['PCMU', 'PCMU']);
    const [annFile, bobFile] = [`${folder}/track-${files - 1}.mka`, `${folder}/track-${files}.mka`];
    await grown(annFile, 8000);
    await grown(bobFile, 8000);
    const results = await Promise.all(recordings.map((recording) => recording.stop()));
    expect(results.map(({ reason, path, bytes }) => [reason, path, bytes])).toEqual([annFile, bobFile].map((path) => ['stopped', path, statSync(path).size]));
    const [ofAnn, ofBob] = [decoded(annFile), decoded(bobFile)];
    expect([tonePower(ofAnn, 440) > LOUD, tonePower(ofAnn, 700) < FAINT, tonePower(ofBob, 700) > LOUD, tonePower(ofBob, 440) < FAINT]).toEqual([true, true, true, true]);
    const { streams, format } = probe(annFile);
    expect(streams).toMatchObject([{ codec_name: 'pcm_mulaw', channels: 1, sample_rate: '8000' }]);
    expect(Number(format.duration)).toBeCloseTo((results[0]?.durationMs ?? 0) / 1000, 2);
    expect(Math.abs(ofAnn.length / 8 - (results[0]?.durationMs ?? 0))).toBeLessThan(60);
    expect(statSync(annFile).mode & 0o777).toBe(0o600);
  });

  it('leaves no file when nothing came, ends with its track, and refuses what cannot be', async () => {
    const plane = await cast.plane();
    const room = await plane.createRoom({ roomSid: newSid('RM') });
    const phone = await plane.createPhone({ near: room });
    await cast.call(phone, 700);
    const trackSid = newSid('MT');
    const unheard = await room.recordTrack(newSid('MT'), options());
    expect(await unheard.stop()).toMatchObject({ reason: 'no-media', bytes: 0, codec: null, startedAtMs: null });
    expect(() => statSync(`${folder}/track-${files}.mka`)).toThrow();
    await phone.joinRoom(room, { trackSid });
    await expect(room.recordTrack(trackSid, options({ kind: 'video' }))).rejects.toMatchObject({ reason: 'bad-request' });
    await expect(room.recordTrack(trackSid, options({ path: join(folder, 'nowhere', 'file') }))).rejects.toMatchObject({ reason: 'bad-request' });
    const short = await room.recordTrack(trackSid, options({ maxDurationMs: 300 }));
    expect(await endOf(short)).toMatchObject({ reason: 'max-duration', durationMs: 300 });
    const long = await room.recordTrack(trackSid, options());
    const ended = endOf(long);
    await new Promise<void>((resolve) => long.once('started', () => resolve()));
    await phone.leaveRoom();
    expect(await ended).toMatchObject({ reason: 'track-ended', codec: 'PCMU' });
    expect(await long.stop()).toEqual(long.result);
  });

  it('leaves a file that plays when its worker is killed', async () => {
    const plane = await cast.plane();
    const room = await plane.createRoom({ roomSid: newSid('RM') });
    const phone = await plane.createPhone({ near: room });
    await cast.call(phone, 700);
    const trackSid = newSid('MT');
    await phone.joinRoom(room, { trackSid });
    const [recording, unheard] = [await room.recordTrack(trackSid, options()), await room.recordTrack(newSid('MT'), options())];
    const path = `${folder}/track-${files - 1}.mka`;
    const ends = Promise.all([endOf(recording), endOf(unheard)]);
    await grown(path, 12_000);
    process.kill(plane.workers()[0]!.pid, 'SIGKILL');
    const [result, nothing] = await ends;
    expect(result).toMatchObject({ reason: 'lost', codec: 'PCMU', bytes: statSync(path).size, startedAtMs: recording.begun?.[1] });
    expect(nothing).toMatchObject({ reason: 'lost', bytes: 0, startedAtMs: null });
    expect(existsSync(`${folder}/track-${files}.mka`)).toBe(false);
    const sound = decoded(path);
    expect(result.durationMs).toBeGreaterThanOrEqual(1000);
    expect(Number(probe(path).format.duration)).toBeCloseTo(result.durationMs / 1000, 3);
    expect(Math.abs(sound.length / 8 - result.durationMs)).toBeLessThan(60);
    expect(tonePower(sound, 700)).toBeGreaterThan(LOUD);
    expect(await recording.stop()).toEqual(result);
  });
});
