import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '../base/clock.ts';
import { silentLog, type Log } from '../base/log.ts';
import { newSid } from '../base/sid.ts';
import type { Rooms } from '../rooms/contract.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { makeAccessToken } from './access-token.ts';
import { createSignaling, type Signaling } from './signaling.ts';

// Sockets as SDKs open them, over real ones.

const accountSid = newSid('AC');
const key = { apiKeySid: newSid('SK'), apiKeySecret: 'secret' };
const keys = { secretOf: (sid: string) => (sid === key.apiKeySid ? { accountSid, secret: key.apiKeySecret } : null), accountActive: () => true };

let http: Server;
let signaling: Signaling;
let sockets: WebSocket[];
let lines: { fields: Record<string, unknown>; message: string }[];

beforeEach(async () => {
  lines = [];
  sockets = [];
  const log: Log = { ...silentLog, info: (fields, message) => void lines.push({ fields, message }), child: () => log };
  signaling = createSignaling({ clock: systemClock, log, rooms: {} as Rooms, keys, maxConnections: 2 });
  http = createServer();
  http.on('upgrade', (request, socket, head) => signaling.handleUpgrade(request, socket, head));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const socket of sockets) socket.terminate();
  await signaling.stop();
  await new Promise((resolve) => http.close(resolve));
});

