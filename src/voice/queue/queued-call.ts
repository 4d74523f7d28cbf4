import type { CallSid } from '../../base/sid.ts';
import type { PhoneMedia } from '../../media/protocol.ts';
import type { GatheredCall } from '../waiting.ts';

/** What became of a call that was taken from its queue. */
export type HandedOver =
  /** It talked with the dialler, and that is over. */
  | 'bridged'
  /** The dialler went before they talked: it waits on, at the head. */
  | 'returned';

/** A call that waits in a queue. Seen from two sides: its own `<Enqueue>`, and the `<Dial><Queue>` that takes it. */
export class QueuedCall {
  readonly context: GatheredCall;
  readonly phone: PhoneMedia;
  readonly enqueuedAtMs: number;
  #taking = new AbortController();
  #silent: Promise<unknown> = Promise.resolve();
  #handedOver: Promise<HandedOver> = new Promise(() => undefined);
  #resolve: (what: HandedOver) => void = () => undefined;
  #leftQueueAtMs: number | null = null;
  #left = false;
  #talking = false;

  constructor(context: GatheredCall, phone: PhoneMedia) {
    this.context = context;
    this.phone = phone;
    this.enqueuedAtMs = context.clock.wallMs();
  }

  get callSid(): CallSid {
    return this.context.call.sid;
  }

  /** Aborts when somebody takes the call: what it hears while it waits must stop. */
  get taken(): AbortSignal {
    return this.#taking.signal;
  }

  /** Whole seconds from coming in until it was taken or left, or until now. */
  get queueTimeS(): number {
    return Math.round(((this.#leftQueueAtMs ?? this.context.clock.wallMs()) - this.enqueuedAtMs) / 1000);
  }

  /** Its own side: what it hears while it waits, to be awaited by who takes it. */
  waitsWith(sound: Promise<unknown>): void {
    this.#silent = sound;
  }

  /** Whether it was brought together with who took it. */
  get talking(): boolean {
    return this.#talking;
  }

  /** Its own side: it left by itself; nobody can take it any more. */
  left(): void {
    this.#left = true;
    this.#leftQueueAtMs ??= this.context.clock.wallMs();
  }

  /** Its own side, after `taken`. */
  get handedOver(): Promise<HandedOver> {
    return this.#handedOver;
  }

  /** The taker's side; resolves when it hears nothing any more, and `finish` must follow. False: it has left meanwhile. */
  async take(): Promise<boolean> {
    if (this.#left) return false;
    this.#leftQueueAtMs = this.context.clock.wallMs();
    this.#handedOver = new Promise((resolve) => (this.#resolve = resolve));
    this.#taking.abort();
    await this.#silent;
    return true;
  }

  /** The taker's side: now the two talk. */
  talks(): void {
    this.#talking = true;
  }

  /** The taker's side: its phone is its own again. */
  finish(what: HandedOver): void {
    if (what === 'returned') {
      this.#leftQueueAtMs = null;
      this.#taking = new AbortController();
    }
    this.#resolve(what);
  }
}
