/** Waiting in tests: always for something, always bounded. */

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export interface WaitOptions {
  /** Default 10 000. */
  timeoutMs?: number;
  /** Default 50. */
  everyMs?: number;
  /** What was waited for, for the error. A function is asked at the end, so it can tell what was there instead. */
  what?: string | (() => string);
}

/**
 * Resolves with the first value of `condition` that is not false, null or undefined. Rejects after `timeoutMs`; an error
 * thrown by `condition` counts as "not yet" and is told when time is up.
 */
export async function waitUntil<T>(condition: () => T | Promise<T>, options: WaitOptions = {}): Promise<Exclude<T, false | null | undefined>> {
  const { timeoutMs = 10_000, everyMs = 50, what = 'a condition' } = options;
  const deadline = Date.now() + timeoutMs;
  let last: unknown = null;
  for (;;) {
    try {
      const value = await condition();
      if (value !== false && value !== null && value !== undefined) return value as Exclude<T, false | null | undefined>;
      last = null;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= deadline) {
      const told = typeof what === 'function' ? what() : what;
      throw new Error(`Waited ${timeoutMs} ms in vain for ${told}${last === null ? '' : `: ${String(last)}`}`);
    }
    await sleep(everyMs);
  }
}

/** The promise, or a rejection that says what took too long. */
export async function within<T>(timeoutMs: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
