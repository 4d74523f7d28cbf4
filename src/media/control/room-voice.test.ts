import { afterEach, describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { MediaCallers, until } from '../../testing/media-callers.ts';
import type { RtpCaller } from '../../testing/rtp-caller.ts';

const LOUD = 0.01; // of the hummed 0.06
const FAINT = 1e-5;
const cast = new MediaCallers();
afterEach(() => cast.close());

const hears = (caller: RtpCaller, frequencyHz: number): boolean => caller.hears(frequencyHz, 300) > LOUD;
const isDeafTo = (caller: RtpCaller, frequencyHz: number): boolean => caller.hears(frequencyHz, 300) < FAINT;

describe('voices in a room of a forked worker', () => {
  it.each([1, 2])('obey while they talk, with %i worker(s)', async (workers) => {
    const plane = await cast.plane({ workers });
    const room = await plane.createRoom({ roomSid: newSid('RM') });
    const [a, b, c] = [await plane.createPhone({ near: room }), await plane.createPhone({}), await plane.createPhone({ near: room })];
    expect(plane.workers().filter(({ phones }) => phones > 0)).toHaveLength(workers);
    const [ann, bob, cid] = [await cast.call(a, 440), await cast.call(b, 700), await cast.call(c, 1130)];
    const [annTrack, bobTrack] = [newSid('MT'), newSid('MT')];
    await a.joinRoom(room, { trackSid: annTrack });
    await b.joinRoom(room, { trackSid: bobTrack, voice: { muted: true } });
    await c.joinRoom(room, { trackSid: newSid('MT') });
    await until(() => hears(bob, 440) && hears(bob, 1130) && hears(ann, 1130) && isDeafTo(ann, 700));
    await b.setRoomVoice({ muted: false, heardBy: [annTrack] });
    await until(() => hears(ann, 700) && isDeafTo(cid, 700));
    await b.setRoomVoice({ heardBy: null, held: true });
    await until(() => isDeafTo(ann, 700) && isDeafTo(bob, 440) && isDeafTo(bob, 1130));
    const abort = new AbortController();
    const playing = b.play({ kind: 'ringback' }, { loops: 0, signal: abort.signal });
    await until(() => bob.hears(480, 300) > 1e-3);
    await b.setRoomVoice({ held: false, hears: [annTrack] });
    await until(() => hears(ann, 700));
    expect(isDeafTo(bob, 1130)).toBe(true);
    abort.abort();
    await expect(playing).resolves.toBe('stopped');
    await until(() => hears(bob, 440) && isDeafTo(bob, 1130) && isDeafTo(bob, 480));
    // Forgotten with the room.
    await b.leaveRoom();
    await b.setRoomVoice({ muted: true });
    await b.joinRoom(room, { trackSid: bobTrack });
    await until(() => hears(bob, 1130) && hears(ann, 700));
  });
});

describe('a prompt to a room', () => {
  it('is heard by all phones over what they say, and ends by itself, by a signal, or with the room', async () => {
    const plane = await cast.plane({ workers: 2 });
    const room = await plane.createRoom({ roomSid: newSid('RM') });
    const [a, b] = [await plane.createPhone({ near: room }), await plane.createPhone({})];
    const [ann, bob] = [await cast.call(a, 440), await cast.call(b, 700)];
    await a.joinRoom(room, { trackSid: newSid('MT') });
    await b.joinRoom(room, { trackSid: newSid('MT') });
    const startedMs = performance.now();
    const playing = room.play({ kind: 'tone', frequencyHz: 2000, durationMs: 800, levelDbov: -15 });
    await until(() => hears(ann, 2000) && hears(bob, 2000) && hears(bob, 440) && hears(ann, 700));
    await expect(playing).resolves.toBe('finished');
    expect(performance.now() - startedMs).toBeGreaterThan(700);
    const abort = new AbortController();
    const stopped = room.play({ kind: 'tone', frequencyHz: 1500, durationMs: 100, levelDbov: -15 }, { loops: 0, signal: abort.signal });
    const closed = room.play({ kind: 'beep' }, { loops: 0 });
    await until(() => hears(bob, 1500) && hears(bob, 1000));
    abort.abort();
    await expect(stopped).resolves.toBe('stopped');
    await until(() => isDeafTo(bob, 1500) && hears(bob, 1000));
    await expect(room.play({ kind: 'file', path: '/nonexistent.wav', contentType: 'audio/wav' })).rejects.toMatchObject({ reason: 'prompt-unreadable' });
    await room.close();
    await expect(closed).resolves.toBe('stopped');
    await expect(room.play({ kind: 'beep' })).rejects.toMatchObject({ reason: 'closed' });
  });

  it('takes its time in a room where nobody is', async () => {
    const plane = await cast.plane();
    const room = await plane.createRoom({ roomSid: newSid('RM') });
    const startedMs = performance.now();
    await expect(room.play({ kind: 'silence', durationMs: 200 })).resolves.toBe('finished');
    expect(performance.now() - startedMs).toBeGreaterThan(150);
  });
});
