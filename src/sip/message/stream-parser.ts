import { headerKey } from './header-names.ts';
import { parseNumber } from './grammar.ts';
import { LIMITS } from './message.ts';

export type StreamItem =
  | { kind: 'message'; bytes: Buffer }
  /** CRLF CRLF between messages: answer with one CRLF (RFC 5626 §4.4.1). */
  | { kind: 'ping' }
  /** The stream cannot be read on; close it. */
  | { kind: 'broken'; reason: string };

/** Cuts a byte stream into messages by Content-Length (RFC 3261 §18.3), never holding more than one message's limit. */
export class StreamParser {
  #buffered: Buffer = Buffer.alloc(0);
  #broken = false;

  /** True while a message has begun and its end is still to come. */
  get halfMessage(): boolean {
    return this.#buffered.length > 0 && this.#buffered[0] !== 13;
  }

  push(chunk: Buffer): StreamItem[] {
    if (this.#broken) return [];
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
    const items: StreamItem[] = [];
    for (let item = this.#next(); item; item = this.#next()) {
      items.push(item);
      if (item.kind === 'broken') return items;
    }
    return items;
  }

  #next(): StreamItem | null {
    return this.#takeLineEnds() ?? this.#takeMessage();
  }

  #takeLineEnds(): StreamItem | null {
    while (this.#buffered[0] === 13 && this.#buffered[1] === 10) {
      const rest = this.#buffered.length - 2;
      if (rest === 0 || (rest === 1 && this.#buffered[2] === 13)) return null;
      const ping = this.#buffered[2] === 13 && this.#buffered[3] === 10;
      this.#buffered = this.#buffered.subarray(ping ? 4 : 2);
      if (ping) return { kind: 'ping' };
    }
    return null;
  }

  #takeMessage(): StreamItem | null {
    const b = this.#buffered;
    if (b.length === 0 || (b[0] === 13 && b.length < 4)) return null;
    const end = b.indexOf('\r\n\r\n');
    if (end < 0) return b.length > LIMITS.messageBytes ? this.#break('header section too large') : null;
    const length = bodyLength(b.toString('latin1', 0, end));
    if (length === null) return this.#break('Content-Length missing or malformed');
    const total = end + 4 + length;
    if (total > LIMITS.messageBytes) return this.#break('message too large');
    if (b.length < total) return null;
    this.#buffered = b.subarray(total);
    return { kind: 'message', bytes: b.subarray(0, total) };
  }

  #break(reason: string): StreamItem {
    this.#broken = true;
    this.#buffered = Buffer.alloc(0);
    return { kind: 'broken', reason };
  }
}

/** Obligatory on a stream; two that differ would let one message hide in another. */
function bodyLength(head: string): number | null {
  let found: number | null = null;
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon < 0 || headerKey(line.slice(0, colon).trim()) !== 'content-length') continue;
    const length = parseNumber(line.slice(colon + 1).trim(), LIMITS.messageBytes);
    if (length === null || (found !== null && found !== length)) return null;
    found = length;
  }
  return found;
}
