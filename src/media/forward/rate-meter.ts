const BUCKETS = 10;

/** Bit rate over ten buckets of time, a second by default. Pure; allocates nothing after its construction. */
export class RateMeter {
  readonly #bucketMs: number;
  #bytes = new Float64Array(BUCKETS);
  /** Number of the newest bucket, counted from time 0; -1 before the first packet. */
  #newest = -1;
  #sum = 0;
  #sinceMs = 0;

  constructor(windowMs = 1000) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  add(bytes: number, nowMs: number): void {
    this.#advance(nowMs);
    const slot = this.#newest % BUCKETS;
    this.#bytes[slot] = (this.#bytes[slot] as number) + bytes;
    this.#sum += bytes;
  }

  /** Of the time since the first packet, when that is shorter than the window. */
  bps(nowMs: number): number {
    if (this.#newest < 0) return 0;
    this.#advance(nowMs);
    const coveredMs = (BUCKETS - 1) * this.#bucketMs + Math.max(0, nowMs - this.#newest * this.#bucketMs);
    return (this.#sum * 8000) / Math.max(this.#bucketMs, Math.min(coveredMs, nowMs - this.#sinceMs));
  }

  #advance(nowMs: number): void {
    const bucket = Math.max(0, Math.floor(nowMs / this.#bucketMs));
    if (this.#newest < 0) {
      this.#newest = bucket;
      this.#sinceMs = nowMs;
    }
    for (let i = Math.max(this.#newest + 1, bucket - BUCKETS + 1); i <= bucket; i++) {
      this.#sum -= this.#bytes[i % BUCKETS] as number;
      this.#bytes[i % BUCKETS] = 0;
    }
    if (bucket > this.#newest) this.#newest = bucket;
  }
}
