import { TwilioError } from '../base/errors.ts';
import type { AccountSid } from '../base/sid.ts';

const MAX_QUEUE_MS = 24 * 3_600_000;

/** How fast an account's REST calls leave: one after another, `callsPerSecond` a second (contract §5.1). Pure. */
export class DialPace {
  readonly #gapMs: number;
  readonly #nextAtMs = new Map<AccountSid, number>();

  /** Null: as fast as they come. */
  constructor(callsPerSecond: number | null) {
    this.#gapMs = callsPerSecond === null ? 0 : 1000 / callsPerSecond;
  }

  /** How long a call that is queued now waits, in ms. Throws 22005 when that is more than 24 h. */
  wait(accountSid: AccountSid, nowMs: number): number {
    if (this.#gapMs === 0) return 0;
    const atMs = Math.max(nowMs, this.#nextAtMs.get(accountSid) ?? 0);
    if (atMs - nowMs > MAX_QUEUE_MS) throw new TwilioError(22005, 'The queue of calls is longer than 24 hours.', { status: 429 });
    this.#nextAtMs.set(accountSid, atMs + this.#gapMs);
    return atMs - nowMs;
  }
}
