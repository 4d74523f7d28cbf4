import { createSocket } from 'node:dgram';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { newSid } from '../base/sid.ts';
import { RtpCaller } from '../testing/rtp-caller.ts';
import type { PhoneMedia, PhoneRemote } from './protocol.ts';
import { createMediaPlane, type MediaPlaneHandle } from './worker-pool.ts';

const callers: RtpCaller[] = [];
const planes: MediaPlaneHandle[] = [];

afterEach(async () => {
  for (const caller of callers.splice(0)) caller.close();
  await Promise.all(planes.splice(0).map((plane) => plane.stop()));
});

async function plane(workers = 1, mediaTimeoutMs?: number, ports = 200): Promise<MediaPlaneHandle> {
  const base = 20_000 + 2 * Math.floor(Math.random() * 15_000);
  const made = await createMediaPlane(
    { workers, bindAddress: '127.0.0.1', rtpPorts: { min: base, max: base + ports - 1 }, webrtcPort: 56_000 + Math.floor(Math.random() * 5000), ...(mediaTimeoutMs === undefined ? {} : { mediaTimeoutMs }) },
    { clock: systemClock, log: silentLog },
  );
  planes.push(made);
  return made;
}

function remoteOf(caller: RtpCaller, over: Partial<PhoneRemote> = {}): PhoneRemote {
  return { address: '127.0.0.1', port: caller.port, rtcpPort: caller.port, codec: 'PCMU', payloadType: 0, dtmfPayloadType: 101, ptimeMs: 20, send: true, receive: true, ...over };
}

async function call(media: PhoneMedia, frequencyHz: number): Promise<RtpCaller> {
  const caller = await RtpCaller.open(frequencyHz);
  callers.push(caller);
  await media.connect(remoteOf(caller));
  caller.start(media.localPort);
  return caller;
}

