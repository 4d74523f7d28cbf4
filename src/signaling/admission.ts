import { randomInt } from 'node:crypto';
import type { Busy } from './tcmp.ts';

/** From here to a server that has started again. */
const DRAINING_RETRY_MS = 4000;
const FULL_RETRY_MS = 1000;
const MAX_FULL_RETRY_MS = 8000;
/** A browser that has found us full so often gives up: some 25 s. */
const MAX_TRIES = 6;

/**
 * Who is let in (rsp §2). A server that is about to stop, or is full, asks browsers to come again; one that it is full for each
 * time turns them away for good. Who comes back into its session is always let in.
 */
export class Admission {
  readonly #isFull: () => boolean;
  #draining = false;

  constructor(isFull: () => boolean) {
    this.#isFull = isFull;
  }

  /** Nobody new from now on. */
  drain(): void {
    this.#draining = true;
  }

  admit({ cookie, body }: { cookie: unknown; body: unknown }): Busy | null {
    if (isSync(body)) return null;
    if (this.#draining) return { retryAfterMs: spread(DRAINING_RETRY_MS), cookie: '0' };
    return this.#isFull() ? full(triesOf(cookie)) : null;
  }
}

function full(tries: number): Busy {
  if (tries >= MAX_TRIES) return { retryAfterMs: null, cookie: String(tries) };
  return { retryAfterMs: spread(Math.min(FULL_RETRY_MS * 2 ** tries, MAX_FULL_RETRY_MS)), cookie: String(tries + 1) };
}

/** Those who were sent away together do not come back together. */
function spread(delayMs: number): number {
  return randomInt(delayMs / 2, delayMs + 1);
}

function isSync(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'type' in body && body.type === 'sync';
}

/** Who makes its own cookie up cheats itself. */
function triesOf(cookie: unknown): number {
  return typeof cookie === 'string' && /^\d$/.test(cookie) ? Number(cookie) : 0;
}
