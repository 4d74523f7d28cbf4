import { GIVE_UP_MS, T1_MS, T2_MS } from '../transaction/timers.ts';

/** The 2xx to an INVITE is repeated by whoever accepted it, on any transport, until its ACK comes (RFC 3261 §13.3.1.4). */
export class AnswerRepeat {
  readonly #startMs: number;
  #intervalMs = T1_MS;
  #nextMs: number;

  constructor(nowMs: number) {
    this.#startMs = nowMs;
    this.#nextMs = nowMs + T1_MS;
  }

  get nextMs(): number {
    return Math.min(this.#nextMs, this.#startMs + GIVE_UP_MS);
  }

  /** What to do at `nextMs`: once more, or give up after 64·T1. */
  expire(nowMs: number): 'send' | 'give-up' | 'wait' {
    if (nowMs >= this.#startMs + GIVE_UP_MS) return 'give-up';
    if (nowMs < this.#nextMs) return 'wait';
    this.#intervalMs = Math.min(this.#intervalMs * 2, T2_MS);
    this.#nextMs += this.#intervalMs;
    return 'send';
  }
}
