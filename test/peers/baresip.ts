import { readdirSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { startChild, makeFolder, temporaryFolder, type Child } from './child.ts';
import { freePort, freePorts } from './ports.ts';
import { readWav, tonesIn, writeToneWav, type Sound, type ToneReport } from './tones.ts';
import { sleep, waitUntil } from './wait.ts';

/** A real phone: one baresip process with one account and one call at a time, humming its tone. */

export interface PhoneOptions {
  /** User part of its address, e.g. `+15550001`. */
  user: string;
  toneHz: number;
  /** Said instead of the tone: WAV, 8 kHz, mono, longer than any call. */
  wav?: string;
  /** Default udp. */
  transport?: 'udp' | 'tcp' | 'tls';
  /** PEM file of the authority whose certificates it believes, for `tls`. */
  caFile?: string;
  /** Default PCMU. */
  codecs?: string;
  /** Of what it says and keeps: 8000 (default), or 16000 to say and hear what is above 4 kHz. */
  rateHz?: number;
  /** `auto` answers at once (default), `manual` rings. */
  answerMode?: 'auto' | 'manual' | 'early';
  /** IP address of its SIP and RTP. Default 127.0.0.1. */
  address?: string;
  /** A network namespace (`ip netns`) to run in; its `address` is how this process reaches it. */
  namespace?: string;
  /** How it encrypts its sound; default not. `srtp` and `srtp-mand`: keys in SDP, beside plain sound or without it. */
  encryption?: 'srtp' | 'srtp-mand' | 'srtp-mandf' | 'dtls_srtp';
  /** It speaks ICE; its `address` is none of the loopback then. */
  ice?: boolean;
  /** PEM file of its certificate and its key, to be called over TLS. */
  certificate?: string;
  /** Registers `user` at a SIP domain of the server at `server` (`host:port`). */
  registration?: { domain: string; password: string; server: string };
}

export interface PhoneEvent {
  type: string;
  param?: string;
}

export interface Phone {
  readonly name: string;
  /** Where it can be called: `sip:user@127.0.0.1:port`. */
  readonly uri: string;
  readonly sipPort: number;
  readonly events: PhoneEvent[];
  log(): string;
  command(command: string, params?: string): Promise<void>;
  /** Dials and resolves at once; see `waitEstablished`. */
  dial(uri: string): Promise<void>;
  accept(): Promise<void>;
  hangUp(): Promise<void>;
  /** Number of events of a type so far. */
  count(type: string): number;
  /** The call is up. `nth` counts from 1 over the life of the phone. */
  waitEstablished(options?: { nth?: number; timeoutMs?: number }): Promise<void>;
  waitClosed(options?: { nth?: number; timeoutMs?: number }): Promise<PhoneEvent>;
  waitEvent(type: string, options?: { nth?: number; timeoutMs?: number }): Promise<PhoneEvent>;
  /** What it has heard in its latest call, so far. */
  heard(): Sound;
  /** Listens for `ms` from now on and tells the share of each tone in what came in that time. */
  listen(ms: number, frequenciesHz: number[]): Promise<Record<number, ToneReport>>;
  stop(): Promise<void>;
}

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);

const modulesOf = ({ encryption, ice }: PhoneOptions): string =>
  [...(ice ? ['stun', 'turn', 'ice'] : []), ...(encryption === undefined ? [] : [encryption === 'dtls_srtp' ? 'dtls_srtp' : 'srtp'])].map((name) => `module ${name}.so\n`).join('');

