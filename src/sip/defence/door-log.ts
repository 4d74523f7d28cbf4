import type { Log } from '../../base/log.ts';

const WINDOW_MS = 60_000;
const LINES_PER_WINDOW = 10;

/** Tells of bans and floods, a few lines a minute however many senders there are. */
export class DoorLog {
  readonly #log: Log;
  #windowEndsMs = 0;
  #lines = 0;
  #untold = 0;
  /** Told of in this minute. */
  readonly #told = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  banned(address: string, banMs: number, nowMs: number): void {
    if (this.#mayTell(`ban ${address}`, nowMs)) this.#log.warn({ address, banS: Math.round(banMs / 1000) }, 'too many wrong passwords: nothing more is read from there for a while');
  }

  refused(address: string, reason: string, nowMs: number): void {
    if (reason !== 'banned' && this.#mayTell(`${reason} ${address}`, nowMs)) this.#log.warn({ address, reason }, 'more SIP messages than strangers may send: those beyond are not read');
  }

  #mayTell(what: string, nowMs: number): boolean {
    if (nowMs >= this.#windowEndsMs) this.#nextWindow(nowMs);
    if (this.#told.has(what)) return false;
    if (this.#lines >= LINES_PER_WINDOW) {
      this.#untold++;
      return false;
    }
    this.#told.add(what);
    this.#lines++;
    return true;
  }

  #nextWindow(nowMs: number): void {
    if (this.#untold > 0) this.#log.warn({ count: this.#untold }, 'more senders were held back or banned in the last minute than there were lines for');
    this.#windowEndsMs = nowMs + WINDOW_MS;
    this.#lines = 0;
    this.#untold = 0;
    this.#told.clear();
  }
}
