const BUCKET_MS = 100;
const BUCKETS = 10;

/** Bit rate over the last second, in steps of 100 ms. Pure; allocates nothing after its construction. */
export class RateMeter {
  #bytes = new Float64Array(BUCKETS);
  /** Number of the newest bucket, counted from time 0; -1 before the first packet. */
  #newest = -1;
  #sum = 0;
  #sinceMs = 0;

  add(bytes: number, nowMs: number): void {
    this.#advance(nowMs);
    const slot = this.#newest % BUCKETS;
    this.#bytes[slot] = (this.#bytes[slot] as number) + bytes;
    this.#sum += bytes;
  }

  /** Of the time since the first packet, when that is shorter than a second. */
  bps(nowMs: number): number {
    if (this.#newest < 0) return 0;
    this.#advance(nowMs);
    const coveredMs = (BUCKETS - 1) * BUCKET_MS + (nowMs - this.#newest * BUCKET_MS);
    return (this.#sum * 8000) / Math.max(BUCKET_MS, Math.min(coveredMs, nowMs - this.#sinceMs));
  }

  reset(): void {
    this.#newest = -1;
    this.#sum = 0;
    this.#bytes.fill(0);
  }

  #advance(nowMs: number): void {
    const bucket = Math.floor(nowMs / BUCKET_MS);
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
