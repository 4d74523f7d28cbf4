const INTERVAL_MS = 500;
/** A publisher that answers none of these has no picture at the moment. */
const MAX_UNANSWERED = 20;

/** When a PLI goes to one publisher's stream: at once, then at most every 500 ms until a key frame comes. Pure. */
export class KeyFrameRequester {
  #pending = false;
  #lastSentMs = -Infinity;
  #unanswered = 0;

  /** Somebody needs a key frame. */
  request(): void {
    this.#pending = true;
    this.#unanswered = 0;
  }

  keyFrameReceived(): void {
    this.#pending = false;
    this.#unanswered = 0;
  }

  /** Nobody can get it from this stream. */
  cancel(): void {
    this.#pending = false;
  }

  /** True when a PLI should go out now; the caller reports success with `sent`. */
  due(nowMs: number): boolean {
    return this.#pending && nowMs - this.#lastSentMs >= INTERVAL_MS;
  }

  sent(nowMs: number): void {
    this.#lastSentMs = nowMs;
    if (++this.#unanswered >= MAX_UNANSWERED) this.#pending = false;
  }

  get pending(): boolean {
    return this.#pending;
  }
}
