import type { AccountSid, QueueSid } from '../../base/sid.ts';

/** A call queue as it is kept. Who waits in it lives only as long as its call. Dates are milliseconds since 1970, UTC. */
export interface QueueRecord {
  sid: QueueSid;
  accountSid: AccountSid;
  /** 1–64 characters, unique per account. */
  friendlyName: string;
  /** 1–5000, default 1000. */
  maxSize: number;
  createdAtMs: number;
  updatedAtMs: number;
}

/** Queues are few and asked for with each `<Enqueue>`: the implementation reads them whole at start and keeps them in memory. */
export interface QueueRepository {
  queues(): QueueRecord[];
  saveQueue(record: QueueRecord): void;
  deleteQueue(sid: QueueSid): void;
}

export const MAX_QUEUE_NAME_CHARS = 64;
export const DEFAULT_MAX_SIZE = 1000;
export const LARGEST_MAX_SIZE = 5000;
