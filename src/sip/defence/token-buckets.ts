import { forgetOldest } from '../../base/forget-oldest.ts';

interface Bucket {
  tokens: number;
  atMs: number;
}

/** One token bucket for each key; the key that was idle the longest is forgotten when there are too many. Pure. */
export class TokenBuckets {
  readonly #ratePerS: number;
  readonly #burst: number;
  readonly #maxKeys: number;
  /** In the order of their last use. */
  readonly #byKey = new Map<string, Bucket>();

  constructor({ ratePerS, burst, maxKeys }: { ratePerS: number; burst: number; maxKeys: number }) {
    this.#ratePerS = ratePerS;
    this.#burst = burst;
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Takes a token; false when none is left. */
  take(key: string, nowMs: number): boolean {
    const bucket = this.#byKey.get(key) ?? { tokens: this.#burst, atMs: nowMs };
    bucket.tokens = Math.min(this.#burst, bucket.tokens + (Math.max(0, nowMs - bucket.atMs) * this.#ratePerS) / 1000);
    bucket.atMs = nowMs;
    this.#byKey.delete(key);
    this.#byKey.set(key, bucket);
    forgetOldest(this.#byKey, this.#maxKeys);
    return spend(bucket);
  }
}

function spend(bucket: Bucket): boolean {
  if (bucket.tokens < 1) return false;
  bucket.tokens--;
  return true;
}
