import { and, eq } from 'drizzle-orm';
import type { Page, PageRequest } from '../base/paging.ts';
import type { RoomSid } from '../base/sid.ts';
import type { TranscriptionsRecord, TranscriptionsRepository } from '../recording/transcription/model.ts';
import type { Database } from './database.ts';
import { readPage, recordOf } from './page.ts';
import { transcriptions } from './schema.ts';
import { storable } from './storable.ts';
import type { WriteQueue } from './write-queue.ts';

/** When which room was transcribed; what was said is not kept. */
export class TranscriptionsStore implements TranscriptionsRepository {
  readonly #db: Database;
  readonly #queue: WriteQueue;

  constructor(db: Database, queue: WriteQueue) {
    this.#db = db;
    this.#queue = queue;
  }

  saveTranscriptions(record: TranscriptionsRecord): void {
    const row = storable(record);
    this.#queue.push(record.ttid, (db) => db.insert(transcriptions).values(row).onConflictDoUpdate({ target: transcriptions.ttid, set: row }));
  }

  async findTranscriptions(roomSid: RoomSid, ttid: string): Promise<TranscriptionsRecord | null> {
    await this.#queue.settled();
    const [row] = await this.#db.select().from(transcriptions).where(and(eq(transcriptions.roomSid, roomSid), eq(transcriptions.ttid, ttid)));
    return row ? recordOf<TranscriptionsRecord>(row) : null;
  }

  async listTranscriptions(roomSid: RoomSid, page: PageRequest): Promise<Page<TranscriptionsRecord>> {
    await this.#queue.settled();
    return readPage<TranscriptionsRecord>(this.#db, transcriptions, { where: eq(transcriptions.roomSid, roomSid), page });
  }

  async closeStarted(nowMs: number): Promise<void> {
    await this.#queue.settled();
    await this.#db.update(transcriptions).set({ status: 'stopped', endedAtMs: nowMs, updatedAtMs: nowMs }).where(eq(transcriptions.status, 'started'));
  }
}
