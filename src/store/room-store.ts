import { and, eq, gte, isNull, lte, type SQL } from 'drizzle-orm';
import type { Page, PageRequest } from '../base/paging.ts';
import type { AccountSid, ParticipantSid, RoomSid, TrackSid } from '../base/sid.ts';
import type { ParticipantFilter, ParticipantRecord, RoomFilter, RoomRecord, RoomRepository, TrackRecord } from '../rooms/model.ts';
import type { Database } from './database.ts';
import { readPage, recordOf } from './page.ts';
import { participants, rooms, tracks } from './schema.ts';
import { storable } from './storable.ts';
import type { WriteQueue } from './write-queue.ts';

/** Rooms, participants and tracks in the database. */
export class RoomStore implements RoomRepository {
  readonly #db: Database;
  readonly #queue: WriteQueue;

  constructor(db: Database, queue: WriteQueue) {
    this.#db = db;
    this.#queue = queue;
  }

  saveRoom(record: RoomRecord): void {
    const row = storable(record);
    this.#queue.push(record.sid, (db) => db.insert(rooms).values(row).onConflictDoUpdate({ target: rooms.sid, set: row }));
  }

  saveParticipant(record: ParticipantRecord): void {
    const row = storable(record);
    this.#queue.push(record.sid, (db) => db.insert(participants).values(row).onConflictDoUpdate({ target: participants.sid, set: row }));
  }

  saveTrack(record: TrackRecord): void {
    const row = storable(record);
    this.#queue.push(record.sid, (db) => db.insert(tracks).values(row).onConflictDoUpdate({ target: tracks.sid, set: row }));
  }

  async findRoom(accountSid: AccountSid, sid: RoomSid): Promise<RoomRecord | null> {
    await this.#queue.settled();
    const [row] = await this.#db.select().from(rooms).where(and(eq(rooms.accountSid, accountSid), eq(rooms.sid, sid)));
    return row ? recordOf<RoomRecord>(row) : null;
  }

  async listRooms(filter: RoomFilter, page: PageRequest): Promise<Page<RoomRecord>> {
    await this.#queue.settled();
    const where = and(
      eq(rooms.accountSid, filter.accountSid),
      filter.status === undefined ? undefined : eq(rooms.status, filter.status),
      filter.uniqueName === undefined ? undefined : eq(rooms.uniqueName, filter.uniqueName),
      ...between(rooms.createdAtMs, filter),
    );
    return readPage<RoomRecord>(this.#db, rooms, { where, page });
  }

  async findParticipant(roomSid: RoomSid, sid: ParticipantSid): Promise<ParticipantRecord | null> {
    await this.#queue.settled();
    const [row] = await this.#db.select().from(participants).where(and(eq(participants.roomSid, roomSid), eq(participants.sid, sid)));
    return row ? recordOf<ParticipantRecord>(row) : null;
  }

  async listParticipants(filter: ParticipantFilter, page: PageRequest): Promise<Page<ParticipantRecord>> {
    await this.#queue.settled();
    const where = and(
      eq(participants.roomSid, filter.roomSid),
      filter.status === undefined ? undefined : eq(participants.status, filter.status),
      filter.identity === undefined ? undefined : eq(participants.identity, filter.identity),
      ...between(participants.createdAtMs, filter),
    );
    return readPage<ParticipantRecord>(this.#db, participants, { where, page });
  }

  async findTrack(participantSid: ParticipantSid, sid: TrackSid): Promise<TrackRecord | null> {
    await this.#queue.settled();
    const [row] = await this.#db.select().from(tracks).where(and(eq(tracks.participantSid, participantSid), eq(tracks.sid, sid)));
    return row ? recordOf<TrackRecord>(row) : null;
  }

  async listTracks(participantSid: ParticipantSid, page: PageRequest): Promise<Page<TrackRecord>> {
    await this.#queue.settled();
    return readPage<TrackRecord>(this.#db, tracks, { where: and(eq(tracks.participantSid, participantSid), isNull(tracks.endedAtMs)), page });
  }

  async closeLeftovers(endedAtMs: number): Promise<RoomRecord[]> {
    return await this.#db.transaction(async (db) => {
      await db.update(tracks).set({ endedAtMs, updatedAtMs: endedAtMs }).where(isNull(tracks.endedAtMs));
      await db.update(participants).set({ status: 'disconnected', endedAtMs, updatedAtMs: endedAtMs, leaveReason: 'server-stopped' }).where(isNull(participants.endedAtMs));
      const rows = await db.update(rooms).set({ status: 'completed', endedAtMs, updatedAtMs: endedAtMs, endReason: 'server-stopped' }).where(isNull(rooms.endedAtMs)).returning();
      return rows.map((row) => recordOf<RoomRecord>(row));
    });
  }
}

function between(column: typeof rooms.createdAtMs | typeof participants.createdAtMs, filter: { createdAfterMs?: number; createdBeforeMs?: number }): (SQL | undefined)[] {
  return [
    filter.createdAfterMs === undefined ? undefined : gte(column, filter.createdAfterMs),
    filter.createdBeforeMs === undefined ? undefined : lte(column, filter.createdBeforeMs),
  ];
}
