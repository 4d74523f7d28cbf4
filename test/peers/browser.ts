import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { chromium, type Browser as ChromiumBrowser, type Page } from 'playwright-core';
import { build } from 'vite';
import { BrowserPhone } from './browser-phone.ts';
import type { ToneReport } from './tones.ts';
import { waitUntil, within } from './wait.ts';

/** Chromium with pages that join rooms by the unmodified `twilio-video` package. */

export interface PartyEvent {
  at: number;
  name: string;
  identity?: string;
  kind?: string;
  sid?: string;
  code?: number | null;
  message?: string | null;
  trackName?: string;
  /** Of the network, 0 to 5. */
  level?: number;
}

export interface TrackView {
  sid: string;
  kind: string;
  name: string;
  enabled: boolean;
  subscribed: boolean | null;
}

export interface RoomView {
  sid: string;
  name: string;
  state: string;
  /** `room.isRecording` */
  recording: boolean;
  localIdentity: string;
  localSid: string;
  localTracks: TrackView[];
  participants: { identity: string; sid: string; state: string; tracks: TrackView[] }[];
}

export interface ConnectError {
  code: number | null;
  message: string;
  name: string;
}

export interface InboundRtp {
  kind: string;
  trackIdentifier: string;
  packetsReceived: number;
  bytesReceived: number;
  framesDecoded?: number;
  /** Whole pictures that arrived, decoded or still waiting for their time. */
  framesReceived?: number;
  keyFramesDecoded?: number;
  freezeCount?: number;
  frameWidth?: number;
  /** When what is played now was captured, in the publisher's NTP time, ms. */
  estimatedPlayoutTimestamp?: number;
  totalAudioEnergy?: number;
  totalSamplesDuration?: number;
  concealedSamples?: number;
  codec: string | null;
  mid: string;
}

interface DataMessageView {
  identity: string;
  trackName: string;
  text?: string;
  bytes?: number[];
}

export interface OutboundRtp {
  kind: string;
  ssrc: number;
  frameWidth?: number;
  framesEncoded?: number;
  bytesSent: number;
  active?: boolean;
  pliCount?: number;
}

export interface JoinOptions {
  token: string;
  wsServer: string;
  /** `name` of connect(); absent leaves it to the token. */
  roomName?: string;
  toneHz?: number;
  /** A moving picture, 320×180 unless another size is given. */
  video?: boolean | { width?: number; height?: number; noise?: number; colour?: string };
  /** Data tracks to publish at once: name → how (`ordered`, `maxRetransmits`, …). */
  data?: Record<string, object>;
  /** More ConnectOptions. */
  options?: Record<string, unknown>;
}

const require = createRequire(import.meta.url);
let jsSip: Promise<string> | null = null;

/** The unmodified `jssip` package as one script. */
function bundleJsSip(): Promise<string> {
  return (jsSip ??= build({ configFile: false, logLevel: 'silent', build: { write: false, minify: false, lib: { entry: require.resolve('jssip'), formats: ['iife'], name: 'JsSIP' } } }).then((result) => {
    const [first] = Array.isArray(result) ? result : [result];
    const chunk = first !== undefined && 'output' in first ? first.output[0] : undefined;
    if (!chunk) throw new Error('jssip was not bundled');
    return chunk.code;
  }));
}

const FLAGS = [
  '--no-sandbox',
  '--autoplay-policy=no-user-gesture-required',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--allow-loopback-in-peer-connection',
  // A page in the background must hum and listen like one in front.
  '--disable-background-timer-throttling',
  '--disable-renderer-backgrounding',
  '--disable-backgrounding-occluded-windows',
];

/** One Chromium and the web server of its pages. */
export class Browser {
  readonly #browser: ChromiumBrowser;
  readonly #server: http.Server;
  readonly #origin: string;
  readonly parties: Party[] = [];
  readonly phones: BrowserPhone[] = [];

