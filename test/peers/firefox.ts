import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import WebSocket from 'ws';
import { Party, type PartyPage } from './browser.ts';
import { startChild, temporaryFolder, type Child } from './child.ts';
import { readWav, tonesIn, type ToneReport } from './tones.ts';
import { waitUntil, within } from './wait.ts';

/** Firefox with a page that joins rooms by the unmodified `twilio-video` package, driven over WebDriver BiDi. */

const FIREFOX = process.env['FIREFOX_PATH'] ?? ['/usr/bin/firefox-esr', '/usr/bin/firefox'].find((path) => existsSync(path));

/** Firefox sends no media from a loopback address: the server must be reached by this one. */
export const machineAddress = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

/** Why tests with Firefox cannot run here; null when they can. */
export const firefoxMissing: string | null =
  FIREFOX === undefined ? 'Firefox is not installed: apt-get install firefox-esr' : machineAddress === undefined ? 'this machine has no address but loopback' : null;

const PREFERENCES: Record<string, boolean | number | string> = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  // No H.264 plug-in is fetched, no update, no first-run page: nothing but the test goes over the network.
  'media.gmp-manager.updateEnabled': false,
  'app.update.disabledForTesting': true,
  'app.normandy.enabled': false,
  'nimbus.rollouts.enabled': false,
  'browser.startup.page': 0,
  'browser.startup.homepage_override.mstone': 'ignore',
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,#remote-settings-dummy/v1',
  'toolkit.telemetry.server': '',
};

/** One Firefox with one page. */
export class Firefox {
  readonly #child: Child;
  readonly #bidi: Bidi;
  readonly party: FirefoxParty;

  private constructor(child: Child, bidi: Bidi, party: FirefoxParty) {
    this.#child = child;
    this.#bidi = bidi;
    this.party = party;
  }

