import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import twilio from 'twilio';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { muLawOf, muLawToPcm } from '../../src/testing/rtp-caller.ts';
import { problemsOf } from '../openapi.ts';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { Stage, notificationCodes } from '../peers/stage.ts';
import { toneAmplitude } from '../peers/tones.ts';
import { waitUntil } from '../peers/wait.ts';

// A real phone's audio over a WebSocket server of the customer's and back; TwiML, signatures and REST by the official package.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const NUMBER = '+15550910';

interface Message {
  event: string;
  sequenceNumber?: string;
  streamSid?: string;
  start?: { callSid: string; tracks: string[]; customParameters: Record<string, string> };
  media?: { track: string; payload: string };
  mark?: { name: string };
  dtmf?: { digit: string };
}

/** One stream as the customer's server has it. */
interface Heard {
  socket: WebSocket;
  path: string;
  /** What `validateRequest` of the package says. */
  valid: boolean;
  messages: Message[];
  closed: number | null;
}

class StreamServer {
  readonly streams: Heard[] = [];
  readonly #http: Server = createServer((_request, response) => void response.writeHead(404).end());
  readonly #sockets = new WebSocketServer({ noServer: true });
  url = '';

  static async start(authToken: string): Promise<StreamServer> {
    const server = new StreamServer();
    server.#http.on('upgrade', (request, socket, head) => {
      if (request.url === '/refused') return socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
      const valid = twilio.validateRequest(authToken, String(request.headers['x-twilio-signature']), `${server.url}${request.url ?? ''}`, {});
      server.#sockets.handleUpgrade(request, socket, head, (client) => server.#opened({ socket: client, path: request.url ?? '', valid, messages: [], closed: null }));
    });
    await new Promise<void>((resolve) => server.#http.listen(0, '127.0.0.1', resolve));
    server.url = `ws://127.0.0.1:${(server.#http.address() as AddressInfo).port}`;
    return server;
  }

  #opened(stream: Heard): void {
    this.streams.push(stream);
    stream.socket.on('message', (data) => void stream.messages.push(JSON.parse(String(data)) as Message));
    stream.socket.on('close', (code) => void (stream.closed = code));
  }

  /** The stream of a call on a path. */
  of(callSid: string, path: string): Promise<Heard> {
    const started = (stream: Heard): boolean => stream.path === path && stream.messages.some(({ start }) => start?.callSid === callSid);
    return waitUntil(() => this.streams.find(started), { what: () => `a stream on ${path}; there were ${this.streams.map((stream) => stream.path).join(', ')}` });
  }

  log(): string {
    return this.streams.map(({ path, messages, closed }) => `${path} closed=${String(closed)} ${messages.filter(({ event }) => event !== 'media').map((message) => JSON.stringify(message)).join(' ')} media=${messages.filter(({ event }) => event === 'media').length}`).join('\n');
  }

  async stop(): Promise<void> {
    for (const { socket } of this.streams) socket.terminate();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}

let stage: Stage;
let phone: Phone;
let server: StreamServer;

beforeAll(async () => {
  stage = await Stage.open(cast);
  phone = await cast.add('phone', startPhone({ user: '+15557091', toneHz: 440 }));
  server = await cast.add('stream server', StreamServer.start(stage.server.authToken));
  stage.app.on('/next', () => held());
  await stage.number(NUMBER, '/voice');
}, 60_000);

afterEach(async () => {
  await phone.hangUp();
  await waitUntil(async () => (await stage.server.client.calls.list({ status: 'in-progress' })).length === 0, { what: 'the call to be over' });
});

function held(): InstanceType<typeof VoiceResponse> {
  const response = new VoiceResponse();
  response.pause({ length: 30 });
  return response;
}

async function dial(build: (response: InstanceType<typeof VoiceResponse>) => void): Promise<string> {
  stage.app.on('/voice', () => {
    const response = new VoiceResponse();
    build(response);
    response.redirect('/next');
    return response;
  });
  const nth = stage.app.matching({ path: '/voice' }).length + 1;
  await phone.dial(stage.server.sipUri(NUMBER));
  return (await stage.app.waitFor({ path: '/voice' }, { nth })).params['CallSid'] ?? '';
}

/** Amplitude of a tone in the latest half second of a track. */
function amplitude({ messages }: Heard, track: string, frequencyHz: number): number {
  const payloads = messages.flatMap(({ media }) => (media?.track === track ? [media.payload] : [])).slice(-25);
  const codes = Buffer.concat(payloads.map((payload) => Buffer.from(payload, 'base64')));
  return codes.length < 4000 ? 0 : toneAmplitude({ sampleRateHz: 8000, samples: Int16Array.from(codes, muLawToPcm) }, frequencyHz);
}

function tone(frequencyHz: number, seconds: number): string {
  return Buffer.from(Array.from({ length: 8000 * seconds }, (_, i) => muLawOf(12_000 * Math.sin((2 * Math.PI * frequencyHz * i) / 8000)))).toString('base64');
}

const eventsOf = (callSid: string): (string | undefined)[] => stage.app.matching({ path: '/stream', params: { CallSid: callSid } }).map(({ params }) => params['StreamEvent']);

