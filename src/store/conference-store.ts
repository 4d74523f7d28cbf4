import { and, eq, gte, isNull, lte } from 'drizzle-orm';
import type { Page, PageRequest } from '../base/paging.ts';
import type { AccountSid, ConferenceSid } from '../base/sid.ts';
import type { ConferenceFilter, ConferenceRecord, ConferenceRepository } from '../voice/conference/model.ts';
import type { Database } from './database.ts';
import { readPage, recordOf } from './page.ts';
import { conferences } from './schema.ts';
import { storable } from './storable.ts';
import type { WriteQueue } from './write-queue.ts';

/** Conferences in the database, live ones and those that are over. */
export class ConferenceStore implements ConferenceRepository {
  readonly #db: Database;
  readonly #queue: WriteQueue;

  constructor(db: Database, queue: WriteQueue) {
    this.#db = db;
    this.#queue = queue;
  }

  saveConference(record: ConferenceRecord): void {
    const row = storable(record);
    this.#queue.push(record.sid, (db) => db.insert(conferences).values(row).onConflictDoUpdate({ target: conferences.sid, set: row }));
  }

  async findConference(accountSid: AccountSid, sid: ConferenceSid): Promise<ConferenceRecord | null> {
    await this.#queue.settled();
    const [row] = await this.#db.select().from(conferences).where(and(eq(conferences.accountSid, accountSid), eq(conferences.sid, sid)));
    return row ? recordOf<ConferenceRecord>(row) : null;
  }

  async listConferences(filter: ConferenceFilter, page: PageRequest): Promise<Page<ConferenceRecord>> {
    await this.#queue.settled();
    const where = and(
      eq(conferences.accountSid, filter.accountSid),
      filter.friendlyName === undefined ? undefined : eq(conferences.friendlyName, filter.friendlyName),
      filter.status === undefined ? undefined : eq(conferences.status, filter.status),
      filter.createdAfterMs === undefined ? undefined : gte(conferences.createdAtMs, filter.createdAfterMs),
      filter.createdBeforeMs === undefined ? undefined : lte(conferences.createdAtMs, filter.createdBeforeMs),
      filter.updatedAfterMs === undefined ? undefined : gte(conferences.updatedAtMs, filter.updatedAfterMs),
      filter.updatedBeforeMs === undefined ? undefined : lte(conferences.updatedAtMs, filter.updatedBeforeMs),
    );
    return readPage<ConferenceRecord>(this.#db, conferences, { where, page });
  }

  async closeLeftovers(endedAtMs: number): Promise<void> {
    await this.#db.update(conferences).set({ status: 'completed', endedAtMs, updatedAtMs: endedAtMs }).where(isNull(conferences.endedAtMs));
  }
}
