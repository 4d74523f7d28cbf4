import type { AccountSid } from '../base/sid.ts';

interface Owned {
  sid: string;
  accountSid: AccountSid;
}

/** Where a shelf's documents are written through to. */
export interface ShelfWriter {
  write(kind: string, record: { sid: string }): Promise<void>;
  erase(sid: string): Promise<void>;
}

/** Documents of one kind, each owned by an account: answered from memory, written through. */
export class Shelf<R extends Owned> {
  readonly #kind: string;
  readonly #writer: ShelfWriter;
  readonly #records = new Map<string, R>();

  constructor(kind: string, writer: ShelfWriter) {
    this.#kind = kind;
    this.#writer = writer;
  }

  /** Puts back what the database has. */
  keep(record: R): void {
    this.#records.set(record.sid, record);
  }

  get(accountSid: AccountSid, sid: string): R | null {
    const record = this.#records.get(sid);
    return record?.accountSid === accountSid ? record : null;
  }

  /** Newest first. */
  of(accountSid: AccountSid): R[] {
    return [...this.#records.values()].filter((record) => record.accountSid === accountSid).reverse();
  }

  /** Of all accounts, newest first. */
  all(): R[] {
    return [...this.#records.values()].reverse();
  }

  save(record: R): Promise<void> {
    this.keep({ ...record });
    return this.#writer.write(this.#kind, { ...record });
  }

  delete(sid: string): Promise<void> {
    this.#records.delete(sid);
    return this.#writer.erase(sid);
  }
}