  /** `url`: `pageUrl` of a `Browser`. Whatever its page says, it hums at `toneHz`. */
  static async start({ name, url, toneHz }: { name: string; url: string; toneHz: number }): Promise<Firefox> {
    const profile = temporaryFolder('firefox');
    writeFileSync(`${profile}/user.js`, Object.entries({ ...PREFERENCES, 'media.navigator.audio.fake_frequency': toneHz }).map(([key, value]) => `user_pref(${JSON.stringify(key)}, ${JSON.stringify(value)});\n`).join(''));
    const child = startChild({ name: 'firefox', command: FIREFOX ?? 'firefox', args: ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0', 'about:blank'], env: { ...process.env, HOME: profile } });
    try {
      const endpoint = await waitUntil(() => /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(child.log())?.[1], { timeoutMs: 60_000, what: () => `Firefox to listen\n${child.log().slice(-2000)}` });
      const bidi = await Bidi.open(`${endpoint}/session`);
      const party = await openParty(bidi, name, url);
      return new Firefox(child, bidi, party);
    } catch (error) {
      await child.stop(500);
      throw error;
    }
  }

  log(): string {
    return `${this.party.log()}\n${this.#child.log().slice(-2000)}`;
  }

  async stop(): Promise<void> {
    await within(3000, 'Closing Firefox', this.#bidi.command('browser.close', {})).catch(() => undefined);
    this.#bidi.close();
    await this.#child.stop(2000);
  }
}

async function openParty(bidi: Bidi, name: string, url: string): Promise<FirefoxParty> {
  await bidi.command('session.new', { capabilities: {} });
  const tree = (await bidi.command('browsingContext.getTree', {})) as { contexts: { context: string }[] };
  const context = tree.contexts[0]?.context ?? '';
  const party = new FirefoxParty(name, new BidiPage(bidi, context), () => bidi.command('browsingContext.close', { context }).then(() => undefined));
  bidi.onEvent = (method, parameters) => {
    if (method === 'log.entryAdded') party.note(`${String(parameters['level'])}: ${String(parameters['text'])}`);
  };
  await bidi.command('session.subscribe', { events: ['log.entryAdded'] });
  await bidi.command('browsingContext.navigate', { context, url, wait: 'complete' });
  await party.page.evaluate(useFakeMicrophone);
  return party;
}

// Of the page's script: declared there, replaced here.
/* eslint-disable @typescript-eslint/no-unused-vars */
declare let graph: unknown;
declare let toneTrack: unknown;
declare let Ear: unknown;
/* eslint-enable @typescript-eslint/no-unused-vars */

/**
 * Firefox runs no Web Audio on a machine without a sound card. Its fake microphone and its MediaRecorder need none: the page
 * hums by the one, and its ears are recordings.
 */
async function useFakeMicrophone(): Promise<void> {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const { navigator, MediaStream } = globalThis as any;
  const [microphone] = (await navigator.mediaDevices.getUserMedia({ audio: true })).getAudioTracks();
  graph = { resume: () => Promise.resolve() };
  toneTrack = () => microphone;
  Ear = class {
    stream: unknown;
    constructor(track: unknown) {
      this.stream = new MediaStream([track]);
    }
    close(): void {}
  };
}

/** A party whose ears are Ogg recordings, looked into by this process. */
export class FirefoxParty extends Party<PartyPage> {
  override async listen(ms: number, frequenciesHz: number[]): Promise<Record<string, Record<number, ToneReport>>> {
    const recordings = await within(30_000, 'Recording in Firefox', this.page.evaluate(record, ms + RECORDER_LEAD_MS));
    return Object.fromEntries(Object.entries(recordings).map(([key, base64]) => [key.slice(0, key.lastIndexOf(' ')), tonesOf(base64, frequenciesHz)]));
  }
}

/** What a recorder's first moments hold is left out: it may begin in silence. */
const RECORDER_LEAD_MS = 400;

/** Records each remote track apart; base64 by ear. */
async function record(ms: number): Promise<Record<string, string>> {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const { party, MediaRecorder, FileReader, setTimeout } = globalThis as any;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const one = async ([key, ear]: [string, any]): Promise<[string, string]> => {
    const recorder = new MediaRecorder(ear.stream, { mimeType: 'audio/ogg; codecs=opus', audioBitsPerSecond: 96_000 });
    const blob = new Promise((resolve) => (recorder.ondataavailable = (event: { data: unknown }) => resolve(event.data)));
    recorder.start();
    await new Promise((resolve) => setTimeout(resolve, ms));
    recorder.stop();
    const reader = new FileReader();
    reader.readAsDataURL(await blob);
    await new Promise((resolve) => (reader.onload = resolve));
    return [key, String(reader.result).split(',')[1] ?? ''];
  };
  return Object.fromEntries(await Promise.all(Object.entries(party.ears).map(one)));
}

function tonesOf(base64: string, frequenciesHz: number[]): Record<number, ToneReport> {
  const path = `${temporaryFolder('heard')}/heard.wav`;
  const { status, stderr } = spawnSync('ffmpeg', ['-loglevel', 'error', '-i', 'pipe:0', '-ac', '1', '-c:a', 'pcm_s16le', path], { input: Buffer.from(base64, 'base64') });
  if (status !== 0) throw new Error(`ffmpeg cannot read what Firefox recorded: ${String(stderr)}`);
  return tonesIn(readWav(path), frequenciesHz, { fromSeconds: RECORDER_LEAD_MS / 1000 });
}

class BidiPage implements PartyPage {
  readonly #bidi: Bidi;
  readonly #context: string;

  constructor(bidi: Bidi, context: string) {
    this.#bidi = bidi;
    this.#context = context;
  }

  /** Arguments and results travel as JSON. */
  async evaluate<A, T>(fn: (argument: A) => T, argument?: A): Promise<Awaited<T>> {
    const answer = (await this.#bidi.command('script.callFunction', {
      functionDeclaration: `async (argument) => JSON.stringify({ value: await (${fn.toString()})(JSON.parse(argument).value) })`,
      arguments: [{ type: 'string', value: JSON.stringify({ value: argument }) }],
      target: { context: this.#context },
      awaitPromise: true,
      userActivation: true,
    })) as { type: string; result?: { value: string }; exceptionDetails?: { text: string } };
    if (answer.result === undefined) throw new Error(`Firefox: ${answer.exceptionDetails?.text ?? answer.type}`);
    return (JSON.parse(answer.result.value) as { value: Awaited<T> }).value;
  }
}

/** Commands and events of WebDriver BiDi (W3C), one JSON object a frame. */
class Bidi {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  #lastId = 0;
  onEvent: (method: string, parameters: Record<string, unknown>) => void = () => undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#received(JSON.parse(String(data))));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('Firefox has hung up'));
      this.#waiting.clear();
    });
  }

  static async open(url: string): Promise<Bidi> {
    const socket = new WebSocket(url, { maxPayload: 64 * 1024 * 1024 });
    await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return new Bidi(socket);
  }

  command(method: string, params: object): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  #received(message: { id?: number; type: string; method?: string; params?: Record<string, unknown>; result?: unknown; error?: string; message?: string }): void {
    if (message.type === 'event') return this.onEvent(message.method ?? '', message.params ?? {});
    const waiting = this.#waiting.get(message.id ?? 0);
    this.#waiting.delete(message.id ?? 0);
    if (message.type === 'error') waiting?.reject(new Error(`Firefox: ${message.error}: ${message.message}`));
    else waiting?.resolve(message.result);
  }

  close(): void {
    this.#socket.close();
  }
}