  private constructor(browser: ChromiumBrowser, server: http.Server) {
    this.#browser = browser;
    this.#server = server;
    this.#origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Where the page of a party is, for browsers of other makes. */
  get pageUrl(): string {
    return `${this.#origin}/`;
  }

  static async start(): Promise<Browser> {
    const server = http.createServer(servePage);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const browser = await chromium.launch({ executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium', args: FLAGS, headless: true, timeout: 30_000 });
    return new Browser(browser, server);
  }

  /** A fresh page in a context of its own. */
  async party(name: string): Promise<Party> {
    const context = await this.#browser.newContext();
    const page = await context.newPage();
    const party = new Party(name, page, () => context.close());
    page.on('console', (message) => party.note(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => party.note(`page error: ${error.message}`));
    this.parties.push(party);
    await page.goto(this.pageUrl);
    return party;
  }

  /** A page with JsSIP: a phone over SIP-over-WebSocket. */
  async phone(name: string): Promise<BrowserPhone> {
    const context = await this.#browser.newContext();
    const page = await context.newPage();
    const phone = new BrowserPhone(name, page, () => context.close());
    page.on('console', (message) => phone.note(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => phone.note(`page error: ${error.message}`));
    this.phones.push(phone);
    await page.goto(`${this.pageUrl}phone.html`);
    return phone;
  }

  /** A page of the server under test. */
  async open(url: string): Promise<Page> {
    const context = await this.#browser.newContext({ permissions: ['camera', 'microphone'] });
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }

  log(): string {
    return [...this.parties, ...this.phones].map((party) => `--- page ${party.name}\n${party.log()}`).join('\n');
  }

  async stop(): Promise<void> {
    await within(8000, 'Closing Chromium', this.#browser.close()).catch(() => undefined);
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const files: Record<string, [path: string, contentType: string]> = {
  '/': [new URL('./page/index.html', import.meta.url).pathname, 'text/html'],
  '/phone.html': [new URL('./page/phone.html', import.meta.url).pathname, 'text/html'],
  '/phone.js': [new URL('./page/phone.js', import.meta.url).pathname, 'text/javascript'],
  '/party.js': [new URL('./page/party.js', import.meta.url).pathname, 'text/javascript'],
  '/twilio-video.min.js': [require.resolve('twilio-video/dist/twilio-video.min.js'), 'text/javascript'],
};

function servePage(request: http.IncomingMessage, response: http.ServerResponse): void {
  if (request.url === '/jssip.js') {
    void bundleJsSip().then((code) => response.writeHead(200, { 'content-type': 'text/javascript; charset=utf-8' }).end(code));
    return;
  }
  const file = files[request.url ?? ''];
  if (file === undefined) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'content-type': `${file[1]}; charset=utf-8` }).end(readFileSync(file[0]));
}

/** What a party needs of its page, whoever made the browser. */
export interface PartyPage {
  /** Runs a function, which must not refer to anything outside of it, in the page. */
  evaluate<A, T>(fn: (argument: A) => T, argument?: A): Promise<Awaited<T>>;
}

/** One page: one participant. */
export class Party<P extends PartyPage = Page> {
  readonly name: string;
  readonly page: P;
  readonly #close: () => Promise<void>;
  #console = '';

  constructor(name: string, page: P, close: () => Promise<void>) {
    this.name = name;
    this.page = page;
    this.#close = close;
  }

  /** Keeps a line for `log`. */
  note(line: string): void {
    this.#console += `${line}\n`;
  }

  log(): string {
    return this.#console.slice(-6000);
  }

  #call<T>(method: string, ...parameters: unknown[]): Promise<T> {
    const call = this.page.evaluate(({ method, parameters }) => (globalThis as unknown as { party: Record<string, (...p: unknown[]) => unknown> }).party[method]!(...parameters), { method, parameters });
    return within(30_000, `party.${method}() of page ${this.name}`, call as Promise<T>);
  }

  /** Joins; an error of the SDK comes back as `error`. */
  tryJoin(options: JoinOptions): Promise<RoomView | { error: ConnectError }> {
    return this.#call('join', { ...options });
  }

  /** Joins, or throws what the SDK said. */
  async join(options: JoinOptions): Promise<RoomView> {
    const result = await this.tryJoin(options);
    if ('error' in result) throw new Error(`Page ${this.name} could not join: ${result.error.code} ${result.error.message}\n${this.log()}`);
    return result;
  }

  describe(): Promise<RoomView> {
    return this.#call('describe');
  }

  /** Tones per identity in the next `ms`. */
  listen(ms: number, frequenciesHz: number[]): Promise<Record<string, Record<number, ToneReport>>> {
    return this.#call('listen', ms, frequenciesHz);
  }

  inbound(): Promise<Record<string, { kind: string; packetsReceived: number | null; audioLevel?: number | null; codec: string | null }>> {
    return this.#call('inbound');
  }

  rtp(): Promise<InboundRtp[]> {
    return this.#call('rtp');
  }

  stallPicture(): Promise<void> {
    return this.#call('stallPicture');
  }

  enableAudio(enabled: boolean): Promise<void> {
    return this.#call('enableAudio', enabled);
  }

  publishTone(hz: number, name: string): Promise<string> {
    return this.#call('publishTone', hz, name);
  }

  scaleLayers(factors: number[]): Promise<void> {
    return this.#call('scaleLayers', factors);
  }

  setBandwidthProfile(profile: Record<string, unknown>): Promise<void> {
    return this.#call('setBandwidthProfile', profile);
  }

  outbound(): Promise<OutboundRtp[]> {
    return this.#call('outbound');
  }

  publishPicture(): Promise<string> {
    return this.#call('publishPicture');
  }

  publishMany(tonesHz: number[], pictures: number): Promise<string[]> {
    return this.#call('publishMany', tonesHz, pictures);
  }

  unpublishMany(): Promise<void> {
    return this.#call('unpublishMany');
  }

  mLines(): Promise<number> {
    return this.#call('mLines');
  }

  unpublishAudio(): Promise<void> {
    return this.#call('unpublishAudio');
  }

  publishData(name: string, how: object = {}): Promise<string> {
    return this.#call('publishData', name, how);
  }

  unpublishData(name: string): Promise<void> {
    return this.#call('unpublishData', name);
  }

  /** Over its data track of this name: texts, and lists of bytes as an ArrayBuffer. */
  send(name: string, messages: (string | number[])[]): Promise<void> {
    return this.#call('send', name, messages);
  }

  /** What came over data tracks so far, of one participant and track. */
  async messages(identity: string, trackName: string): Promise<(string | number[])[]> {
    const all = await this.page.evaluate(() => (globalThis as unknown as { party: { messages: DataMessageView[] } }).party.messages);
    return all.filter((message) => message.identity === identity && message.trackName === trackName).map((message) => message.text ?? message.bytes ?? '');
  }

  /** Waits until the latest messages of a track are these. */
  async waitMessages(from: { identity: string; track: string }, expected: (string | number[])[], timeoutMs = 10_000): Promise<void> {
    let last: (string | number[])[] = [];
    await waitUntil(
      async () => {
        last = (await this.messages(from.identity, from.track)).slice(-expected.length);
        return JSON.stringify(last) === JSON.stringify(expected);
      },
      { timeoutMs, what: () => `messages of ${from.identity} at page ${this.name}; the last were ${JSON.stringify(last).slice(0, 500)}\n${this.log()}` },
    );
  }

  delivery(trackName: string): Promise<Record<string, unknown>> {
    return this.#call('delivery', trackName);
  }

  /** The page's next offer restarts ICE. */
  restartIceNext(): Promise<void> {
    return this.#call('restartIceNext');
  }

  ufrags(): Promise<string[]> {
    return this.#call('ufrags');
  }

  leave(): Promise<void> {
    return this.#call('leave');
  }

  selfTest(hz: number, frequenciesHz: number[]): Promise<{ tones: Record<number, ToneReport>; rtp: InboundRtp[] }> {
    return this.#call('selfTest', hz, frequenciesHz);
  }

  events(): Promise<PartyEvent[]> {
    return this.page.evaluate(() => (globalThis as unknown as { party: { events: PartyEvent[] } }).party.events);
  }

  /** Waits for the first event that fits. */
  waitEvent(fits: (event: PartyEvent) => boolean, what: string, timeoutMs = 10_000): Promise<PartyEvent> {
    let seen: PartyEvent[] = [];
    const told = (): string => `${what} at page ${this.name}; it had\n${seen.map((event) => JSON.stringify(event)).join('\n')}\n${this.log()}`;
    return waitUntil(async () => (seen = await this.events()).find(fits), { timeoutMs, what: told });
  }

  /** Waits until the page hears `identity` hum at `hz` for at least `share` of half a second. */
  async waitHears(identity: string, hz: number, timeoutMs = 10_000): Promise<void> {
    let last: unknown;
    await waitUntil(
      async () => {
        const report = await this.listen(500, [hz]);
        last = report;
        return (report[identity]?.[hz]?.share ?? 0) >= 0.8;
      },
      { timeoutMs, what: () => `page ${this.name} to hear ${hz} Hz of ${identity}; it heard ${JSON.stringify(last)}\n${this.log()}` },
    );
  }

  async close(): Promise<void> {
    await within(5000, 'Closing a page', this.#close()).catch(() => undefined);
  }
}