async function open(path: string, options: { autoPong?: boolean } = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}${path}`, { autoPong: options.autoPong ?? true });
  sockets.push(socket);
  await once(socket, 'open');
  return socket;
}

async function ask(socket: WebSocket, frame: object): Promise<Record<string, unknown>> {
  socket.send(JSON.stringify(frame));
  const [answer] = (await once(socket, 'message')) as [Buffer];
  return JSON.parse(answer.toString()) as Record<string, unknown>;
}

const token = (): Promise<string> => makeAccessToken({ accountSid, ...key, identity: 'anna' });
const hello = (body: object, cookie?: string): object => ({ type: 'hello', id: 'x', version: 2, timeout: 5000, cookie, body });

describe('a server that is full', () => {
  it('asks browsers to come again, later each time, and turns them away in the end', async () => {
    for (let i = 0; i < 2; i++) await open('/signaling');
    const second = await open('/signaling');
    const told = await ask(second, hello({ type: 'ice', version: 1, token: await token() }));
    expect(told).toMatchObject({ type: 'busy', keepAlive: false, cookie: '1' });
    expect(told['retryAfter']).toBeGreaterThanOrEqual(500);
    expect(told['retryAfter']).toBeLessThanOrEqual(1000);
    const later = await ask(await open('/signaling'), hello({ type: 'ice', version: 1, token: await token() }, '4'));
    expect(later['retryAfter']).toBeGreaterThanOrEqual(4000);
    expect(await ask(await open('/signaling'), hello({ type: 'ice', version: 1, token: await token() }, '6'))).toMatchObject({ type: 'busy', retryAfter: -1 });
    expect(second.readyState, 'it is the browser that hangs up').toBe(WebSocket.OPEN);
  });

  it('lets in who comes back into a session, and whoever comes when there is room', async () => {
    const [first, other] = [await open('/signaling'), await open('/signaling')];
    const back = await open('/signaling');
    expect(await ask(back, hello({ type: 'sync', version: 2, token: await token(), session: 'gone' }))).toMatchObject({ type: 'welcome' });
    for (const socket of [first, other, back]) socket.close();
    await vi.waitFor(async () => {
      const socket = await open('/signaling');
      const told = await ask(socket, hello({ type: 'ice', version: 1, token: await token() }));
      socket.close();
      expect(told['type']).toBe('welcome');
    });
  });
});

it('what no session stands behind is told so', async () => {
  const told = async (body: object): Promise<unknown> => {
    const socket = await open('/signaling');
    const answers: unknown[] = [];
    socket.on('message', (data: Buffer) => answers.push(JSON.parse(data.toString())));
    socket.send(JSON.stringify(hello(body)));
    await vi.waitFor(() => expect(answers).toHaveLength(2));
    socket.close();
    await once(socket, 'close');
    return answers[1];
  };
  expect(await told({ type: 'update', version: 2 })).toMatchObject({ type: 'msg', body: { type: 'error', code: 53004 } });
  expect(await told({ type: 'nonsense' })).toMatchObject({ body: { type: 'error', code: 53004 } });
  expect(await told({ type: 'sync', version: 2, token: await token(), session: 'gone' })).toMatchObject({ body: { type: 'error', code: 53001 } });
  expect(await told({ type: 'ice', version: 1, token: 'none' })).toMatchObject({ body: { type: 'error', code: 20101 } });
});

it('a server that is about to stop asks browsers to come again', async () => {
  signaling.drain();
  const told = await ask(await open('/signaling'), hello({ type: 'connect', version: 2, token: await token() }));
  expect(told).toMatchObject({ type: 'busy', keepAlive: false });
  expect(told['retryAfter']).toBeGreaterThanOrEqual(2000);
});

describe('telemetry', () => {
  const publisher = { name: 'twilio-video.js', sdkVersion: '2.36.0', roomSid: 'RM1', participantSid: 'PA1' };
  const event = (group: string, name: string, payload: object): string => JSON.stringify({ type: 'event', version: 1, session: 's', group, name, timestamp: 1, payload });

  it('becomes a line of figures when the browser has gone', async () => {
    const socket = await open('/v1/VideoEvents');
    expect(await ask(socket, { type: 'connect', version: 1, token: await token(), publisher })).toMatchObject({ type: 'connected', version: 1 });
    const pair = (currentRoundTripTime: number): string => event('quality', 'active-ice-candidate-pair', { level: 'info', currentRoundTripTime, localCandidate: { candidateType: 'relay', protocol: 'udp' } });
    for (const seconds of [0, 0.02, 0.04]) socket.send(pair(seconds));
    const stats = (received: number, lost: number): object => ({ audioTrackStats: [{ trackSid: 'MT1', packetsReceived: received, packetsLost: lost, jitter: 12 }], videoTrackStats: [] });
    socket.send(event('quality', 'stats-report', stats(100, 50)));
    socket.send(event('quality', 'stats-report', stats(900, 100)));
    socket.send(event('quality', 'quality-limitation-state-changed', { qualityLimitationReason: 'cpu' }));
    socket.send(event('track-warning-raised', 'track-stalled', { level: 'warning', trackSID: 'MT1' }));
    socket.send(event('room', 'reconnecting', { level: 'warning' }));
    socket.send('{"type":"event"');
    socket.close();
    await vi.waitFor(() => expect(lines.at(-1)?.message).toBe('how it was for a browser'));
    expect(lines.at(-1)?.fields).toMatchObject({
      identity: 'anna', roomSid: 'RM1', participantSid: 'PA1', sdk: 'twilio-video.js 2.36.0',
      events: 8, path: 'relay/udp', meanRoundTripMs: 30, maxRoundTripMs: 40, audioLoss: 0.1, videoLoss: null, maxAudioJitterMs: 12,
      stalls: 1, reconnections: 1, limitedByCpu: 1, limitedByBandwidth: 0,
    });
    expect(lines.filter(({ message }) => message === 'a browser reports trouble').map(({ fields }) => fields['name'])).toEqual(['track-stalled', 'reconnecting']);
  });

  it('is over when the browser has gone without a word, and not before', async () => {
    const clock = new FakeClock({ epochMs: Date.now() });
    signaling = createSignaling({ clock, log: { ...silentLog, info: (fields, message) => void lines.push({ fields, message }) }, rooms: {} as Rooms, keys });
    const join = async (options: { autoPong: boolean; identity: string }): Promise<WebSocket> => {
      const socket = await open('/v1/VideoEvents', options);
      await ask(socket, { type: 'connect', version: 1, token: await makeAccessToken({ accountSid, ...key, identity: options.identity }), publisher });
      return socket;
    };
    const gone = await join({ autoPong: false, identity: 'gone' });
    const here = await join({ autoPong: true, identity: 'here' });
    const closed = once(gone, 'close');
    const pinged = once(here, 'ping');
    clock.advance(30_000);
    await pinged;
    // Its pong has arrived when what it sends after it has.
    here.send(event('room', 'reconnecting', { level: 'warning' }));
    await vi.waitFor(() => expect(lines.at(-1)?.message).toBe('a browser reports trouble'));
    clock.advance(30_000);
    await closed;
    await vi.waitFor(() => expect(lines.at(-1)).toMatchObject({ message: 'how it was for a browser', fields: { identity: 'gone' } }));
    expect(here.readyState).toBe(WebSocket.OPEN);
    here.terminate();
    await vi.waitFor(() => expect(lines.at(-1)?.fields).toMatchObject({ identity: 'here' }));
  });

  it('is taken from holders of a token alone, and not without measure', async () => {
    const stranger = await open('/v1/VideoEvents');
    expect(await ask(stranger, { type: 'connect', version: 1, token: 'none', publisher })).toMatchObject({ type: 'error' });
    stranger.close();
    const chatty = await open('/v1/VideoEvents');
    await ask(chatty, { type: 'connect', version: 1, token: await token(), publisher });
    for (let i = 0; i < 600; i++) chatty.send(event('a', 'b', {}));
    const [code] = (await once(chatty, 'close')) as [number];
    expect(code).toBe(1008);
  });
});
