import { headerKey } from './header-names.ts';
import { parseNumber } from './grammar.ts';
import { LIMITS } from './message.ts';
import type { Defect } from './parse.ts';

export type StreamItem =
  | { kind: 'message'; bytes: Buffer }
  /** CRLF CRLF between messages: answer with one CRLF (RFC 5626 §4.4.1). One stands for all that came at once. */
  | { kind: 'ping' }
  /** The stream cannot be read on; close it. `head`: of the message that broke it, to be answered with `defect` before. */
  | { kind: 'broken'; reason: string; head?: { bytes: Buffer; defect: Defect } };

const CR = 13;
const LF = 10;
const END_OF_HEAD = '\r\n\r\n';
const NOTHING = Buffer.alloc(0);
const FIRST_STORE_BYTES = 2_048;

/**
 * Cuts a byte stream into messages by Content-Length (RFC 3261 §18.3), never holding more than one message's limit. What comes in
 * crumbs is gathered in one place that grows, and looked through once.
 */
export class StreamParser {
  /** What is not cut yet; in `#store` between two pushes. */
  #rest: Buffer = NOTHING;
  #store: Buffer = NOTHING;
  /** So many bytes of `#rest` hold no end of a head. */
  #scanned = 0;
  /** Bytes of the message that has begun, once its head is complete. */
  #total: number | null = null;
  #broken = false;

  /** True while a message has begun and its end is still to come. */
  get halfMessage(): boolean {
    const { length } = this.#rest;
    return length > 0 && !(length < END_OF_HEAD.length && END_OF_HEAD.startsWith(this.#rest.toString('latin1')));
  }

  push(chunk: Buffer): StreamItem[] {
    if (this.#broken) return [];
    this.#rest = this.#rest.length === 0 ? chunk : this.#stored(chunk);
    const items: StreamItem[] = [];
    let pinged = false;
    for (let item = this.#next(); item; item = this.#next()) {
      if (item.kind !== 'ping' || !pinged) items.push(item);
      pinged ||= item.kind === 'ping';
      if (item.kind === 'broken') return items;
    }
    this.#keep();
    return items;
  }

  /** The rest with `chunk` behind it. */
  #stored(chunk: Buffer): Buffer {
    const held = this.#rest.length;
    this.#reserve(held + chunk.length);
    chunk.copy(this.#store, held);
    return this.#store.subarray(0, held + chunk.length);
  }

  #reserve(bytes: number): void {
    if (this.#store.length >= bytes) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, this.#store.length * 2, FIRST_STORE_BYTES));
    this.#rest.copy(larger);
    this.#store = larger;
  }

  /** A message that is whole leaves nothing behind that would take memory. */
  #keep(): void {
    const rest = this.#rest;
    if (rest.length === 0) {
      this.#store = NOTHING;
      this.#rest = NOTHING;
    } else {
      this.#reserve(rest.length);
      rest.copy(this.#store);
      this.#rest = this.#store.subarray(0, rest.length);
    }
  }

  #next(): StreamItem | null {
    return (this.#total === null ? this.#takeLineEnds() : null) ?? this.#takeMessage();
  }

  #takeLineEnds(): StreamItem | null {
    while (this.#rest[0] === CR && this.#rest[1] === LF) {
      const behind = this.#rest.length - 2;
      if (behind === 0 || (behind === 1 && this.#rest[2] === CR)) return null;
      const ping = this.#rest[2] === CR && this.#rest[3] === LF;
      this.#cut(ping ? 4 : 2);
      if (ping) return { kind: 'ping' };
    }
    return null;
  }

  #takeMessage(): StreamItem | null {
    const { length } = this.#rest;
    if (!this.halfMessage) return null;
    const broken = this.#total === null ? this.#readHead() : null;
    if (broken || this.#total === null || length < this.#total) return broken;
    // A copy where the store would be written over while the message is still in use.
    const message = this.#rest.subarray(0, this.#total);
    const bytes = this.#rest.buffer === this.#store.buffer ? Buffer.from(message) : message;
    this.#cut(this.#total);
    return { kind: 'message', bytes };
  }

  /** Sets `#total` once the head is there. */
  #readHead(): StreamItem | null {
    const end = this.#rest.indexOf(END_OF_HEAD, Math.max(0, this.#scanned - END_OF_HEAD.length));
    if (end < 0) {
      this.#scanned = this.#rest.length;
      return this.#rest.length > LIMITS.messageBytes ? this.#break('header section too large') : null;
    }
    const bytes = Buffer.from(this.#rest.subarray(0, end + END_OF_HEAD.length));
    const length = bodyLength(bytes.toString('latin1', 0, end));
    if (length === null) return this.#break('Content-Length missing or malformed', { bytes, defect: { statusCode: 400, reasonPhrase: 'Content-Length Missing Or Malformed' } });
    const total = end + END_OF_HEAD.length + length;
    if (total > LIMITS.messageBytes) return this.#break('message too large', { bytes, defect: { statusCode: 513, reasonPhrase: 'Message Too Large' } });
    this.#total = total;
    return null;
  }

  #cut(bytes: number): void {
    this.#rest = this.#rest.subarray(bytes);
    this.#scanned = 0;
    this.#total = null;
  }

  #break(reason: string, head?: { bytes: Buffer; defect: Defect }): StreamItem {
    this.#broken = true;
    this.#rest = NOTHING;
    this.#store = NOTHING;
    return { kind: 'broken', reason, ...(head && { head }) };
  }
}

/** Obligatory on a stream; two that differ would let one message hide in another. */
function bodyLength(head: string): number | null {
  let found: number | null = null;
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon < 0 || headerKey(line.slice(0, colon).trim()) !== 'content-length') continue;
    const length = parseNumber(line.slice(colon + 1).trim(), Number.MAX_SAFE_INTEGER);
    if (length === null || (found !== null && found !== length)) return null;
    found = length;
  }
  return found;
}
