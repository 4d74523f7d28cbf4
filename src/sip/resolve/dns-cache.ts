import type { Clock } from '../../base/clock.ts';
import type { Dns } from './dns.ts';
import { NO_ANSWER, type Answer, type Question } from './find-servers.ts';

const MAX_ENTRIES = 1_000;
const MIN_TTL_MS = 1_000;
const MAX_TTL_MS = 3_600_000;
/** How long it is believed that there is nothing, or nobody who answers. */
const EMPTY_TTL_MS = 30_000;
const FAILED_TTL_MS = 5_000;

interface Entry {
  answer: Promise<Answer>;
  /** Infinite while it is being asked. */
  untilMs: number;
}

/** Answers of the name service for as long as they may be believed; the same question is asked once at a time. */
export class DnsCache {
  readonly #dns: Dns;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(dns: Dns, clock: Clock) {
    this.#dns = dns;
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Never rejects: whoever does not answer has nothing. */
  ask({ kind, name }: Question): Promise<Answer> {
    const key = `${kind} ${name.toLowerCase()}`;
    const kept = this.#entries.get(key);
    if (kept && kept.untilMs > this.#clock.nowMs()) return kept.answer;
    const entry: Entry = { untilMs: Infinity, answer: Promise.resolve(NO_ANSWER) };
    entry.answer = this.#dns[kind](name).then(
      ({ records, ttlMs }) => {
        entry.untilMs = this.#clock.nowMs() + (records.length === 0 ? EMPTY_TTL_MS : Math.min(Math.max(ttlMs, MIN_TTL_MS), MAX_TTL_MS));
        return { ...NO_ANSWER, [kind]: records };
      },
      () => {
        entry.untilMs = this.#clock.nowMs() + FAILED_TTL_MS;
        return NO_ANSWER;
      },
    );
    this.#keep(key, entry);
    return entry.answer;
  }

  #keep(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size <= MAX_ENTRIES) return;
    for (const oldest of this.#entries.keys()) return void this.#entries.delete(oldest);
  }
}
