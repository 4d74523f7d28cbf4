/** The least of the values of late, in three buckets of `bucketMs`: forgets what is older than two to three of them. Pure. */
export class SlidingMinimum {
  readonly #bucketMs: number;
  readonly #buckets = [Infinity, Infinity, Infinity];
  #sinceMs = -Infinity;

  constructor(bucketMs: number) {
    this.#bucketMs = bucketMs;
  }

  add(value: number, nowMs: number): void {
    if (nowMs - this.#sinceMs >= 3 * this.#bucketMs) this.#restart(nowMs);
    while (nowMs - this.#sinceMs >= this.#bucketMs) this.#turn();
    if (value < (this.#buckets[0] as number)) this.#buckets[0] = value;
  }

  #restart(nowMs: number): void {
    this.#buckets.fill(Infinity);
    this.#sinceMs = nowMs;
  }

  #turn(): void {
    this.#buckets[2] = this.#buckets[1] as number;
    this.#buckets[1] = this.#buckets[0] as number;
    this.#buckets[0] = Infinity;
    this.#sinceMs += this.#bucketMs;
  }

  /** Infinity before the first value. */
  get value(): number {
    return Math.min(this.#buckets[0] as number, this.#buckets[1] as number, this.#buckets[2] as number);
  }

  reset(): void {
    this.#buckets.fill(Infinity);
    this.#sinceMs = -Infinity;
  }
}
