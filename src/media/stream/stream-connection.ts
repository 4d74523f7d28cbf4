import { WebSocket, type ClientOptions, type RawData } from 'ws';
import type { Clock, Timer } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import { MediaError, type StreamEndReason, type StreamOptions, type StreamWarning } from '../protocol.ts';
import type { PhoneTap } from '../transport/phone-taps.ts';
import type { PhoneTransport } from '../transport/phone-transport.ts';
import { StreamSession } from './stream-session.ts';

const MAX_MESSAGE_BYTES = 64 * 1024;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** From our close frame to cutting the connection. */
const CLOSE_GRACE_MS = 2000;
/** What is worked off between two ticks; then the socket is not read until the next. */
const MAX_MESSAGES_PER_TICK = 200;
const MAX_BYTES_PER_TICK = 256 * 1024;
/** What may wait unsent in all, marks and pongs included; audio is left out long before. */
const MAX_UNSENT_BYTES = 1024 * 1024;
const NORMAL = 1000;

export interface StreamConnectionEvents {
  started(): void;
  warned(warning: StreamWarning, detail: string): void;
  ended(reason: StreamEndReason, detail: string): void;
}

export interface StreamConnectionDeps {
  phone: PhoneTransport;
  clock: Clock;
  events: StreamConnectionEvents;
}

/** One media stream of a phone: the WebSocket around a `StreamSession`. It ends once, by `stop`, the other side or the phone. */
export class StreamConnection implements PhoneTap {
  readonly #options: StreamOptions;
  readonly #deps: StreamConnectionDeps;
  readonly #socket: WebSocket;
  readonly #session: StreamSession;
  #playing = false;
  #over = false;
  #messages = 0;
  #bytes = 0;
  #closing: Timer | null = null;

  /** Throws a SyntaxError when the URL is none. */
  constructor(options: StreamOptions, deps: StreamConnectionDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#session = new StreamSession(options, {
      send: (text) => this.#send(text),
      playbackFilled: () => this.#play(),
      warned: (warning, detail) => deps.events.warned(warning, detail),
      congested: () => this.#end('lost', 'the other side does not read'),
    });
    this.#socket = new WebSocket(options.url, socketOptions(options));
    this.#listen();
  }

  frame(inbound: Int16Array, outbound: Int16Array, nowMs: number): void {
    if (this.#socket.isPaused) this.#socket.resume();
    this.#messages = 0;
    this.#bytes = 0;
    this.#session.frame(inbound, outbound, { nowMs, unsentBytes: this.#socket.bufferedAmount });
  }

  phoneClosed(): void {
    this.#goodbye('phone-closed');
  }

  digit(digit: string): void {
    if (!this.#over && this.#isOpen) this.#session.digit(digit);
  }

  /** Idempotent. */
  stop(): void {
    this.#goodbye('stopped');
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on('open', () => this.#opened());
    socket.on('message', (data, isBinary) => this.#messageReceived(data, isBinary));
    socket.on('ping', (data) => this.#pinged(data));
    socket.on('pong', (data) => this.#worked(data.length));
    socket.on('unexpected-response', (_request, response) => {
      response.destroy();
      this.#end('refused', `the server answered HTTP ${response.statusCode ?? 0} instead of 101`);
    });
    socket.on('error', (error) => this.#failed(error));
    socket.on('close', (code, reason) => this.#closed(code, reason.toString('utf8')));
  }

  #opened(): void {
    if (this.#over) return this.#socket.terminate();
    this.#session.opened(this.#deps.clock.nowMs());
    this.#deps.events.started();
    this.#deps.phone.addTap(this);
  }

  #send(text: string): void {
    if (!this.#isOpen) return;
    if (this.#socket.bufferedAmount <= MAX_UNSENT_BYTES) this.#socket.send(text);
    // Later: the phone may be in the midst of reading what is to be heard.
    else queueMicrotask(() => this.#end('lost', 'the other side does not read'));
  }

  /** Of many pings the last ones need no answer (RFC 6455 §5.5.3): beyond what one tick may cost there is none. */
  #pinged(data: Buffer): void {
    if (this.#over) return;
    if (this.#messages < MAX_MESSAGES_PER_TICK && this.#isOpen && this.#socket.bufferedAmount <= MAX_UNSENT_BYTES) this.#socket.pong(data);
    this.#worked(data.length);
  }

  #messageReceived(data: RawData, isBinary: boolean): void {
    if (this.#over) return;
    const bytes = Buffer.isBuffer(data) ? data : Buffer.alloc(0);
    if (isBinary) this.#session.binaryReceived();
    else this.#session.textReceived(bytes.toString('utf8'));
    this.#worked(bytes.length);
  }

  /** The socket rests until the next tick when this one has cost enough. */
  #worked(bytes: number): void {
    this.#bytes += bytes;
    if (this.#over || this.#socket.isPaused) return;
    if (++this.#messages >= MAX_MESSAGES_PER_TICK || this.#bytes >= MAX_BYTES_PER_TICK) this.#socket.pause();
  }

  /** The phone hears what waits, until it runs dry or something else is played. */
  #play(): void {
    if (this.#playing) return;
    this.#playing = true;
    void this.#deps.phone.play(this.#session.playback).then((outcome) => {
      this.#playing = false;
      if (this.#over) return;
      if (outcome === 'stopped') this.#session.playback.clear();
      else if (!this.#session.playback.empty) this.#play();
    });
  }

  #failed(error: Error): void {
    const code = 'code' in error ? String(error.code) : '';
    if (this.#isOpen || code.startsWith('WS_ERR')) return this.#end('protocol', messageOf(error));
    if (/^Invalid |^Server sent/.test(error.message)) return this.#end('refused', error.message);
    this.#end('unreachable', messageOf(error));
  }

  #closed(code: number, reason: string): void {
    this.#closing?.cancel();
    const words = reason.replace(/\p{Cc}+/gu, ' ');
    this.#end('remote-closed', words === '' ? String(code) : `${code} ${words}`);
  }

  #goodbye(reason: StreamEndReason): void {
    if (this.#over) return;
    if (this.#isOpen) this.#session.stopped();
    this.#end(reason, '');
  }

  #end(reason: StreamEndReason, detail: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#deps.phone.removeTap(this);
    if (this.#playing) this.#deps.phone.stopPlaying();
    this.#leaveSocket(reason);
    this.#deps.events.ended(reason, detail.slice(0, 200));
  }

  #leaveSocket(reason: StreamEndReason): void {
    const socket = this.#socket;
    if (socket.isPaused) socket.resume();
    if (reason !== 'stopped' && reason !== 'phone-closed') return socket.terminate();
    socket.close(NORMAL);
    this.#closing = this.#deps.clock.after(CLOSE_GRACE_MS, () => socket.terminate());
  }
}

type Lookup = (hostname: string, options: { all?: boolean }, done: (error: Error | null, address: string | { address: string; family: number }[], family?: number) => void) => void;

function socketOptions({ headers, addresses }: StreamOptions): ClientOptions {
  const options: ClientOptions & { lookup?: Lookup } = {
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    followRedirects: false,
    autoPong: false,
    ...(headers ? { headers } : {}),
    ...(addresses ? { lookup: pinned(addresses) } : {}),
  };
  return options;
}

/** DNS is asked no second time: where the name leads was judged already. */
function pinned(addresses: string[]): Lookup {
  const all = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  return (_hostname, options, done) => {
    const first = all[0];
    if (!first) return done(new MediaError('bad-request', 'the host name leads to no address that is allowed'), []);
    if (options.all) done(null, all);
    else done(null, first.address, first.family);
  };
}
