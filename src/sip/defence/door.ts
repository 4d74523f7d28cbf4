import { Bans } from './bans.ts';
import { forgetOldest } from '../../base/forget-oldest.ts';
import { sourceKey } from './source-key.ts';
import { TokenBuckets } from './token-buckets.ts';

export interface DoorOptions {
  /** Messages that one stranger may send in a second; null: as many as it likes. */
  strangerRatePerS: number | null;
  /** Addresses that are no strangers: networks of trunks. Default: none. */
  isTrusted?: (address: string) => boolean;
}

/** Why a message was not read: its sender sends too much, all strangers together do, it tried passwords. */
export type RefusalAtDoor = 'rate' | 'total-rate' | 'banned';

/** A phone that starts, or a proxy with several, sends a few at once. */
const BURST_S = 2;
/** What all strangers together may send, as so many of them at full rate. */
const TOTAL_STRANGERS = 20;
const MAX_SOURCES = 20_000;
/** Whoever proved who it is, registered phones first of all: they come back within an hour. */
const PROVEN_MS = 3_900_000;
/** Whom we sent a request: its answers are awaited. */
const SPOKEN_TO_MS = 300_000;

/**
 * Stands before everything else: says by the source alone, before a byte is parsed, whether a message is read. Who proved
 * itself, whom we speak to, who is in a call and whose network is a trunk's is never held back, whatever strangers do. Pure.
 */
export class Door {
  readonly #options: DoorOptions;
  readonly #buckets: TokenBuckets | null;
  readonly #total: TokenBuckets | null;
  readonly #bans = new Bans();
  /** Until when an address is known. */
  readonly #known = new Map<string, number>();
  /** Calls that stand, by address. */
  readonly #inCalls = new Map<string, number>();
  readonly refused: Record<RefusalAtDoor, number> = { rate: 0, 'total-rate': 0, banned: 0 };

  constructor(options: DoorOptions) {
    this.#options = options;
    const { strangerRatePerS: rate } = options;
    this.#buckets = rate === null ? null : new TokenBuckets({ ratePerS: rate, burst: rate * BURST_S, maxKeys: MAX_SOURCES });
    this.#total = rate === null ? null : new TokenBuckets({ ratePerS: rate * TOTAL_STRANGERS, burst: rate * TOTAL_STRANGERS, maxKeys: 1 });
  }

  /** Null: the message is read. */
  refusalOf(address: string, nowMs: number): RefusalAtDoor | null {
    if (this.#isKnown(address, nowMs)) return null;
    const key = sourceKey(address);
    const refusal = this.#bans.isBanned(key, nowMs) ? 'banned' : this.#buckets?.take(key, nowMs) === false ? 'rate' : this.#total?.take('', nowMs) === false ? 'total-rate' : null;
    if (refusal) this.refused[refusal]++;
    return refusal;
  }

  /** It answered a challenge well. */
  proved(address: string, nowMs: number): void {
    this.#know(address, nowMs + PROVEN_MS);
  }

  spokenTo(address: string, nowMs: number): void {
    this.#know(address, nowMs + SPOKEN_TO_MS);
  }

  /** It answered a challenge wrongly. Returns for how long it is banned now; null: it is not. */
  failed(address: string, nowMs: number): number | null {
    return this.#isKnown(address, nowMs) ? null : this.#bans.failed(sourceKey(address), nowMs);
  }

  /** A call with it stands; `callEnded` once takes that back. */
  callStands(address: string): void {
    this.#inCalls.set(address, (this.#inCalls.get(address) ?? 0) + 1);
  }

  callEnded(address: string): void {
    const left = (this.#inCalls.get(address) ?? 0) - 1;
    if (left > 0) this.#inCalls.set(address, left);
    else this.#inCalls.delete(address);
  }

  /** How much of each kind is remembered: bounded, but for the calls, which have bounds of their own. */
  get remembered(): { sources: number; suspects: number; known: number; inCalls: number } {
    return { sources: this.#buckets?.size ?? 0, suspects: this.#bans.size, known: this.#known.size, inCalls: this.#inCalls.size };
  }

  #isKnown(address: string, nowMs: number): boolean {
    return this.#inCalls.has(address) || (this.#known.get(address) ?? 0) > nowMs || this.#options.isTrusted?.(address) === true;
  }

  #know(address: string, untilMs: number): void {
    const until = Math.max(untilMs, this.#known.get(address) ?? 0);
    this.#known.delete(address);
    this.#known.set(address, until);
    forgetOldest(this.#known, MAX_SOURCES);
  }
}
