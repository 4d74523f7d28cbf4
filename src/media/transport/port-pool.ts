/** A port that was closed rests this long, so that late packets of the old call do not reach the new one. */
const REST_MS = 5000;

/** Even RTP ports of one worker, given out in turn; RTCP is on the next one. Pure. */
export class PortPool {
  readonly #free: number[] = [];
  readonly #resting: { port: number; untilMs: number }[] = [];

  /** Both ends inclusive. */
  constructor(range: { min: number; max: number }) {
    for (let port = range.min + (range.min % 2); port + 1 <= range.max; port += 2) this.#free.push(port);
  }

  /** The port that has been free for longest; null when all are taken or resting. */
  take(nowMs: number): number | null {
    while (this.#resting[0] && this.#resting[0].untilMs <= nowMs) this.#free.push((this.#resting.shift() as { port: number }).port);
    return this.#free.shift() ?? null;
  }

  release(port: number, nowMs: number): void {
    this.#resting.push({ port, untilMs: nowMs + REST_MS });
  }

  get size(): number {
    return this.#free.length + this.#resting.length;
  }
}
