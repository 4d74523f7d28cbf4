import type { Log } from '../../base/log.ts';

/** Writes two lines for any number of messages that were left out in a row: when it begins, and when it is over. */
export class DroppedMessages {
  readonly #log: Log;
  readonly #what: string;
  #count = 0;

  constructor(log: Log, what: string) {
    this.#log = log;
    this.#what = what;
  }

  dropped(): void {
    if (this.#count === 0) this.#log.warn({}, `${this.#what}: its messages are left out`);
    this.#count++;
  }

  passed(): void {
    if (this.#count === 0) return;
    this.#log.warn({ messages: this.#count }, `${this.#what}: messages were left out, and go on now`);
    this.#count = 0;
  }
}
