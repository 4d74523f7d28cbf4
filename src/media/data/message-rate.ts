export interface MessageRateLimits {
  messagesPerS: number;
  bytesPerS: number;
  /** So many seconds' worth may come at once. */
  burstS: number;
}

/** Two leaky buckets, of messages and of bytes. Pure. */
export class MessageRate {
  readonly #limits: MessageRateLimits;
  #messages = 0;
  #bytes = 0;
  #lastMs: number;

  constructor(limits: MessageRateLimits, nowMs: number) {
    this.#limits = limits;
    this.#lastMs = nowMs;
  }

  /** Whether one more message of this size fits; it is counted when it does. */
  take(bytes: number, nowMs: number): boolean {
    const { messagesPerS, bytesPerS, burstS } = this.#limits;
    const passedS = Math.max(0, nowMs - this.#lastMs) / 1000;
    this.#lastMs = nowMs;
    this.#messages = Math.max(0, this.#messages - passedS * messagesPerS);
    this.#bytes = Math.max(0, this.#bytes - passedS * bytesPerS);
    if (this.#messages + 1 > messagesPerS * burstS || this.#bytes + bytes > bytesPerS * burstS) return false;
    this.#messages++;
    this.#bytes += bytes;
    return true;
  }
}
