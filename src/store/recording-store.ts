import { and, eq, gte, lte, notInArray } from 'drizzle-orm';
import type { Page, PageRequest } from '../base/paging.ts';
import type { AccountSid, RecordingSid } from '../base/sid.ts';
import type { RecordingFilter, RecordingRecord, RecordingRepository } from '../voice/recording/model.ts';
import type { Database } from './database.ts';
import { readPage, recordOf } from './page.ts';
import { recordings } from './schema.ts';
import { storable } from './storable.ts';
import type { WriteQueue } from './write-queue.ts';

/** What is known of recordings; their sound lies in files. */
export class RecordingStore implements RecordingRepository {
  readonly #db: Database;
  readonly #queue: WriteQueue;

  constructor(db: Database, queue: WriteQueue) {
    this.#db = db;
    this.#queue = queue;
  }

  saveRecording(record: RecordingRecord): void {
    const row = storable(record);
    this.#queue.push(record.sid, (db) => db.insert(recordings).values(row).onConflictDoUpdate({ target: recordings.sid, set: row }));
  }

  async findRecording(accountSid: AccountSid, sid: RecordingSid): Promise<RecordingRecord | null> {
    await this.#queue.settled();
    const [row] = await this.#db.select().from(recordings).where(and(eq(recordings.accountSid, accountSid), eq(recordings.sid, sid)));
    return row ? recordOf<RecordingRecord>(row) : null;
  }

  async listRecordings(filter: RecordingFilter, page: PageRequest): Promise<Page<RecordingRecord>> {
    await this.#queue.settled();
    const where = and(
      eq(recordings.accountSid, filter.accountSid),
      filter.callSid === undefined ? undefined : eq(recordings.callSid, filter.callSid),
      filter.conferenceSid === undefined ? undefined : eq(recordings.conferenceSid, filter.conferenceSid),
      filter.createdAfterMs === undefined ? undefined : gte(recordings.createdAtMs, filter.createdAfterMs),
      filter.createdBeforeMs === undefined ? undefined : lte(recordings.createdAtMs, filter.createdBeforeMs),
    );
    return readPage<RecordingRecord>(this.#db, recordings, { where, page });
  }

  async deleteRecording(accountSid: AccountSid, sid: RecordingSid): Promise<void> {
    await this.#queue.settled();
    await this.#db.delete(recordings).where(and(eq(recordings.accountSid, accountSid), eq(recordings.sid, sid)));
  }

  async unfinishedRecordings(): Promise<RecordingRecord[]> {
    await this.#queue.settled();
    const rows = await this.#db.select().from(recordings).where(notInArray(recordings.status, ['completed', 'absent']));
    return rows.map((row) => recordOf<RecordingRecord>(row));
  }
}
