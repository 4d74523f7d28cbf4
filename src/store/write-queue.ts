import { DrizzleQueryError } from 'drizzle-orm';
import { sleep, type Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Database } from './database.ts';

export type Write = (db: Database) => Promise<unknown>;

/** A row to be written, or somebody who waits for all that was asked for before. */
type Entry = { write: Write } | { reached: () => void };

const MAX_BATCH = 500;
const TRIES = 4;
const FIRST_RETRY_MS = 100;

/**
 * Writes in the background, in the order they were asked for, many to a transaction. A write under a key that still waits
 * takes the place of the earlier one, so a row that changes often is written once. Nothing here ever throws into a call.
 */
export class WriteQueue {
  readonly #db: Database;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Entry>();
  #working = false;
  #markers = 0;

  constructor(db: Database, { log, clock }: { log: Log; clock: Clock }) {
    this.#db = db;
    this.#log = log;
    this.#clock = clock;
  }

  push(key: string, write: Write): void {
    this.#waiting.set(key, { write });
    if (!this.#working) void this.#work();
  }

  /** Resolves when everything that was asked for before is written or given up; what comes later is not waited for. */
  settled(): Promise<void> {
    if (!this.#working) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.set(`marker ${this.#markers++}`, { reached: resolve }));
  }

  async #work(): Promise<void> {
    this.#working = true;
    // What is asked for in the same turn goes into the same transaction.
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting].slice(0, MAX_BATCH);
      for (const [key] of batch) this.#waiting.delete(key);
      await this.#carryOut(batch);
    }
    this.#working = false;
  }

  async #carryOut(batch: [key: string, entry: Entry][]): Promise<void> {
    const rows: [key: string, write: Write][] = [];
    for (const [key, entry] of batch) if ('write' in entry) rows.push([key, entry.write]);
    if (rows.length > 0 && !(await this.#tried(rows))) for (const row of rows) await this.#last(row);
    for (const [, entry] of batch) if ('reached' in entry) entry.reached();
  }

  async #tried(rows: [key: string, write: Write][]): Promise<boolean> {
    for (let tried = 1; ; tried++) {
      try {
        await this.#db.transaction(async (transaction) => {
          for (const [, write] of rows) await write(transaction);
        });
        return true;
      } catch (error) {
        this.#log.warn({ rows: rows.length, tried, error: reasonOf(error) }, 'the database did not take a batch');
        if (tried >= TRIES) return false;
        await sleep(this.#clock, FIRST_RETRY_MS * 2 ** (tried - 1));
      }
    }
  }

  /** One bad row must not take its neighbours with it. */
  async #last([key, write]: [key: string, write: Write]): Promise<void> {
    try {
      await write(this.#db);
    } catch (error) {
      this.#log.error({ row: key, error: reasonOf(error) }, 'a row was lost: the database does not take it');
    }
  }
}

/** What the database said. The query builder's own message holds the row, secrets among it, and goes into no log. */
function reasonOf(error: unknown): string {
  if (!(error instanceof DrizzleQueryError)) return messageOf(error);
  return error.cause ? messageOf(error.cause) : 'the query failed';
}
