import { asc, like } from 'drizzle-orm';
import type { AccountSid, ByocTrunkSid, ConnectionPolicySid } from '../base/sid.ts';
import type { ByocTrunkRecord, ConnectionPolicyRecord, TrunkRepository } from '../voice/carrier/model.ts';
import type { Database } from './database.ts';
import { directoryWriter } from './directory-writer.ts';
import { directory } from './schema.ts';
import { Shelf, type ShelfWriter } from './shelf.ts';
import type { WriteQueue } from './write-queue.ts';

/** Trunks and connection policies, as documents beside those of the directory. */
export class TrunkStore implements TrunkRepository {
  readonly #trunks: Shelf<ByocTrunkRecord>;
  readonly #policies: Shelf<ConnectionPolicyRecord>;

  private constructor(writer: ShelfWriter) {
    this.#trunks = new Shelf('carrier-trunk', writer);
    this.#policies = new Shelf('carrier-policy', writer);
  }

  static async load(db: Database, queue: WriteQueue): Promise<TrunkStore> {
    const store = new TrunkStore(directoryWriter(queue));
    for (const { kind, record } of await db.select().from(directory).where(like(directory.kind, 'carrier-%')).orderBy(asc(directory.seq))) {
      if (kind === 'carrier-trunk') store.#trunks.keep(record as unknown as ByocTrunkRecord);
      else if (kind === 'carrier-policy') store.#policies.keep(record as unknown as ConnectionPolicyRecord);
    }
    return store;
  }

  trunk(accountSid: AccountSid, sid: ByocTrunkSid): ByocTrunkRecord | null {
    return this.#trunks.get(accountSid, sid);
  }
  trunks(accountSid: AccountSid): ByocTrunkRecord[] {
    return this.#trunks.of(accountSid);
  }
  allTrunks(): ByocTrunkRecord[] {
    return this.#trunks.all();
  }
  saveTrunk(record: ByocTrunkRecord): Promise<void> {
    return this.#trunks.save(record);
  }
  deleteTrunk(sid: ByocTrunkSid): Promise<void> {
    return this.#trunks.delete(sid);
  }

  policy(accountSid: AccountSid, sid: ConnectionPolicySid): ConnectionPolicyRecord | null {
    return this.#policies.get(accountSid, sid);
  }
  policies(accountSid: AccountSid): ConnectionPolicyRecord[] {
    return this.#policies.of(accountSid);
  }
  savePolicy(record: ConnectionPolicyRecord): Promise<void> {
    return this.#policies.save(record);
  }
  deletePolicy(sid: ConnectionPolicySid): Promise<void> {
    return this.#policies.delete(sid);
  }
}
