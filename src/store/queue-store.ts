import { asc, eq } from 'drizzle-orm';
import type { QueueSid } from '../base/sid.ts';
import type { QueueRecord, QueueRepository } from '../voice/queue/model.ts';
import type { Database } from './database.ts';
import { recordOf } from './page.ts';
import { queues } from './schema.ts';
import { storable } from './storable.ts';
import type { WriteQueue } from './write-queue.ts';

/** Call queues in the database; what was there at the start is handed out once. */
export class QueueStore implements QueueRepository {
  readonly #queue: WriteQueue;
  readonly #found: QueueRecord[];

  private constructor(queue: WriteQueue, found: QueueRecord[]) {
    this.#queue = queue;
    this.#found = found;
  }

  static async load(db: Database, queue: WriteQueue): Promise<QueueStore> {
    const rows = await db.select().from(queues).orderBy(asc(queues.seq));
    return new QueueStore(queue, rows.map((row) => recordOf<QueueRecord>(row)));
  }

  queues(): QueueRecord[] {
    return this.#found;
  }

  saveQueue(record: QueueRecord): void {
    const row = storable(record);
    this.#queue.push(record.sid, (db) => db.insert(queues).values(row).onConflictDoUpdate({ target: queues.sid, set: row }));
  }

  deleteQueue(sid: QueueSid): void {
    this.#queue.push(sid, (db) => db.delete(queues).where(eq(queues.sid, sid)));
  }
}
