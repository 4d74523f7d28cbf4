import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { systemClock } from '../../base/clock.ts';
import { RtpCaller, muLawOf, muLawToPcm, tonePower } from '../../testing/rtp-caller.ts';
import type { WorkerEvent } from '../ipc.ts';
import { Ticker } from '../mix/ticker.ts';
import type { StreamOptions } from '../protocol.ts';
import { silentLog } from '../../base/log.ts';
import { PhoneTransport } from '../transport/phone-transport.ts';
import { PortPool } from '../transport/port-pool.ts';
import { StreamFloor } from './stream-floor.ts';

// Streams of a real RTP phone over real WebSockets on loopback.

const SID = `MZ${'a'.repeat(32)}`;

let http: Server;
let sockets: WebSocketServer;
let url: string;
let phone: PhoneTransport;
let caller: RtpCaller;
let ticker: Ticker;
let floor: StreamFloor;
let events: WorkerEvent[];
let received: { event: string; media?: { payload: string }; mark?: { name: string } }[];
let peer: WebSocket | null;
let headers: Record<string, unknown>;

beforeEach(async () => {
  events = [];
  received = [];
  peer = null;
  http = createServer((_request, response) => response.writeHead(404).end('no'));
  sockets = new WebSocketServer({ noServer: true });
  http.on('upgrade', (request, socket, head) => {
    headers = request.headers;
    if (request.url === '/refused') return socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
    if (request.url === '/moved') return socket.end(`HTTP/1.1 302 Found\r\nlocation: ${url}/elsewhere\r\ncontent-length: 0\r\n\r\n`);
    sockets.handleUpgrade(request, socket, head, (client) => {
      peer = client;
      client.on('message', (data) => void received.push(JSON.parse(String(data)) as (typeof received)[number]));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}`;
  ticker = new Ticker(systemClock, silentLog);
  phone = await PhoneTransport.open({ id: 'phone', bindAddress: '127.0.0.1', ports: new PortPool({ min: 41_000, max: 41_999 }), mediaTimeoutMs: 0, clock: systemClock, events: { digitReceived: (digit) => floor.digitReceived('phone', digit), firstPacketReceived: () => {}, mediaTimedOut: () => {}, securityFailed: () => {} } });
  floor = new StreamFloor({ clock: systemClock, emit: (event) => void events.push(event) });
  caller = await RtpCaller.open(440);
  phone.connect({ address: '127.0.0.1', port: caller.port, codec: 'PCMU', payloadType: 0, dtmfPayloadType: null, ptimeMs: 20, send: true, receive: true });
  caller.start(phone.localPort);
  ticker.add(phone.idle);
});

afterEach(async () => {
  caller.close();
  floor.phoneClosed('phone');
  ticker.stop();
  phone.close();
  sockets.close();
  for (const client of sockets.clients) client.terminate();
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

function open(over: Partial<StreamOptions> = {}): void {
  floor.open('phone', phone, { url, track: 'inbound', bidirectional: true, streamSid: SID, accountSid: 'AC1', callSid: 'CA1', parameters: {}, headers: { 'X-Twilio-Signature': 'signed' }, ...over });
}

const until = (condition: () => unknown): Promise<void> => vi.waitFor(() => expect(condition()).toBeTruthy(), { timeout: 5000, interval: 10 });
const ended = (): Extract<WorkerEvent, { type: 'streamEnded' }> | undefined => events.find((event) => event.type === 'streamEnded');
const say = (message: object): void => peer?.send(JSON.stringify({ streamSid: SID, ...message }));

describe('a stream', () => {
  it('carries the phone to the other side and the other side to the phone', async () => {
    open();
    await until(() => received.filter(({ event }) => event === 'media').length >= 40);
    expect(headers).toMatchObject({ 'x-twilio-signature': 'signed' });
    const codes = Buffer.concat(received.filter(({ event }) => event === 'media').slice(-20).map(({ media }) => Buffer.from(media?.payload ?? '', 'base64')));
    expect(tonePower(decode(codes), 440)).toBeGreaterThan(0.01);
    const tone = Buffer.from(Array.from({ length: 8000 }, (_, i) => muLawOf(12_000 * Math.sin((2 * Math.PI * 1000 * i) / 8000))));
    const before = caller.heard.length;
    say({ event: 'media', media: { payload: tone.toString('base64') } });
    say({ event: 'mark', mark: { name: 'heard' } });
    await until(() => received.some(({ mark }) => mark?.name === 'heard'));
    await until(() => caller.heard.length > before + 45);
    expect(tonePower(decode(Buffer.concat(caller.heard.slice(before + 10, before + 40).map(({ payload }) => payload))), 1000)).toBeGreaterThan(0.05);
    expect(ended()).toBeUndefined();
  });

  it('says stop when it is stopped, and closes', async () => {
    open();
    await until(() => received.length > 3);
    const closed = new Promise<number>((resolve) => peer?.on('close', resolve));
    floor.stop('phone', SID);
    expect(await closed).toBe(1000);
    expect(received.at(-1)).toMatchObject({ event: 'stop', stop: { callSid: 'CA1' } });
    expect(ended()).toMatchObject({ reason: 'stopped' });
    expect(events.map(({ type }) => type)).toEqual(['streamStarted', 'streamEnded']);
  });

  it('ends with its phone', async () => {
    open();
    await until(() => received.length > 3);
    floor.phoneClosed('phone');
    await until(() => received.at(-1)?.event === 'stop');
    expect(ended()).toMatchObject({ reason: 'phone-closed' });
  });

  it('ends when the other side closes, with its code', async () => {
    open();
    await until(() => received.length > 3);
    peer?.close(4001, 'enough');
    await until(ended);
    expect(ended()).toMatchObject({ reason: 'remote-closed', detail: '4001 enough' });
  });

  it('is gone when it ended: its SID may come again', async () => {
    open();
    expect(() => open()).toThrow(/open already/);
    await until(() => peer);
    peer?.close();
    await until(ended);
    expect(() => open()).not.toThrow();
  });
});

describe('an other side that misbehaves', () => {
  it.each([
    ['/refused', /HTTP 403/],
    ['/moved', /HTTP 302/],
  ])('%s: the handshake is refused', async (path, detail) => {
    open({ url: url + path });
    await until(ended);
    expect(ended()).toMatchObject({ reason: 'refused', detail: expect.stringMatching(detail) as string });
  });

  it('is not there', async () => {
    open({ url: 'ws://127.0.0.1:1' });
    await until(ended);
    expect(ended()).toMatchObject({ reason: 'unreachable' });
  });

  it('is reached at the judged addresses only', async () => {
    open({ url: url.replace('127.0.0.1', 'app.invalid'), addresses: ['127.0.0.1'] });
    await until(() => received.length > 1);
    expect(headers['host']).toMatch(/^app\.invalid:/);
  });

  it('sends more than 64 KiB at once: a protocol error', async () => {
    open();
    await until(() => peer);
    peer?.send('x'.repeat(65_537));
    await until(ended);
    expect(ended()).toMatchObject({ reason: 'protocol' });
  });

  it('sends without end: the phone’s own voice still goes out every 20 ms', async () => {
    open();
    await until(() => received.length > 3);
    const flood = JSON.stringify({ event: 'media', streamSid: SID, media: { payload: 'AAAA'.repeat(4000) } });
    for (let n = 0; n < 3000; n++) peer?.send(flood);
    const before = received.length;
    const startedMs = performance.now();
    await until(() => received.length > before + 50);
    expect(performance.now() - startedMs).toBeLessThan(3000);
    expect(events.filter(({ type }) => type === 'streamWarned').length).toBeLessThanOrEqual(1);
  });

  it('pings without end: few are answered, and the stream goes on', async () => {
    open();
    await until(() => received.length > 3);
    let pongs = 0;
    peer?.on('pong', () => pongs++);
    for (let n = 0; n < 20_000; n++) peer?.ping();
    say({ event: 'mark', mark: { name: 'after' } });
    await until(() => received.some(({ mark }) => mark?.name === 'after'));
    expect(pongs).toBeGreaterThan(0);
    expect(pongs).toBeLessThan(10_000);
    expect(ended()).toBeUndefined();
  });

  it('closes with control characters in its words: they go no further', async () => {
    open();
    await until(() => received.length > 3);
    peer?.close(4001, 'bad\0\r\nwords');
    await until(ended);
    expect(ended()).toMatchObject({ detail: '4001 bad words' });
  });

  it('asks for marks without end and does not read: it is given up', { timeout: 20_000 }, async () => {
    open();
    await until(() => received.length > 3);
    peer?.pause();
    say({ event: 'media', media: { payload: Buffer.alloc(40_000, 0x80).toString('base64') } });
    const name = 'm'.repeat(250);
    for (let n = 0; n < 60_000; n++) {
      say({ event: 'clear' });
      say({ event: 'mark', mark: { name } });
    }
    // Long before the 10 s after which an other side that misses audio is given up.
    await vi.waitFor(() => expect(ended()).toMatchObject({ reason: 'lost' }), { timeout: 9000, interval: 50 });
  });

  it('sends binary: a warning', async () => {
    open();
    await until(() => peer);
    peer?.send(Buffer.from([1, 2]));
    await until(() => events.some((event) => event.type === 'streamWarned' && event.warning === 'invalid-message'));
    expect(ended()).toBeUndefined();
  });
});

function decode(codes: Uint8Array): number[] {
  return [...codes].map(muLawToPcm);
}
