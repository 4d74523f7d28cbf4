import { forgetOldest } from '../../base/forget-oldest.ts';

/** Wrong answers to challenges within `WINDOW_MS` that ban their sender. */
const FAILURES = 20;
const WINDOW_MS = 60_000;
const FIRST_BAN_MS = 60_000;
const LONGEST_BAN_MS = 3_600_000;
/** How long a ban is held against whoever fails again: the next is twice as long. */
const MEMORY_MS = 24 * 3_600_000;
const MAX_KEYS = 10_000;

interface Suspect {
  failures: number;
  windowEndsMs: number;
  bannedUntilMs: number;
  /** Of the last ban; 0: none yet. */
  banMs: number;
}

/** Who tries passwords is not listened to for a while, longer each time. Pure. */
export class Bans {
  /** In the order of their last failure. */
  readonly #byKey = new Map<string, Suspect>();

  get size(): number {
    return this.#byKey.size;
  }

  isBanned(key: string, nowMs: number): boolean {
    return (this.#byKey.get(key)?.bannedUntilMs ?? 0) > nowMs;
  }

  /** A wrong answer. Returns for how long its sender is banned now; null: it is not. */
  failed(key: string, nowMs: number): number | null {
    const known = this.#byKey.get(key);
    const suspect = known && nowMs - known.bannedUntilMs < MEMORY_MS ? known : { failures: 0, windowEndsMs: 0, bannedUntilMs: nowMs, banMs: 0 };
    if (nowMs >= suspect.windowEndsMs) Object.assign(suspect, { failures: 0, windowEndsMs: nowMs + WINDOW_MS });
    suspect.failures++;
    this.#byKey.delete(key);
    this.#byKey.set(key, suspect);
    forgetOldest(this.#byKey, MAX_KEYS);
    if (suspect.failures < FAILURES) return null;
    suspect.banMs = Math.min(LONGEST_BAN_MS, suspect.banMs === 0 ? FIRST_BAN_MS : suspect.banMs * 2);
    Object.assign(suspect, { failures: 0, windowEndsMs: 0, bannedUntilMs: nowMs + suspect.banMs });
    return suspect.banMs;
  }
}
