import { and, eq, gte, isNull, lte } from 'drizzle-orm';
import { randomUUID } from 'node:crypto';
import type { Page, PageRequest } from '../base/paging.ts';
import type { AccountSid, CallSid, NotificationSid } from '../base/sid.ts';
import type { CallEventRecord, CallFilter, CallQuality, CallRecord, CallRepository, NotificationFilter, NotificationRecord } from '../voice/model.ts';
import type { Database } from './database.ts';
import { readPage, recordOf } from './page.ts';
import { callEvents, calls, notifications } from './schema.ts';
import { storable } from './storable.ts';
import type { WriteQueue } from './write-queue.ts';

/** Calls, their debugger entries and their webhook exchanges in the database. */
export class CallStore implements CallRepository {
  readonly #db: Database;
  readonly #queue: WriteQueue;

  constructor(db: Database, queue: WriteQueue) {
    this.#db = db;
    this.#queue = queue;
  }

  saveCall(record: CallRecord): void {
    const row = storable(record);
    this.#queue.push(record.sid, (db) => db.insert(calls).values(row).onConflictDoUpdate({ target: calls.sid, set: row }));
  }

  saveQuality(sid: CallSid, quality: CallQuality): void {
    this.#queue.push(`quality of ${sid}`, (db) => db.update(calls).set({ quality }).where(eq(calls.sid, sid)));
  }

  saved(): Promise<void> {
    return this.#queue.settled();
  }

  saveNotification(record: NotificationRecord): void {
    const row = storable(record);
    this.#queue.push(record.sid, (db) => db.insert(notifications).values(row).onConflictDoNothing());
  }

  saveEvent(record: CallEventRecord): void {
    const row = storable(record);
    this.#queue.push(randomUUID(), (db) => db.insert(callEvents).values(row));
  }

  async findCall(accountSid: AccountSid, sid: CallSid): Promise<CallRecord | null> {
    await this.#queue.settled();
    const [row] = await this.#db.select().from(calls).where(and(eq(calls.accountSid, accountSid), eq(calls.sid, sid)));
    return row ? recordOf<CallRecord>(row) : null;
  }

  async listCalls(filter: CallFilter, page: PageRequest): Promise<Page<CallRecord>> {
    await this.#queue.settled();
    const where = and(
      eq(calls.accountSid, filter.accountSid),
      filter.to === undefined ? undefined : eq(calls.to, filter.to),
      filter.from === undefined ? undefined : eq(calls.from, filter.from),
      filter.parentCallSid === undefined ? undefined : eq(calls.parentCallSid, filter.parentCallSid),
      filter.status === undefined ? undefined : eq(calls.status, filter.status),
      filter.startedAfterMs === undefined ? undefined : gte(calls.startedAtMs, filter.startedAfterMs),
      filter.startedBeforeMs === undefined ? undefined : lte(calls.startedAtMs, filter.startedBeforeMs),
      filter.endedAfterMs === undefined ? undefined : gte(calls.endedAtMs, filter.endedAfterMs),
      filter.endedBeforeMs === undefined ? undefined : lte(calls.endedAtMs, filter.endedBeforeMs),
    );
    return readPage<CallRecord>(this.#db, calls, { where, page });
  }

  async deleteCall(accountSid: AccountSid, sid: CallSid): Promise<void> {
    await this.#queue.settled();
    await this.#db.transaction(async (db) => {
      const gone = await db.delete(calls).where(and(eq(calls.accountSid, accountSid), eq(calls.sid, sid))).returning({ sid: calls.sid });
      if (gone.length === 0) return;
      await db.delete(notifications).where(eq(notifications.callSid, sid));
      await db.delete(callEvents).where(eq(callEvents.callSid, sid));
    });
  }

  async listNotifications(filter: NotificationFilter, page: PageRequest): Promise<Page<NotificationRecord>> {
    await this.#queue.settled();
    const where = and(
      eq(notifications.accountSid, filter.accountSid),
      filter.callSid === undefined ? undefined : eq(notifications.callSid, filter.callSid),
      filter.log === undefined ? undefined : eq(notifications.log, filter.log),
      filter.messageAfterMs === undefined ? undefined : gte(notifications.messageAtMs, filter.messageAfterMs),
      filter.messageBeforeMs === undefined ? undefined : lte(notifications.messageAtMs, filter.messageBeforeMs),
    );
    return readPage<NotificationRecord>(this.#db, notifications, { where, page });
  }

  async findNotification(accountSid: AccountSid, sid: NotificationSid): Promise<NotificationRecord | null> {
    await this.#queue.settled();
    const [row] = await this.#db.select().from(notifications).where(and(eq(notifications.accountSid, accountSid), eq(notifications.sid, sid)));
    return row ? recordOf<NotificationRecord>(row) : null;
  }

  async listEvents(callSid: CallSid, page: PageRequest): Promise<Page<CallEventRecord>> {
    await this.#queue.settled();
    return readPage<CallEventRecord>(this.#db, callEvents, { where: eq(callEvents.callSid, callSid), page });
  }

  async closeLeftovers(endedAtMs: number): Promise<CallRecord[]> {
    const rows = await this.#db
      .update(calls)
      .set({ status: 'failed', endedAtMs, updatedAtMs: endedAtMs, terminationReason: 'server-killed' })
      .where(isNull(calls.endedAtMs))
      .returning();
    return rows.map((row) => recordOf<CallRecord>(row));
  }
}
