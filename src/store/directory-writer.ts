import { eq } from 'drizzle-orm';
import { directory } from './schema.ts';
import type { ShelfWriter } from './shelf.ts';
import { storable } from './storable.ts';
import type { WriteQueue } from './write-queue.ts';

/** Writes documents of shelves through to the table of the directory; resolves when they are there. */
export function directoryWriter(queue: WriteQueue): ShelfWriter {
  return {
    write: (kind, record) => {
      const row = { sid: record.sid, kind, record: storable({ ...record }) };
      queue.push(record.sid, (db) => db.insert(directory).values(row).onConflictDoUpdate({ target: directory.sid, set: { record: row.record } }));
      return queue.settled();
    },
    erase: (sid) => {
      queue.push(sid, (db) => db.delete(directory).where(eq(directory.sid, sid)));
      return queue.settled();
    },
  };
}