it('<Start><Stream> brings the phone’s tone to the server, and ends with the call', async () => {
  const sid = await dial((response) => {
    const stream = response.start().stream({ url: `${server.url}/listen`, name: 'ear', track: 'both_tracks', statusCallback: `${stage.app.url}/stream` });
    stream.parameter({ name: 'first', value: 'Ada & "Co"' });
  });
  const stream = await server.of(sid, '/listen');
  await stage.app.waitFor({ path: '/next', params: { CallSid: sid } });
  expect(stream.valid).toBe(true);
  expect(stream.messages[0]).toEqual({ event: 'connected', protocol: 'Call', version: '1.0.0' });
  expect(stream.messages[1]?.start).toMatchObject({ tracks: ['inbound', 'outbound'], customParameters: { first: 'Ada & "Co"' } });
  await waitUntil(() => amplitude(stream, 'inbound', 440) > 0.1, { what: 'the phone’s tone' });
  expect(amplitude(stream, 'outbound', 440)).toBeLessThan(0.01);
  await phone.hangUp();
  await waitUntil(() => stream.closed === 1000);
  expect(stream.messages.at(-1)).toMatchObject({ event: 'stop', stop: { callSid: sid } });
  expect(stream.messages.slice(1).map(({ sequenceNumber }) => Number(sequenceNumber))).toEqual(stream.messages.slice(1).map((_, i) => i + 1));
  await stage.app.waitFor({ path: '/stream', params: { CallSid: sid, StreamEvent: 'stream-stopped' } });
  expect(eventsOf(sid)).toEqual(['stream-started', 'stream-stopped']);
  expect(stage.app.matching({ path: '/stream' }).every(({ valid }) => valid)).toBe(true);
});

it('<Connect><Stream> talks both ways: tone, marks, clear, keys; then the action', async () => {
  const sid = await dial((response) => void response.connect({ action: '/next' }).stream({ url: `${server.url}/talk`, name: 'bot' }));
  const talk = await server.of(sid, '/talk');
  const streamSid = talk.messages[1]?.streamSid ?? '';
  const say = (message: object): void => talk.socket.send(JSON.stringify({ streamSid, ...message }));
  // A second stream sees what the phone is sent.
  await stage.server.client.calls(sid).streams.create({ url: `${server.url}/watch`, name: 'watch', track: 'outbound_track' });
  const watch = await server.of(sid, '/watch');
  await waitUntil(() => amplitude(talk, 'inbound', 440) > 0.1, { what: 'the phone’s tone' });

  say({ event: 'media', media: { payload: tone(1000, 4) } });
  say({ event: 'mark', mark: { name: 'first' } });
  await waitUntil(() => amplitude(watch, 'outbound', 1000) > 0.1, { what: 'the server’s tone on its way to the phone' });
  expect(talk.messages.some(({ mark }) => mark)).toBe(false);
  expect((await phone.listen(800, [1000]))[1000]!.share, 'what the phone heard').toBeGreaterThan(0.5);
  await waitUntil(() => talk.messages.some(({ mark }) => mark?.name === 'first'), { what: 'the mark' });

  for (let n = 0; n < 10; n++) say({ event: 'media', media: { payload: tone(700, 3) } });
  say({ event: 'mark', mark: { name: 'never heard' } });
  await waitUntil(() => amplitude(watch, 'outbound', 700) > 0.1);
  say({ event: 'clear' });
  await waitUntil(() => talk.messages.some(({ mark }) => mark?.name === 'never heard'), { timeoutMs: 3000, what: 'the mark on clear' });
  await waitUntil(() => amplitude(watch, 'outbound', 700) < 0.01, { timeoutMs: 3000, what: 'silence after clear' });

  await phone.command('sndcode', '7');
  await waitUntil(() => talk.messages.some(({ dtmf }) => dtmf?.digit === '7'), { what: 'the key' });
  talk.socket.close(1000);
  const action = await stage.app.waitFor({ path: '/next', params: { CallSid: sid } });
  expect(action.params).toMatchObject({ StreamSid: streamSid, StreamName: 'bot', CallStatus: 'in-progress' });
  expect(await notificationCodes(stage, sid)).toEqual([]);
});

it('REST starts and stops a stream; <Stop> stops one of TwiML', async () => {
  const sid = await dial((response) => {
    response.start().stream({ url: `${server.url}/brief`, name: 'brief' });
    response.pause({ length: 1 });
    response.stop().stream({ name: 'brief' });
  });
  const brief = await server.of(sid, '/brief');
  await waitUntil(() => brief.closed === 1000, { what: '<Stop> to end the stream' });
  const answer = await stage.server.rest(`/2010-04-01/Accounts/${stage.server.accountSid}/Calls/${sid}/Streams.json`, { form: { Url: `${server.url}/rest`, Name: 'rest' } });
  expect(answer.status).toBe(201);
  expect(problemsOf('api', 'api.v2010.account.call.stream', answer.body)).toEqual([]);
  const stream = await server.of(sid, '/rest');
  await waitUntil(() => amplitude(stream, 'inbound', 440) > 0.1, { what: 'the phone’s tone' });
  expect((await stage.server.client.calls(sid).streams('rest').update({ status: 'stopped' })).status).toBe('stopped');
  await waitUntil(() => stream.closed === 1000);
  expect((await stage.server.client.calls(sid).fetch()).status).toBe('in-progress');
});

it('a server that refuses is 31920, one that closes 31921, and the call goes on', async () => {
  const sid = await dial((response) => {
    const start = response.start();
    start.stream({ url: `${server.url}/refused`, statusCallback: `${stage.app.url}/stream` });
    start.stream({ url: `${server.url}/closing`, statusCallback: `${stage.app.url}/stream` });
  });
  (await server.of(sid, '/closing')).socket.close(1011, 'no more');
  await waitUntil(() => stage.app.matching({ path: '/stream', params: { CallSid: sid, StreamEvent: 'stream-error' } }).length === 2);
  expect((await notificationCodes(stage, sid)).sort()).toEqual(['31920', '31921']);
  expect((await stage.server.client.calls(sid).fetch()).status).toBe('in-progress');
});
