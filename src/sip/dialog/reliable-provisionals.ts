import { randomInt } from 'node:crypto';
import type { Clock, Timer } from '../../base/clock.ts';
import { parseNumber } from '../message/grammar.ts';
import { GIVE_UP_MS, T1_MS } from '../transaction/timers.ts';

/** Provisional answers that may wait for the PRACK of the one before. */
const MAX_WAITING = 8;

interface Open<T> {
  rseq: number;
  item: T;
  nextMs: number;
  intervalMs: number;
  untilMs: number;
}

/** Provisional answers that must arrive, one at a time (RFC 3262 §3). Holds times, starts no timers. */
export class ReliableSequence<T> {
  readonly #waiting: T[] = [];
  #rseq: number;
  #open: Open<T> | null = null;

  constructor(firstRseq: number) {
    this.#rseq = firstRseq;
  }

  /** The one that waits for its PRACK. */
  get open(): { rseq: number; item: T } | null {
    return this.#open;
  }

  /** Whether it, or one that waits behind it, is such. */
  holds(such: (item: T) => boolean): boolean {
    return (this.#open !== null && such(this.#open.item)) || this.#waiting.some(such);
  }

  get nextMs(): number | null {
    return this.#open && Math.min(this.#open.nextMs, this.#open.untilMs);
  }

  /** What has to be sent now: it, or nothing while another is open. */
  push(item: T, nowMs: number): { rseq: number; item: T } | null {
    if (this.#open) {
      if (this.#waiting.length < MAX_WAITING) this.#waiting.push(item);
      return null;
    }
    this.#open = { rseq: this.#rseq++, item, intervalMs: T1_MS, nextMs: nowMs + T1_MS, untilMs: nowMs + GIVE_UP_MS };
    return this.#open;
  }

  expire(nowMs: number): 'send' | 'give-up' | null {
    const open = this.#open;
    if (!open) return null;
    if (nowMs >= open.untilMs) return 'give-up';
    if (nowMs < open.nextMs) return null;
    open.intervalMs *= 2;
    open.nextMs += open.intervalMs;
    return 'send';
  }

  /** The open one was acknowledged; returns the next to be sent. */
  acknowledged(nowMs: number): { rseq: number; item: T } | null {
    this.#open = null;
    const next = this.#waiting.shift();
    return next === undefined ? null : this.push(next, nowMs);
  }

  clear(): void {
    this.#open = null;
    this.#waiting.length = 0;
  }
}

export interface Provisional {
  /** Sends it with this RSeq; the same each time. */
  send: (rseq: number) => void;
  /** It holds our answer: a 2xx has to wait for its PRACK. */
  described: boolean;
}

/** Drives one `ReliableSequence`. */
export class ReliableProvisionals {
  readonly #clock: Clock;
  readonly #failed: () => void;
  readonly #cleared: () => void;
  readonly #inviteCSeq: number;
  readonly #sequence = new ReliableSequence<Provisional>(randomInt(1, 2 ** 30));
  #timer: Timer | null = null;

  /** `failed`: no PRACK in 64·T1. `cleared`: what held back a 2xx was acknowledged. */
  constructor(parts: { clock: Clock; inviteCSeq: number; failed: () => void; cleared: () => void }) {
    this.#clock = parts.clock;
    this.#inviteCSeq = parts.inviteCSeq;
    this.#failed = parts.failed;
    this.#cleared = parts.cleared;
  }

  /** Whether a 2xx has to wait. */
  get holdsAnswer(): boolean {
    return this.#sequence.holds((provisional) => provisional.described);
  }

  send(provisional: Provisional): void {
    this.#say(this.#sequence.push(provisional, this.#clock.nowMs()));
  }

  /** Whether a RAck value (RFC 3262 §7.2) means the one that is open. Null: malformed. */
  isMeantBy(rack: string | undefined): boolean | null {
    const match = /^\s*(\d{1,10})\s+(\d{1,10})\s+(\S+)\s*$/.exec(rack ?? '');
    const rseq = parseNumber(match?.[1] ?? '', 2 ** 32 - 1);
    const cseq = parseNumber(match?.[2] ?? '', 2 ** 31 - 1);
    if (rseq === null || cseq === null) return null;
    return this.#sequence.open?.rseq === rseq && cseq === this.#inviteCSeq && match?.[3] === 'INVITE';
  }

  /** From here it is not repeated. */
  hush(): void {
    this.#timer?.cancel();
  }

  /** The open one's PRACK was answered. */
  acknowledged(): void {
    this.hush();
    this.#say(this.#sequence.acknowledged(this.#clock.nowMs()));
    if (!this.holdsAnswer) this.#cleared();
  }

  /** The final answer was sent. */
  close(): void {
    this.hush();
    this.#sequence.clear();
  }

  #say(provisional: { rseq: number; item: Provisional } | null): void {
    if (!provisional) return;
    provisional.item.send(provisional.rseq);
    this.#arm();
  }

  #arm(): void {
    this.hush();
    const { nextMs } = this.#sequence;
    if (nextMs !== null) this.#timer = this.#clock.after(nextMs - this.#clock.nowMs(), () => this.#due());
  }

  #due(): void {
    const what = this.#sequence.expire(this.#clock.nowMs());
    const { open } = this.#sequence;
    if (what === 'send') open?.item.send(open.rseq);
    if (what !== 'give-up') return this.#arm();
    this.close();
    this.#failed();
  }
}

/** Which reliable provisional answers of one branch of a fork are new to the caller (RFC 3262 §4). */
export class ProvisionalOrder {
  #last: number | null = null;

  /** `new`: to be acknowledged and read; `old`: came before; `early`: one before it is missing. */
  take(rseq: number): 'new' | 'old' | 'early' {
    if (this.#last !== null && rseq <= this.#last) return 'old';
    if (this.#last !== null && rseq !== this.#last + 1) return 'early';
    this.#last = rseq;
    return 'new';
  }
}