const configText = (o: { address: string; control: string; sipPort: number; controlPort: number; rtpFirst: number; wav: string; recordings: string; rateHz: number; caFile: string | undefined; certificate: string | undefined; modules: string }): string => `poll_method epoll
sip_listen ${bracketed(o.address)}:${o.sipPort}
${o.certificate === undefined ? '' : `sip_certificate ${o.certificate}
`}${o.caFile === undefined ? '' : `sip_cafile ${o.caFile}
`}call_local_timeout 120
call_max_calls 4
audio_player aubridge,sink
audio_source aufile,${o.wav}
audio_alert aubridge,alert
ausrc_srate ${o.rateHz}
auplay_srate ${o.rateHz}
ausrc_channels 1
auplay_channels 1
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
audio_buffer 20-160
rtp_ports ${o.rtpFirst}-${o.rtpFirst + 19}
rtp_stats yes
jitter_buffer_delay 1-5
net_interface ${o.address}
module_path /usr/lib/baresip/modules
module g711.so
module g722.so
module opus.so
module sndfile.so
module aubridge.so
module aufile.so
${o.modules}module_tmp account.so
module_app contact.so
module_app debug_cmd.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen ${o.control}:${o.controlPort}
snd_path ${o.recordings}
opus_stereo no
menu_bell no
ringback_disabled yes
`;

/** Starts baresip and resolves when it takes commands. */
export async function startPhone(options: PhoneOptions): Promise<Phone> {
  const folder = temporaryFolder('phone');
  const recordings = makeFolder(`${folder}/recordings`);
  const sipPort = await freePorts(2);
  const controlPort = await freePort();
  const rtpFirst = await freePorts(20);
  const { address: bound = '127.0.0.1', transport = 'udp', codecs = 'PCMU/8000/1', answerMode = 'auto', rateHz = 8000 } = options;
  const host = bracketed(bound);
  const control = options.namespace === undefined ? '127.0.0.1' : bound;
  writeFileSync(`${folder}/config`, configText({ address: bound, control, sipPort, controlPort, rtpFirst, wav: options.wav ?? writeToneWav(folder, options.toneHz, { rateHz }), recordings, rateHz, caFile: options.caFile, certificate: options.certificate, modules: modulesOf(options) }));
  const { registration } = options;
  const address = registration === undefined ? `${options.user}@${host}:${sipPort}` : `${options.user}@${registration.domain}`;
  const registering = registration === undefined ? 'regint=0' : `auth_pass=${registration.password};outbound="sip:${registration.server};transport=${transport}";regint=60`;
  const encrypting = `${options.encryption === undefined ? '' : `mediaenc=${options.encryption};`}${options.ice ? 'medianat=ice;' : ''}`;
  writeFileSync(`${folder}/accounts`, `<sip:${address};transport=${transport}>;audio_codecs=${codecs};answermode=${answerMode};ptime=20;${encrypting}${registering}\n`);
  writeFileSync(`${folder}/contacts`, '\n');
  const name = `baresip ${options.user}`;
  const child = startChild({ name, ...commandIn(options.namespace, ['baresip', '-f', folder, '-v', '-s']) });
  try {
    await waitUntil(() => child.exitCode === undefined && /baresip is ready/.test(child.log()), { timeoutMs: 8000, what: () => `${name} to be ready\n${child.log().slice(-1500)}` });
    const socket = await Control.open(control, controlPort);
    return new BaresipPhone({ name, uri: `sip:${options.user}@${host}:${transport === 'tls' ? sipPort + 1 : sipPort}`, transport, sipPort, recordings, child, control: socket });
  } catch (error) {
    await child.stop();
    throw error;
  }
}

function commandIn(namespace: string | undefined, command: string[]): { command: string; args: string[] } {
  const [first = '', ...args] = namespace === undefined ? command : ['ip', 'netns', 'exec', namespace, ...command];
  return { command: first, args };
}

