import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { MediaCallers, until } from '../../testing/media-callers.ts';
import { tonePower } from '../../testing/tone.ts';
import { decodeWav } from '../play/wav.ts';
import type { Utterance } from '../protocol.ts';
import { Utterances } from './utterances.ts';

const folder = mkdtempSync(join(tmpdir(), 'partyline-utterances-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const FRAME = 160;

/** 20 ms of a tone, seamless from one to the next. */
function toneFrame(hz: number, n: number): Int16Array {
  return Int16Array.from({ length: FRAME }, (_, i) => 8000 * Math.sin((2 * Math.PI * hz * (n * FRAME + i)) / 8000));
}

function listener(): { tap: Utterances; spoken: Utterance[]; ended: () => number } {
  const spoken: Utterance[] = [];
  let ended = 0;
  const hooks = { spoken: (utterance: Utterance) => void spoken.push(utterance), ended: () => void ended++, failed: (error: unknown) => expect.unreachable(String(error)), wallMs: () => 1_000_000 };
  return { tap: new Utterances({ trackSid: newSid('MT'), folder }, hooks), spoken, ended: () => ended };
}

const speak = (tap: Utterances, hz: number, frames: number): void => {
  for (let n = 0; n < frames; n++) tap.frame(toneFrame(hz, n));
};
const pause = (tap: Utterances, frames: number): void => {
  for (let n = 0; n < frames; n++) tap.frame(null);
};

describe('utterances', () => {
  it('are cut at pauses, each with what came right before it', async () => {
    const { tap, spoken } = listener();
    pause(tap, 100);
    speak(tap, 440, 50);
    pause(tap, 40);
    speak(tap, 700, 25);
    pause(tap, 40);
    await until(() => spoken.length === 2);
    const [first, second] = spoken as [Utterance, Utterance];
    expect(statSync(first.path).mode & 0o777).toBe(0o600);
    const sounds = [first, second].map(({ path }) => Int16Array.from(decodeWav(readFileSync(path)).samples));
    expect(sounds.map((samples) => [tonePower(samples, 440) > 0.001, tonePower(samples, 700) > 0.001])).toEqual([[true, false], [false, true]]);
    // 0.28 s of lead, 1 s of tone, and the pause that ended it.
    expect(first.durationMs).toBeGreaterThanOrEqual(1800);
    expect(first.durationMs).toBeLessThanOrEqual(2000);
    expect(sounds[0]).toHaveLength(first.durationMs * 8);
    expect(first.startedAtMs).toBe(1_000_000 - 300);
  });

  it('leave a cough out, and cut off who never pauses after 15 s', async () => {
    const { tap, spoken } = listener();
    speak(tap, 440, 5);
    pause(tap, 50);
    speak(tap, 440, 800);
    await until(() => spoken.length === 1);
    expect(spoken[0]?.durationMs).toBe(15_000);
  });

  it('end with the room', async () => {
    const { tap, spoken, ended } = listener();
    speak(tap, 440, 30);
    tap.roomClosed();
    await until(() => ended() === 1);
    expect(spoken).toHaveLength(1);
  });
});

it('what is being said when listening stops is told before it has stopped', async () => {
  const cast = new MediaCallers();
  const plane = await cast.plane({ workers: 1 });
  const room = await plane.createRoom({ roomSid: newSid('RM') });
  const phone = await plane.createPhone({ near: room });
  const trackSid = newSid('MT');
  await phone.joinRoom(room, { trackSid });
  const listening = await room.listen(trackSid, { folder });
  const spoken: Utterance[] = [];
  listening.on('spoken', (utterance) => spoken.push(utterance));
  await cast.call(phone, 440);
  await expect.poll(async () => (await phone.stats()).packetsReceived).toBeGreaterThan(40);
  await listening.stop();
  expect(spoken).toHaveLength(1);
  await room.close();
  await cast.close();
});

it('a phone of a room on a media worker is listened to, by itself', async () => {
  const cast = new MediaCallers();
  const plane = await cast.plane({ workers: 1 });
  const room = await plane.createRoom({ roomSid: newSid('RM') });
  const [a, b] = [await plane.createPhone({ near: room }), await plane.createPhone({ near: room })];
  const tracks = [newSid('MT'), newSid('MT')] as const;
  await a.joinRoom(room, { trackSid: tracks[0] });
  await b.joinRoom(room, { trackSid: tracks[1] });
  const own = mkdtempSync(join(tmpdir(), 'partyline-utterances-'));
  const listening = await room.listen(tracks[0], { folder: own });
  const spoken: Utterance[] = [];
  let ended = 0;
  listening.on('spoken', (utterance) => spoken.push(utterance));
  listening.on('ended', () => ended++);
  const other = await cast.call(b, 700);
  await cast.call(a, 440);
  await until(() => other.hears(440) > 0.001);
  await expect.poll(async () => (await a.stats()).packetsReceived).toBeGreaterThan(40);
  // Who is muted says nothing.
  await a.setRoomVoice({ muted: true });
  await until(() => spoken.length === 1);
  await room.close();
  await until(() => ended === 1);
  const samples = Int16Array.from(decodeWav(readFileSync(spoken[0]?.path ?? '')).samples);
  expect([tonePower(samples, 440) > 0.001, tonePower(samples, 700) < 1e-5]).toEqual([true, true]);
  expect(readdirSync(own)).toHaveLength(1);
  await cast.close();
  rmSync(own, { recursive: true });
});