async function until(what: () => boolean, timeoutMs = 5000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!what()) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain for ${String(what)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const LOUD = 0.01; // of the hummed 0.06
const FAINT = 1e-5;

describe('a media plane with forked workers', () => {
  it('lets two phones of a room hear each other and not themselves', async () => {
    const media = await plane();
    const room = await media.createRoom({ roomSid: newSid('RM') });
    const [a, b] = [await media.createPhone({ near: room }), await media.createPhone({ near: room })];
    await a.joinRoom(room, { trackSid: newSid('MT') });
    await b.joinRoom(room, { trackSid: newSid('MT') });
    const [ann, bob] = [await call(a, 440), await call(b, 700)];
    await until(() => ann.hears(700) > LOUD && bob.hears(440) > LOUD && ann.ageMs > 900);
    expect(ann.hears(440)).toBeLessThan(FAINT);
    expect(bob.hears(700)).toBeLessThan(FAINT);
    const stats = await a.stats();
    expect(stats.packetsReceived).toBeGreaterThan(10);
    expect(stats.packetsLost).toBe(0);
    await room.close();
  });

  it('pipes a phone into a room of another worker', async () => {
    const media = await plane(2);
    const room = await media.createRoom({ roomSid: newSid('RM') });
    const near = await media.createPhone({ near: room });
    const far = await media.createPhone({});
    expect(media.workers().map((w) => w.phones)).toEqual([1, 1]);
    const [ann, bob] = [await call(near, 440), await call(far, 700)];
    await until(() => bob.heard.length > 5);
    await near.joinRoom(room, { trackSid: newSid('MT') });
    await far.joinRoom(room, { trackSid: newSid('MT') });
    await until(() => ann.hears(700) > LOUD && bob.hears(440) > LOUD && bob.hears(700) < FAINT);
    await far.leaveRoom();
    await until(() => bob.hears(440, 200) < FAINT && ann.hears(700, 200) < FAINT);
    const numbers = bob.heard.map((p) => p.sequenceNumber);
    expect(numbers.every((n, i) => i === 0 || n === (((numbers[i - 1] as number) + 1) & 0xffff))).toBe(true);
    expect(new Set(bob.heard.map((p) => p.ssrc)).size).toBe(1);
  });

  it('says `lost` when a worker is killed, and serves the next call with a new one', async () => {
    const media = await plane();
    const room = await media.createRoom({ roomSid: newSid('RM') });
    const phone = await media.createPhone({ near: room });
    const lost: string[] = [];
    phone.on('lost', (reason) => lost.push(`phone ${reason}`));
    room.on('lost', (reason) => lost.push(`room ${reason}`));
    const playing = phone.play({ kind: 'silence', durationMs: 60_000 });
    playing.catch(() => {});
    process.kill(media.workers()[0]!.pid, 'SIGKILL');
    await until(() => lost.length === 2);
    expect(lost.sort()).toEqual(['phone worker-died', 'room worker-died']);
    await expect(playing).rejects.toMatchObject({ reason: 'worker-died' });
    await expect(phone.stats()).rejects.toMatchObject({ reason: 'worker-died' });
    const next = await media.createPhone({});
    const caller = await call(next, 0);
    await next.play({ kind: 'tone', frequencyHz: 500, durationMs: 300, levelDbov: -15 });
    expect(caller.hears(500)).toBeGreaterThan(LOUD / 2);
  });

  it('plays a tone to its end, stops on a signal, and keeps silence before and after', async () => {
    const media = await plane();
    const phone = await media.createPhone({});
    const caller = await call(phone, 0);
    await until(() => caller.heard.length > 5);
    expect(caller.heard[0]!.payload.every((byte) => byte === 0xff)).toBe(true);
    const startedMs = performance.now();
    await expect(phone.play({ kind: 'tone', frequencyHz: 500, durationMs: 400, levelDbov: -15 })).resolves.toBe('finished');
    expect(performance.now() - startedMs).toBeGreaterThan(350);
    expect(caller.hears(500, 300)).toBeGreaterThan(LOUD);
    const abort = new AbortController();
    const stopped = phone.play({ kind: 'tone', frequencyHz: 500, durationMs: 60_000, levelDbov: -15 }, { signal: abort.signal });
    const first = phone.play({ kind: 'tone', frequencyHz: 900, durationMs: 60_000, levelDbov: -15 }, { signal: abort.signal });
    await expect(stopped).resolves.toBe('stopped');
    abort.abort();
    await expect(first).resolves.toBe('stopped');
    await expect(phone.play({ kind: 'file', path: '/nonexistent.wav', contentType: 'audio/wav' })).rejects.toMatchObject({ reason: 'prompt-unreadable' });
    await phone.close();
    await expect(phone.stats()).rejects.toMatchObject({ reason: 'closed' });
    await until(() => caller.rtcp.some((packet) => packet.includes(Buffer.from([0x81, 203]))));
  });

  it('tells keys once, the first packet, and a phone that fell silent', async () => {
    const media = await plane(1, 300);
    const phone = await media.createPhone({});
    const told: string[] = [];
    phone.on('digitReceived', (digit) => told.push(digit));
    phone.on('firstPacketReceived', () => told.push('first'));
    phone.on('mediaTimedOut', () => told.push('timed out'));
    const caller = await call(phone, 0);
    await until(() => told.includes('first'));
    for (const [key, at] of [[5, 1_000_000], [11, 1_002_000]] as const) {
      for (let i = 1; i <= 5; i++) caller.send(101, Buffer.from([key, i > 3 ? 0x8a : 10, 0, i * 32]), { timestamp: at });
    }
    await until(() => told.includes('#'));
    caller.stopHumming();
    await until(() => told.includes('timed out'));
    expect(told).toEqual(['first', '5', '#', 'timed out']);
    await phone.sendDigits('1w#');
    await until(() => caller.heard.filter((p) => p.payloadType === 101 && (p.payload[1]! & 0x80) !== 0).length === 6);
    expect(new Set(caller.heard.filter((p) => p.payloadType === 101).map((p) => `${p.payload[0]}@${p.timestamp}`)).size).toBe(2);
  });

  it('keeps a call whose room was on a worker that died', async () => {
    const media = await plane(2);
    const room = await media.createRoom({ roomSid: newSid('RM') });
    const near = await media.createPhone({ near: room });
    const far = await media.createPhone({});
    const roomPid = media.workers().find(({ rooms }) => rooms === 1)!.pid;
    const [ann, bob] = [await call(near, 440), await call(far, 700)];
    await near.joinRoom(room, { trackSid: newSid('MT') });
    await far.joinRoom(room, { trackSid: newSid('MT') });
    await until(() => bob.hears(440) > LOUD);
    const lost: string[] = [];
    near.on('lost', () => lost.push('near'));
    far.on('lost', () => lost.push('far'));
    room.on('lost', () => lost.push('room'));
    process.kill(roomPid, 'SIGKILL');
    await until(() => lost.length === 2);
    expect(lost.sort()).toEqual(['near', 'room']);
    ann.close();
    callers.splice(callers.indexOf(ann), 1);
    // Silence, not an end; then it can go elsewhere.
    await until(() => bob.hears(440, 200) < FAINT && bob.pcm(200).length > 800);
    await far.leaveRoom();
    await far.play({ kind: 'tone', frequencyHz: 500, durationMs: 300, levelDbov: -15 });
    expect(bob.hears(500, 250)).toBeGreaterThan(LOUD);
    const again = await media.createRoom({ roomSid: newSid('RM') });
    const next = await media.createPhone({ near: again });
    const eve = await call(next, 1130);
    await next.joinRoom(again, { trackSid: newSid('MT') });
    await far.joinRoom(again, { trackSid: newSid('MT') });
    await until(() => bob.hears(1130, 200) > LOUD && eve.hears(700, 200) > LOUD);
    expect(lost).toHaveLength(2);
  });

  it('says goodbye to phones when it stops, and leaves their ports free', async () => {
    const media = await plane();
    const phone = await media.createPhone({});
    const caller = await call(phone, 440);
    await until(() => caller.heard.length > 5);
    await media.stop();
    await until(() => caller.rtcp.some((packet) => packet.includes(Buffer.from([0x81, 203]))));
    await expect(media.createPhone({})).rejects.toMatchObject({ name: 'MediaError', reason: 'closed' });
    await expect(phone.stats()).rejects.toMatchObject({ name: 'MediaError' });
    for (const port of [phone.localPort, phone.localPort + 1]) await expect(canBind(port)).resolves.toBe(true);
  });

  it('gives back the ports of calls that are over, and says when there are none', async () => {
    const media = await plane(1, undefined, 8);
    const phones = await Promise.all([1, 2, 3, 4].map(() => media.createPhone({})));
    expect(new Set(phones.map(({ localPort }) => localPort)).size).toBe(4);
    expect(phones.every(({ localPort }) => localPort % 2 === 0)).toBe(true);
    await expect(media.createPhone({})).rejects.toMatchObject({ reason: 'no-port' });
    expect(media.workers()[0]!.phones).toBe(4);
    await Promise.all(phones.map((phone) => phone.close()));
    expect(media.workers()[0]!.phones).toBe(0);
    for (const { localPort } of phones) await expect(canBind(localPort)).resolves.toBe(true);
    // Free for others, but resting: late packets of the old calls reach no new one. For how long, port-pool.test.ts shows.
    await expect(media.createPhone({})).rejects.toMatchObject({ reason: 'no-port' });
  });

  it('takes a call through rooms that close under it', async () => {
    const media = await plane();
    const phone = await media.createPhone({});
    const caller = await call(phone, 440);
    for (let i = 0; i < 5; i++) {
      const room = await media.createRoom({ roomSid: newSid('RM') });
      await phone.joinRoom(room, { trackSid: newSid('MT') });
      await room.close();
      await expect(phone.joinRoom(room, { trackSid: newSid('MT') })).rejects.toMatchObject({ reason: 'closed' });
    }
    await until(() => caller.heard.length > 20);
    const numbers = caller.heard.map(({ sequenceNumber }) => sequenceNumber);
    expect(numbers.every((n, i) => i === 0 || n === ((numbers[i - 1]! + 1) & 0xffff))).toBe(true);
    expect(media.workers()[0]).toMatchObject({ rooms: 0, phones: 1, browsers: 0 });
  });

  it('tells who has the floor in a room, and when nobody has', async () => {
    const media = await plane();
    const room = await media.createRoom({ roomSid: newSid('RM') });
    const phone = await media.createPhone({ near: room });
    const trackSid = newSid('MT');
    const told: (string | null)[] = [];
    room.on('activeSpeakerChanged', (speaker) => told.push(speaker));
    await phone.joinRoom(room, { trackSid });
    const caller = await call(phone, 440);
    await until(() => told.length === 1);
    caller.stopHumming();
    await until(() => told.length === 2);
    expect(told).toEqual([trackSid, null]);
  });

  it('plays a WAV file into a call', async () => {
    const media = await plane();
    const phone = await media.createPhone({});
    const caller = await call(phone, 0);
    const path = join(tmpdir(), `partyline-${process.pid}.wav`);
    writeFileSync(path, toneWav(620, 600));
    try {
      await expect(phone.play({ kind: 'file', path, contentType: 'audio/wav' }, { loops: 2 })).resolves.toBe('finished');
    } finally {
      rmSync(path);
    }
    expect(caller.hears(620, 400)).toBeGreaterThan(LOUD);
    const loud = caller.pcm(3000).reduce((sum, sample) => sum + (Math.abs(sample) > 500 ? 1 : 0), 0);
    expect(loud).toBeGreaterThan(1.2 * 8000 * 0.9);
  });
});

/** 16-bit WAV at 16 kHz. */
function toneWav(frequencyHz: number, durationMs: number): Buffer {
  const samples = Int16Array.from({ length: durationMs * 16 }, (_, i) => 8000 * Math.sin((2 * Math.PI * frequencyHz * i) / 16_000));
  const head = Buffer.alloc(44);
  head.write('RIFF');
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  [1, 1].forEach((word, i) => head.writeUInt16LE(word, 20 + 2 * i));
  [16_000, 32_000].forEach((word, i) => head.writeUInt32LE(word, 24 + 4 * i));
  [2, 16].forEach((word, i) => head.writeUInt16LE(word, 32 + 2 * i));
  head.write('data', 36);
  head.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([head, Buffer.from(samples.buffer)]);
}

function canBind(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => socket.close(() => resolve(true)));
  });
}
