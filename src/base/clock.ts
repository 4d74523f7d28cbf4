/**
 * Time as a part that is handed in. Protocol cores take `nowMs` as an argument; the drivers beside them own a `Clock`.
 * No other file of the project calls `Date.now`, `performance.now`, `setTimeout` or `setInterval`.
 */
export interface Clock {
  /** Monotonic milliseconds with a fraction. Only differences mean something. */
  nowMs(): number;
  /** Wall-clock time, for dates that people and webhooks read. */
  wallMs(): number;
  /** Calls `fn` once after `delayMs` (clamped to 0). A throw of `fn` is the caller's to prevent. */
  after(delayMs: number, fn: () => void): Timer;
}

/** A pending call of `Clock.after`. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

class SystemTimer implements Timer {
  #handle: NodeJS.Timeout;
  constructor(handle: NodeJS.Timeout) {
    this.#handle = handle;
  }
  cancel(): void {
    clearTimeout(this.#handle);
  }
}

/** The machine's own time. Longest delay of `after`: 2^31-1 ms (24.8 days), longer ones are clamped to it. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, fn) => new SystemTimer(setTimeout(fn, Math.min(Math.max(delayMs, 0), 0x7fffffff))),
};

/** Resolves after `delayMs` of `clock`, or rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
