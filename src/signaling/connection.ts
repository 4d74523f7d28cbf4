import type { WebSocket } from 'ws';
import type { Clock, Timer } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Link } from './session.ts';
import { TcmpServer, type Admit, type TcmpOutput } from './tcmp.ts';

export interface ConnectionEvents {
  /** A message of the room protocol, unchecked. */
  messageReceived(body: unknown): void;
  /** No further event follows. `left`: the browser said bye, it will not come back. */
  closed(left: boolean): void;
}

/** From our last word to closing the socket ourselves. */
const CLOSE_GRACE_MS = 2000;
/** A browser that reads nothing for so long is cut off. */
const MAX_BUFFERED_BYTES = 8 * 1024 * 1024;
/** The SDK takes it for its own goodbye and leaves the room for good. */
const NORMAL = 1000;
/** The SDK comes back on another socket. */
const GOING_AWAY = 1001;
const POLICY = 1008;
const CLOSE_CODES = { left: NORMAL, silent: GOING_AWAY, broken: POLICY };

/** One WebSocket of a browser: drives the framing machine with text and time. */
export class SignalingConnection implements Link {
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #machine: TcmpServer;
  #events: ConnectionEvents | null = null;
  #timer: Timer | null = null;
  #closed = false;
  #closing = false;

  constructor(socket: WebSocket, deps: { clock: Clock; log: Log; admit?: Admit }) {
    this.#socket = socket;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#machine = new TcmpServer(deps.clock.nowMs(), deps.admit);
  }

  start(events: ConnectionEvents): void {
    this.#events = events;
    this.#socket.on('message', (data, isBinary) => this.#guarded(() => this.#messageReceived(String(data), isBinary)));
    this.#socket.on('close', () => this.#guarded(() => this.#socketClosed(false)));
    this.#socket.on('error', (error) => this.#log.debug({ error: messageOf(error) }, 'a signaling socket failed'));
    this.#schedule();
  }

  get open(): boolean {
    return !this.#closed && !this.#closing;
  }

  #guarded(fn: () => void): void {
    try {
      fn();
    } catch (error) {
      this.#log.error({ error: messageOf(error) }, 'a signaling message could not be worked off');
      this.#socket.terminate();
    }
  }

  #messageReceived(text: string, isBinary: boolean): void {
    if (this.#closed) return;
    this.#apply(this.#machine.textReceived(isBinary ? '' : text, this.#clock.nowMs()));
  }

  #apply(output: TcmpOutput): void {
    for (const frame of output.frames) this.#write(frame);
    for (const body of output.bodies) this.#events?.messageReceived(body);
    if (output.ended) this.#over(output.ended);
    else this.#schedule();
  }

  #over(how: NonNullable<TcmpOutput['ended']>): void {
    this.#log.debug({ how }, 'a signaling connection is over');
    this.#socketClosed(how === 'left');
    // The SDK hangs up on `busy` itself, with a code of its own; ours would tell it not to come again.
    if (how !== 'turned-away') this.#socket.close(CLOSE_CODES[how]);
    this.#clock.after(CLOSE_GRACE_MS, () => this.#socket.terminate());
  }

  #schedule(): void {
    this.#timer?.cancel();
    if (this.#closed) return;
    this.#timer = this.#clock.after(this.#machine.dueMs - this.#clock.nowMs(), () => this.#guarded(() => this.#apply(this.#machine.timeReached(this.#clock.nowMs()))));
  }

  #write(frame: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) return this.#socket.terminate();
    this.#socket.send(frame);
  }

  send(body: object): void {
    if (!this.#closed) this.#write(this.#machine.message(body, this.#clock.nowMs()));
  }

  /** The browser has a moment to hang up first: a socket closed from here looks like a lost one to it. */
  close(): void {
    if (this.#closing || this.#closed) return;
    this.#closing = true;
    this.#clock.after(CLOSE_GRACE_MS, () => this.shut());
  }

  /** Closes at once. */
  shut(): void {
    this.#socketClosed(false);
    this.#socket.close(NORMAL);
    this.#clock.after(CLOSE_GRACE_MS, () => this.#socket.terminate());
  }

  #socketClosed(left: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#events?.closed(left);
    this.#events = null;
  }
}