/** baresip's ctrl_tcp: JSON in netstrings, answers and events on one socket. */
class Control {
  readonly events: PhoneEvent[] = [];
  readonly #socket: net.Socket;
  readonly #waiting = new Map<string, (answer: { ok?: boolean; data?: string }) => void>();
  #received = Buffer.alloc(0);
  #counter = 0;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => this.#read(bytes));
  }

  static async open(address: string, port: number): Promise<Control> {
    const socket = net.connect(port, address);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', () => resolve());
      socket.once('error', reject);
    });
    return new Control(socket);
  }

  #read(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      const colon = this.#received.indexOf(':');
      if (colon < 0) return;
      const length = Number(this.#received.toString('latin1', 0, colon));
      if (this.#received.length < colon + length + 2) return;
      const message = JSON.parse(this.#received.toString('utf8', colon + 1, colon + 1 + length));
      this.#received = this.#received.subarray(colon + length + 2);
      if (message.event) this.events.push({ type: message.type, param: message.param });
      else this.#waiting.get(message.token)?.(message);
    }
  }

  async command(command: string, params: string): Promise<void> {
    const token = `t${++this.#counter}`;
    const text = JSON.stringify({ command, params, token });
    const answered = new Promise<void>((resolve) => this.#waiting.set(token, () => resolve()));
    this.#socket.write(`${Buffer.byteLength(text)}:${text},`);
    await Promise.race([answered, sleep(3000)]);
    this.#waiting.delete(token);
  }

  close(): void {
    this.#socket.destroy();
  }
}

interface BaresipParts {
  name: string;
  uri: string;
  transport: 'udp' | 'tcp' | 'tls';
  sipPort: number;
  recordings: string;
  child: Child;
  control: Control;
}

class BaresipPhone implements Phone {
  readonly #parts: BaresipParts;
  readonly name: string;
  readonly uri: string;
  readonly sipPort: number;
  readonly events: PhoneEvent[];

  constructor(parts: BaresipParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.uri = parts.transport === 'udp' ? parts.uri : `${parts.uri};transport=${parts.transport}`;
    this.sipPort = parts.sipPort;
    this.events = parts.control.events;
  }

  log(): string {
    return `${this.events.map((event) => `${event.type} ${event.param ?? ''}`).join('\n')}\n${this.#parts.child.log()}`;
  }

  command(command: string, params = ''): Promise<void> {
    return this.#parts.control.command(command, params);
  }

  dial(uri: string): Promise<void> {
    return this.command('dial', this.#parts.transport === 'udp' ? uri : `${uri};transport=${this.#parts.transport}`);
  }

  accept(): Promise<void> {
    return this.command('accept');
  }

  hangUp(): Promise<void> {
    return this.command('hangup');
  }

  count(type: string): number {
    return this.events.filter((event) => event.type === type).length;
  }

  async waitEstablished(options: { nth?: number; timeoutMs?: number } = {}): Promise<void> {
    await this.waitEvent('CALL_ESTABLISHED', options);
  }

  waitClosed(options: { nth?: number; timeoutMs?: number } = {}): Promise<PhoneEvent> {
    return this.waitEvent('CALL_CLOSED', options);
  }

  waitEvent(type: string, { nth = 1, timeoutMs = 10_000 }: { nth?: number; timeoutMs?: number } = {}): Promise<PhoneEvent> {
    const seen = (): string => this.events.map((event) => `${event.type} ${event.param ?? ''}`.trim()).join(', ');
    return waitUntil(() => this.events.filter((event) => event.type === type)[nth - 1], { timeoutMs, what: () => `${type} no. ${nth} at ${this.name}; it had ${seen()}` });
  }

  heard(): Sound {
    const files = readdirSync(this.#parts.recordings)
      .filter((file) => file.endsWith('dec.wav'))
      .map((file) => `${this.#parts.recordings}/${file}`)
      .sort((a, b) => statSync(a).birthtimeMs - statSync(b).birthtimeMs);
    const latest = files.at(-1);
    return latest === undefined ? { sampleRateHz: 8000, samples: new Int16Array(0) } : readWav(latest);
  }

  async listen(ms: number, frequenciesHz: number[]): Promise<Record<number, ToneReport>> {
    const before = this.heard();
    const fromSeconds = before.samples.length / before.sampleRateHz;
    await sleep(ms);
    return tonesIn(this.heard(), frequenciesHz, { fromSeconds });
  }

  async stop(): Promise<void> {
    if (this.#parts.child.exitCode === undefined) await Promise.race([this.command('quit'), sleep(300)]);
    await this.#parts.child.stop(1500);
    this.#parts.control.close();
  }
}
