import { and, asc, eq, gte, lte, or } from 'drizzle-orm';
import type { Page, PageRequest } from '../base/paging.ts';
import type { AccountSid, RoomRecordingSid, RoomSid } from '../base/sid.ts';
import type { RoomRecordingFilter, RoomRecordingRecord, RoomRecordingRepository, StorageSettings } from '../recording/model.ts';
import type { Database } from './database.ts';
import { readPage, recordOf } from './page.ts';
import { recordingSettings, roomRecordings } from './schema.ts';
import { storable } from './storable.ts';
import type { WriteQueue } from './write-queue.ts';

/** What is known of recorded tracks; their media lies in files. */
export class RoomRecordingStore implements RoomRecordingRepository {
  readonly #db: Database;
  readonly #queue: WriteQueue;

  constructor(db: Database, queue: WriteQueue) {
    this.#db = db;
    this.#queue = queue;
  }

  saveRecording(record: RoomRecordingRecord): void {
    const row = storable(record);
    this.#queue.push(record.sid, (db) => db.insert(roomRecordings).values(row).onConflictDoUpdate({ target: roomRecordings.sid, set: row }));
  }

  async findRecording(accountSid: AccountSid, sid: RoomRecordingSid): Promise<RoomRecordingRecord | null> {
    await this.#queue.settled();
    const [row] = await this.#db.select().from(roomRecordings).where(and(eq(roomRecordings.accountSid, accountSid), eq(roomRecordings.sid, sid)));
    return row ? recordOf<RoomRecordingRecord>(row) : null;
  }

  async listRecordings(filter: RoomRecordingFilter, page: PageRequest): Promise<Page<RoomRecordingRecord>> {
    await this.#queue.settled();
    const { roomSid, status, type, sourceSid, groupingSids = [], createdAfterMs, createdBeforeMs } = filter;
    const where = and(
      eq(roomRecordings.accountSid, filter.accountSid),
      roomSid === undefined ? undefined : eq(roomRecordings.roomSid, roomSid),
      status === undefined ? undefined : eq(roomRecordings.status, status),
      type === undefined ? undefined : eq(roomRecordings.type, type),
      sourceSid === undefined ? undefined : eq(roomRecordings.trackSid, sourceSid),
      ...groupingSids.map((sid) => or(eq(roomRecordings.roomSid, sid), eq(roomRecordings.participantSid, sid))),
      createdAfterMs === undefined ? undefined : gte(roomRecordings.createdAtMs, createdAfterMs),
      createdBeforeMs === undefined ? undefined : lte(roomRecordings.createdAtMs, createdBeforeMs),
    );
    return readPage<RoomRecordingRecord>(this.#db, roomRecordings, { where, page });
  }

  async listOfRoom(roomSid: RoomSid): Promise<RoomRecordingRecord[]> {
    await this.#queue.settled();
    const rows = await this.#db.select().from(roomRecordings).where(eq(roomRecordings.roomSid, roomSid)).orderBy(asc(roomRecordings.seq));
    return rows.map((row) => recordOf<RoomRecordingRecord>(row));
  }

  async unfinishedRecordings(): Promise<RoomRecordingRecord[]> {
    await this.#queue.settled();
    const rows = await this.#db.select().from(roomRecordings).where(eq(roomRecordings.status, 'processing'));
    return rows.map((row) => recordOf<RoomRecordingRecord>(row));
  }

  saveSettings(record: StorageSettings): void {
    const row = storable(record);
    this.#queue.push(`recording settings ${record.accountSid}`, (db) => db.insert(recordingSettings).values(row).onConflictDoUpdate({ target: recordingSettings.accountSid, set: row }));
  }

  async findSettings(accountSid: AccountSid): Promise<StorageSettings | null> {
    await this.#queue.settled();
    const [row] = await this.#db.select().from(recordingSettings).where(eq(recordingSettings.accountSid, accountSid));
    return row ? recordOf<StorageSettings>(row) : null;
  }
}
