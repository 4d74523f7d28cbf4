import { forgetOldest } from '../../base/forget-oldest.ts';

/** Wrong answers in a row, and how long they count. */
const LIMIT = 10;
const WINDOW_MS = 60_000;
/** Pairs remembered; beyond it the oldest are forgotten. */
const MAX_KEYS = 10_000;

/** Counts wrong passwords by sender and user name, so that nobody tries them by the thousand. Pure. */
export class Failures {
  readonly #byKey = new Map<string, { count: number; untilMs: number }>();

  limited(key: string, nowMs: number): boolean {
    const entry = this.#byKey.get(key);
    return entry !== undefined && entry.untilMs > nowMs && entry.count >= LIMIT;
  }

  failed(key: string, nowMs: number): void {
    const before = this.#byKey.get(key);
    this.#byKey.delete(key);
    const count = before && before.untilMs > nowMs ? before.count + 1 : 1;
    this.#byKey.set(key, { count, untilMs: nowMs + WINDOW_MS });
    forgetOldest(this.#byKey, MAX_KEYS);
  }

  succeeded(key: string): void {
    this.#byKey.delete(key);
  }
}
