/** First pause of an address that failed; each further failure doubles it. */
const FIRST_REST_MS = 30_000;
const MAX_REST_MS = 300_000;
/** Longest a server may ask for by Retry-After. */
const MAX_ASKED_MS = 600_000;
const MAX_KEYS = 1_000;

interface Entry {
  failures: number;
  untilMs: number;
}

/** Remembers who did not answer, so that somebody else is asked first for a while. Bounded: the oldest is forgotten. Pure. */
export class Resting {
  readonly #entries = new Map<string, Entry>();

  /** It did not answer, or could not be reached. */
  failed(key: string, nowMs: number): void {
    const before = this.#entries.get(key);
    const failures = (before?.failures ?? 0) + 1;
    const restMs = Math.min(FIRST_REST_MS * 2 ** (failures - 1), MAX_REST_MS);
    this.#keep(key, { failures, untilMs: Math.max(before?.untilMs ?? 0, nowMs + restMs) });
  }

  /** It asked to be left alone (RFC 3261 §21.5.4). */
  askedToRest(key: string, restMs: number, nowMs: number): void {
    const before = this.#entries.get(key);
    this.#keep(key, { failures: before?.failures ?? 0, untilMs: Math.max(before?.untilMs ?? 0, nowMs + Math.min(restMs, MAX_ASKED_MS)) });
  }

  succeeded(key: string): void {
    this.#entries.delete(key);
  }

  isResting(key: string, nowMs: number): boolean {
    return (this.#entries.get(key)?.untilMs ?? -Infinity) > nowMs;
  }

  /** Those that may be asked, in their order; then the resting ones, that whose pause is over first. */
  order<T>(list: readonly T[], keyOf: (item: T) => string, nowMs: number): T[] {
    const resting = (item: T): boolean => this.isResting(keyOf(item), nowMs);
    const untilMs = (item: T): number => this.#entries.get(keyOf(item))?.untilMs ?? 0;
    return [...list.filter((item) => !resting(item)), ...list.filter(resting).sort((a, b) => untilMs(a) - untilMs(b))];
  }

  #keep(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size <= MAX_KEYS) return;
    for (const oldest of this.#entries.keys()) return void this.#entries.delete(oldest);
  }
}
