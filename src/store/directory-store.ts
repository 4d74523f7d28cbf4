import { asc, eq } from 'drizzle-orm';
import type { AccountSid, ApplicationSid, NumberSid } from '../base/sid.ts';
import type { AccountRecord, ApplicationRecord, CallerIdRecord, KeyDirectory, KeyRecord, PhoneNumberRecord } from '../voice/model.ts';
import type { Database } from './database.ts';
import { directory } from './schema.ts';
import { Shelf } from './shelf.ts';
import { storable } from './storable.ts';
import type { WriteQueue } from './write-queue.ts';

/** Accounts, keys, numbers, applications and verified caller ids: read whole at start, answered from memory, written through. */
export class DirectoryStore implements KeyDirectory {
  readonly #queue: WriteQueue;
  readonly #accounts = new Map<AccountSid, AccountRecord>();
  readonly #keys = new Map<string, KeyRecord>();
  readonly #numbers = new Map<NumberSid, PhoneNumberRecord>();
  readonly #byDigits = new Map<string, PhoneNumberRecord>();
  readonly #applications: Shelf<ApplicationRecord>;
  readonly #callerIds: Shelf<CallerIdRecord>;

  private constructor(queue: WriteQueue) {
    this.#queue = queue;
    const writer = { write: (kind: string, record: { sid: string }) => this.#write(kind, record), erase: (sid: string) => this.#delete(sid) };
    this.#applications = new Shelf('application', writer);
    this.#callerIds = new Shelf('caller-id', writer);
  }

  static async load(db: Database, queue: WriteQueue): Promise<DirectoryStore> {
    const store = new DirectoryStore(queue);
    for (const { kind, record } of await db.select().from(directory).orderBy(asc(directory.seq))) {
      if (kind === 'account') store.#keepAccount(record as unknown as AccountRecord);
      else if (kind === 'key') store.#keepKey(record as unknown as KeyRecord);
      else if (kind === 'number') store.#keepNumber(record as unknown as PhoneNumberRecord);
      else if (kind === 'application') store.#applications.keep(record as unknown as ApplicationRecord);
      else if (kind === 'caller-id') store.#callerIds.keep(record as unknown as CallerIdRecord);
    }
    return store;
  }

  account(sid: AccountSid): AccountRecord | null {
    return this.#accounts.get(sid) ?? null;
  }
  accounts(): AccountRecord[] {
    return [...this.#accounts.values()];
  }
  key(sid: string): KeyRecord | null {
    return this.#keys.get(sid) ?? null;
  }
  keys(accountSid: AccountSid): KeyRecord[] {
    return [...this.#keys.values()].filter((record) => record.accountSid === accountSid).reverse();
  }
  numberByDigits(phoneNumber: string): PhoneNumberRecord | null {
    return this.#byDigits.get(phoneNumber) ?? null;
  }
  number(accountSid: AccountSid, sid: NumberSid): PhoneNumberRecord | null {
    const record = this.#numbers.get(sid);
    return record?.accountSid === accountSid ? record : null;
  }
  numbers(accountSid: AccountSid): PhoneNumberRecord[] {
    return [...this.#numbers.values()].filter((record) => record.accountSid === accountSid).reverse();
  }

  saveAccount(record: AccountRecord): Promise<void> {
    this.#keepAccount({ ...record });
    return this.#write('account', { ...record });
  }
  saveKey(record: KeyRecord): Promise<void> {
    this.#keepKey({ ...record });
    return this.#write('key', { ...record });
  }
  deleteKey(sid: string): Promise<void> {
    this.#keys.delete(sid);
    return this.#delete(sid);
  }
  saveNumber(record: PhoneNumberRecord): Promise<void> {
    this.#keepNumber({ ...record });
    return this.#write('number', { ...record });
  }
  deleteNumber(sid: NumberSid): Promise<void> {
    const record = this.#numbers.get(sid);
    if (record) this.#byDigits.delete(record.phoneNumber);
    this.#numbers.delete(sid);
    return this.#delete(sid);
  }

  application(accountSid: AccountSid, sid: ApplicationSid): ApplicationRecord | null {
    return this.#applications.get(accountSid, sid);
  }
  applications(accountSid: AccountSid): ApplicationRecord[] {
    return this.#applications.of(accountSid);
  }
  saveApplication(record: ApplicationRecord): Promise<void> {
    return this.#applications.save(record);
  }
  deleteApplication(sid: ApplicationSid): Promise<void> {
    return this.#applications.delete(sid);
  }
  callerId(accountSid: AccountSid, sid: NumberSid): CallerIdRecord | null {
    return this.#callerIds.get(accountSid, sid);
  }
  callerIds(accountSid: AccountSid): CallerIdRecord[] {
    return this.#callerIds.of(accountSid);
  }
  saveCallerId(record: CallerIdRecord): Promise<void> {
    return this.#callerIds.save(record);
  }
  deleteCallerId(sid: NumberSid): Promise<void> {
    return this.#callerIds.delete(sid);
  }

  #keepAccount(record: AccountRecord): void {
    this.#accounts.set(record.sid, record);
  }
  #keepKey(record: KeyRecord): void {
    this.#keys.set(record.sid, record);
  }
  #keepNumber(record: PhoneNumberRecord): void {
    const before = this.#numbers.get(record.sid);
    if (before) this.#byDigits.delete(before.phoneNumber);
    this.#numbers.set(record.sid, record);
    this.#byDigits.set(record.phoneNumber, record);
  }

  #write(kind: string, record: { sid: string }): Promise<void> {
    const row = { sid: record.sid, kind, record: storable({ ...record }) };
    this.#queue.push(record.sid, (db) => db.insert(directory).values(row).onConflictDoUpdate({ target: directory.sid, set: { record: row.record } }));
    return this.#queue.settled();
  }
  #delete(sid: string): Promise<void> {
    this.#queue.push(sid, (db) => db.delete(directory).where(eq(directory.sid, sid)));
    return this.#queue.settled();
  }
}
