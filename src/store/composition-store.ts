import { and, asc, eq, gte, inArray, like, lte } from 'drizzle-orm';
import type { Page, PageRequest } from '../base/paging.ts';
import type { AccountSid, CompositionSid, HookSid } from '../base/sid.ts';
import type { CompositionFilter, CompositionHookRecord, CompositionRecord, CompositionRepository } from '../recording/composition/model.ts';
import type { StorageSettings } from '../recording/model.ts';
import type { Database } from './database.ts';
import { directoryWriter } from './directory-writer.ts';
import { readPage, recordOf } from './page.ts';
import { compositions, directory } from './schema.ts';
import { Shelf } from './shelf.ts';
import { storable } from './storable.ts';
import type { WriteQueue } from './write-queue.ts';

/** A document is found by its `sid`, and an account's own is another document. */
type StoredSettings = StorageSettings & { sid: string };

/** Compositions, a row each; their hooks and settings as documents beside those of the directory. */
export class CompositionStore implements CompositionRepository {
  readonly #db: Database;
  readonly #queue: WriteQueue;
  readonly #hooks: Shelf<CompositionHookRecord>;
  readonly #settings: Shelf<StoredSettings>;

  private constructor(db: Database, queue: WriteQueue) {
    this.#db = db;
    this.#queue = queue;
    const writer = directoryWriter(queue);
    this.#hooks = new Shelf('composition-hook', writer);
    this.#settings = new Shelf('composition-settings', writer);
  }

  static async load(db: Database, queue: WriteQueue): Promise<CompositionStore> {
    const store = new CompositionStore(db, queue);
    for (const { kind, record } of await db.select().from(directory).where(like(directory.kind, 'composition-%')).orderBy(asc(directory.seq))) {
      if (kind === 'composition-hook') store.#hooks.keep(record as unknown as CompositionHookRecord);
      else if (kind === 'composition-settings') store.#settings.keep(record as unknown as StoredSettings);
    }
    return store;
  }

  saveComposition(record: CompositionRecord): void {
    const row = storable(record);
    this.#queue.push(record.sid, (db) => db.insert(compositions).values(row).onConflictDoUpdate({ target: compositions.sid, set: row }));
  }

  async findComposition(accountSid: AccountSid, sid: CompositionSid): Promise<CompositionRecord | null> {
    await this.#queue.settled();
    const [row] = await this.#db.select().from(compositions).where(and(eq(compositions.accountSid, accountSid), eq(compositions.sid, sid)));
    return row ? recordOf<CompositionRecord>(row) : null;
  }

  async listCompositions(filter: CompositionFilter, page: PageRequest): Promise<Page<CompositionRecord>> {
    await this.#queue.settled();
    const where = and(
      eq(compositions.accountSid, filter.accountSid),
      filter.status === undefined ? undefined : eq(compositions.status, filter.status),
      filter.roomSid === undefined ? undefined : eq(compositions.roomSid, filter.roomSid),
      filter.createdAfterMs === undefined ? undefined : gte(compositions.createdAtMs, filter.createdAfterMs),
      filter.createdBeforeMs === undefined ? undefined : lte(compositions.createdAtMs, filter.createdBeforeMs),
    );
    return readPage<CompositionRecord>(this.#db, compositions, { where, page });
  }

  async unfinishedCompositions(): Promise<CompositionRecord[]> {
    await this.#queue.settled();
    const rows = await this.#db.select().from(compositions).where(inArray(compositions.status, ['enqueued', 'processing'])).orderBy(asc(compositions.seq));
    return rows.map((row) => recordOf<CompositionRecord>(row));
  }

  hook(accountSid: AccountSid, sid: HookSid): CompositionHookRecord | null {
    return this.#hooks.get(accountSid, sid);
  }
  hooks(accountSid: AccountSid): CompositionHookRecord[] {
    return this.#hooks.of(accountSid);
  }
  saveHook(record: CompositionHookRecord): Promise<void> {
    return this.#hooks.save(record);
  }
  deleteHook(sid: HookSid): Promise<void> {
    return this.#hooks.delete(sid);
  }

  settings(accountSid: AccountSid): StorageSettings | null {
    return this.#settings.of(accountSid)[0] ?? null;
  }
  saveSettings(record: StorageSettings): Promise<void> {
    return this.#settings.save({ ...record, sid: `composition-settings-${record.accountSid}` });
  }
}
