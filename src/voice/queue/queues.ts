import type { Clock } from '../../base/clock.ts';
import { TwilioError } from '../../base/errors.ts';
import { newSid, parseSid, type AccountSid, type CallSid, type QueueSid } from '../../base/sid.ts';
import { DEFAULT_MAX_SIZE, LARGEST_MAX_SIZE, MAX_QUEUE_NAME_CHARS, type QueueRecord, type QueueRepository } from './model.ts';
import type { QueuedCall } from './queued-call.ts';

/** Somebody who dials a queue: offered each call that comes to its head, until it takes one. */
export type Taker = (call: QueuedCall) => void;

/** One queue and who waits in it, first come first served. */
export class CallQueue {
  readonly record: QueueRecord;
  readonly #clock: Clock;
  readonly #waiting: QueuedCall[] = [];
  readonly #takers: Taker[] = [];

  constructor(record: QueueRecord, clock: Clock) {
    this.record = record;
    this.#clock = clock;
  }

  /** From the head to the tail. */
  get waiting(): readonly QueuedCall[] {
    return this.#waiting;
  }

  /** A call comes in at the tail; the dialler who has waited longest gets it at once. */
  add(call: QueuedCall): void {
    this.#waiting.push(call);
    const taker = this.#takers.shift();
    const head = taker && this.#waiting.shift();
    if (taker && head) taker(head);
  }

  /** Who was taken in vain waits on at the head. */
  putBack(call: QueuedCall): void {
    const taker = this.#takers.shift();
    if (taker) taker(call);
    else this.#waiting.unshift(call);
  }

  /** Idempotent. */
  remove(call: QueuedCall): void {
    const at = this.#waiting.indexOf(call);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** Gives the head, now or when one comes; the returned function stops waiting for it. */
  take(taker: Taker): () => void {
    const head = this.#waiting.shift();
    if (head) taker(head);
    else this.#takers.push(taker);
    return () => {
      const at = this.#takers.indexOf(taker);
      if (at >= 0) this.#takers.splice(at, 1);
    };
  }

  /** 1 at the head; 0: not in it. */
  positionOf(call: QueuedCall): number {
    return this.#waiting.indexOf(call) + 1;
  }

  find(callSid: CallSid): QueuedCall | null {
    return this.#waiting.find((call) => call.callSid === callSid) ?? null;
  }

  /** Mean of how long those who wait have waited, in whole seconds. */
  averageWaitS(): number {
    if (this.#waiting.length === 0) return 0;
    const nowMs = this.#clock.wallMs();
    return Math.round(this.#waiting.reduce((sumMs, { enqueuedAtMs }) => sumMs + (nowMs - enqueuedAtMs), 0) / this.#waiting.length / 1000);
  }
}

/** All queues. Refusals are TwilioError. */
export class Queues {
  readonly #repository: QueueRepository;
  readonly #clock: Clock;
  readonly #bySid = new Map<QueueSid, CallQueue>();

  constructor(deps: { repository: QueueRepository; clock: Clock }) {
    this.#repository = deps.repository;
    this.#clock = deps.clock;
    for (const record of deps.repository.queues()) this.#bySid.set(record.sid, new CallQueue(record, deps.clock));
  }

  of(accountSid: AccountSid): CallQueue[] {
    return [...this.#bySid.values()].filter(({ record }) => record.accountSid === accountSid);
  }

  bySid(accountSid: AccountSid, text: string): CallQueue | null {
    const sid = parseSid('QU', text);
    const queue = sid && this.#bySid.get(sid);
    return queue?.record.accountSid === accountSid ? queue : null;
  }

  byName(accountSid: AccountSid, friendlyName: string): CallQueue | null {
    return this.of(accountSid).find(({ record }) => record.friendlyName === friendlyName) ?? null;
  }

  /** Throws 22001 (name), 22003 (name in use), 20001 (size). */
  create(accountSid: AccountSid, { friendlyName, maxSize = DEFAULT_MAX_SIZE }: { friendlyName: string | undefined; maxSize?: number | undefined }): CallQueue {
    const name = this.#checkedName(accountSid, friendlyName ?? '', null);
    const nowMs = this.#clock.wallMs();
    const queue = new CallQueue({ sid: newSid('QU'), accountSid, friendlyName: name, maxSize: checkedSize(maxSize), createdAtMs: nowMs, updatedAtMs: nowMs }, this.#clock);
    this.#bySid.set(queue.record.sid, queue);
    this.#repository.saveQueue({ ...queue.record });
    return queue;
  }

  /** Throws as `create`. */
  update({ record }: CallQueue, change: { friendlyName?: string | undefined; maxSize?: number | undefined }): void {
    const friendlyName = change.friendlyName === undefined ? record.friendlyName : this.#checkedName(record.accountSid, change.friendlyName, record.sid);
    const maxSize = checkedSize(change.maxSize ?? record.maxSize);
    Object.assign(record, { friendlyName, maxSize, updatedAtMs: this.#clock.wallMs() });
    this.#repository.saveQueue({ ...record });
  }

  /** Throws 22002 while somebody waits in it. */
  delete(queue: CallQueue): void {
    if (queue.waiting.length > 0) throw new TwilioError(22002, `The queue is not empty: ${queue.waiting.length} calls wait in it`);
    this.#bySid.delete(queue.record.sid);
    this.#repository.deleteQueue(queue.record.sid);
  }

  #checkedName(accountSid: AccountSid, name: string, own: QueueSid | null): string {
    const length = [...name.trim()].length;
    if (length === 0) throw new TwilioError(22001, 'FriendlyName is required');
    if (length > MAX_QUEUE_NAME_CHARS) throw new TwilioError(22001, `FriendlyName must not be longer than ${MAX_QUEUE_NAME_CHARS} characters`);
    const other = this.byName(accountSid, name.trim());
    if (other && other.record.sid !== own) throw new TwilioError(22003, `A queue named '${name.trim()}' exists already: ${other.record.sid}`);
    return name.trim();
  }
}

function checkedSize(size: number): number {
  if (!(Number.isInteger(size) && size >= 1 && size <= LARGEST_MAX_SIZE)) throw new TwilioError(20001, `MaxSize must be a whole number from 1 to ${LARGEST_MAX_SIZE}`);
  return size;
}
