const MIN_PACKETS = 4;
/** What came slower than it was sent has met the path's limit; a little below that there is no queue. */
const SLOWER = 0.9;
const BELOW = 0.95;
/** Share of the packets that must have come for a result. */
const ENOUGH = 0.8;

/** Packets sent at a known rate to see whether the path carries it: the rate they arrive at is one it does. Pure. */
export class Probe {
  readonly id: number;
  readonly beganMs: number;
  /** All of it is sent. */
  complete = false;
  sentBytes = 0;
  readonly #targetBps: number;
  #sentPackets = 0;
  #firstSentMs = 0;
  #lastSentMs = 0;
  #lastSentBytes = 0;
  #arrivedPackets = 0;
  #arrivedBytes = 0;
  #firstArrivalMs = Infinity;
  #lastArrivalMs = -Infinity;
  #firstArrivalBytes = 0;

  constructor(id: number, targetBps: number, beganMs: number) {
    this.id = id;
    this.#targetBps = targetBps;
    this.beganMs = beganMs;
  }

  sent(bytes: number, nowMs: number): void {
    if (this.#sentPackets === 0) this.#firstSentMs = nowMs;
    this.#sentPackets++;
    this.sentBytes += bytes;
    this.#lastSentMs = nowMs;
    this.#lastSentBytes = bytes;
  }

  arrived(bytes: number, arrivalMs: number): void {
    this.#arrivedPackets++;
    this.#arrivedBytes += bytes;
    if (arrivalMs < this.#firstArrivalMs) {
      this.#firstArrivalMs = arrivalMs;
      this.#firstArrivalBytes = bytes;
    }
    if (arrivalMs > this.#lastArrivalMs) this.#lastArrivalMs = arrivalMs;
  }

  /** All that was sent has arrived. */
  get answered(): boolean {
    return this.complete && this.#arrivedPackets >= this.#sentPackets;
  }

  /** What the path carries at least; null when too little has come to say. */
  resultBps(): number | null {
    if (this.#arrivedPackets < MIN_PACKETS || this.#arrivedPackets < ENOUGH * this.#sentPackets) return null;
    const sentBps = ((this.sentBytes - this.#lastSentBytes) * 8000) / Math.max(1, this.#lastSentMs - this.#firstSentMs);
    const arrivedBps = ((this.#arrivedBytes - this.#firstArrivalBytes) * 8000) / Math.max(1, this.#lastArrivalMs - this.#firstArrivalMs);
    const bps = arrivedBps < SLOWER * sentBps ? BELOW * arrivedBps : Math.min(sentBps, arrivedBps);
    return Math.min(bps, this.#targetBps);
  }
}
