/** Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1). Pure. */
import { RTCP_RTPFB, RTPFB_TWCC } from './rtcp-feedback.ts';
import type { RtcpCursor } from './rtcp-feedback.ts';

/** Reference time counts in 64 ms, deltas in 250 µs: 256 deltas a reference step. */
const TICKS_PER_MS = 4;
const TICKS_PER_REFERENCE = 256;

export interface TransportFeedback {
  senderSsrc: number;
  mediaSsrc: number;
  /** Number of this feedback message, 0–255. */
  feedbackCount: number;
  /** Transport sequence number of the first entry. */
  baseSequence: number;
  /** Arrival in 250 µs ticks of the receiver's clock (24 bit of 64 ms, then they wrap), null for a packet not received. */
  arrivals: (number | null)[];
}

const MAX_COUNT = 8192;

const NOT_RECEIVED = 0;
const SMALL_DELTA = 1;
const LARGE_DELTA = 2;

/** Milliseconds of a clock as ticks of 250 µs. */
export function ticksOfMs(ms: number): number {
  return Math.round(ms * TICKS_PER_MS);
}

/**
 * Writes one feedback message. It stops early when a delta does not fit 16 bits; `written` tells how many entries of
 * `arrivals` are in it, one at least.
 */
export function writeTransportFeedback(feedback: TransportFeedback): { packet: Buffer; written: number } {
  const symbols: number[] = [];
  const deltas: number[] = [];
  const first = feedback.arrivals.find((arrival) => arrival !== null) ?? 0;
  const reference = Math.floor(first / TICKS_PER_REFERENCE);
  let previous = reference * TICKS_PER_REFERENCE;
  for (const arrival of feedback.arrivals) {
    if (arrival === null) {
      symbols.push(NOT_RECEIVED);
      continue;
    }
    const delta = arrival - previous;
    if (delta < -0x8000 || delta > 0x7fff) break;
    symbols.push(delta >= 0 && delta <= 255 ? SMALL_DELTA : LARGE_DELTA);
    deltas.push(delta);
    previous = arrival;
  }
  return { packet: assemble(feedback, { symbols, deltas, reference }), written: symbols.length };
}

function assemble(feedback: TransportFeedback, body: { symbols: number[]; deltas: number[]; reference: number }): Buffer {
  const chunks = writeChunks(body.symbols);
  const deltaBytes = body.deltas.reduce((sum, d) => sum + (d >= 0 && d <= 255 ? 1 : 2), 0);
  const used = 20 + chunks.length * 2 + deltaBytes;
  const buffer = Buffer.alloc(Math.ceil(used / 4) * 4);
  const padding = buffer.length - used;
  buffer[0] = 0x80 | (padding > 0 ? 0x20 : 0) | RTPFB_TWCC;
  buffer[1] = RTCP_RTPFB;
  buffer.writeUInt16BE(buffer.length / 4 - 1, 2);
  buffer.writeUInt32BE(feedback.senderSsrc, 4);
  buffer.writeUInt32BE(feedback.mediaSsrc, 8);
  buffer.writeUInt16BE(feedback.baseSequence & 0xffff, 12);
  buffer.writeUInt16BE(body.symbols.length, 14);
  buffer.writeUInt32BE((((body.reference & 0xffffff) << 8) | (feedback.feedbackCount & 0xff)) >>> 0, 16);
  let o = 20;
  for (const chunk of chunks) o = buffer.writeUInt16BE(chunk, o);
  for (const delta of body.deltas) o = delta >= 0 && delta <= 255 ? buffer.writeUInt8(delta, o) : buffer.writeInt16BE(delta, o);
  if (padding > 0) buffer[buffer.length - 1] = padding;
  return buffer;
}

/** §3.1.3, §3.1.4: a run length where it is shorter, else 14 one-bit or 7 two-bit symbols. */
function writeChunks(symbols: readonly number[]): number[] {
  const chunks: number[] = [];
  let i = 0;
  while (i < symbols.length) {
    const run = runLength(symbols, i);
    const oneBit = fitsOneBit(symbols, i);
    if (run >= (oneBit ? 14 : 7) || i + run === symbols.length) {
      chunks.push(((symbols[i] as number) << 13) | run);
      i += run;
    } else {
      chunks.push(oneBit ? vector(symbols, i, { count: 14, bits: 1 }) : vector(symbols, i, { count: 7, bits: 2 }));
      i += oneBit ? 14 : 7;
    }
  }
  return chunks;
}

function runLength(symbols: readonly number[], from: number): number {
  let run = 1;
  while (run < 0x1fff && from + run < symbols.length && symbols[from + run] === symbols[from]) run++;
  return run;
}

function fitsOneBit(symbols: readonly number[], from: number): boolean {
  const to = Math.min(from + 14, symbols.length);
  for (let i = from; i < to; i++) if (symbols[i] === LARGE_DELTA) return false;
  return true;
}

function vector(symbols: readonly number[], from: number, shape: { count: 14 | 7; bits: 1 | 2 }): number {
  let chunk = 0x8000 | (shape.bits === 2 ? 0x4000 : 0);
  for (let i = 0; i < shape.count; i++) chunk |= (symbols[from + i] ?? NOT_RECEIVED) << ((shape.count - 1 - i) * shape.bits);
  return chunk;
}

/** Reads a feedback message; null when it is malformed. */
export function readTransportFeedback(cursor: RtcpCursor): TransportFeedback | null {
  const { buffer, offset, end } = cursor;
  if (offset + 20 > end) return null;
  const count = buffer.readUInt16BE(offset + 14);
  // A few bytes can claim 65,535 packets: more than a second of any video is nothing we have kept.
  if (count > MAX_COUNT) return null;
  const symbols: number[] = [];
  let o = offset + 20;
  while (symbols.length < count) {
    if (o + 2 > end) return null;
    readChunk(buffer.readUInt16BE(o), symbols, count);
    o += 2;
  }
  const arrivals = readDeltas(cursor, symbols, { from: o, ticks: (buffer.readInt32BE(offset + 16) >> 8) * TICKS_PER_REFERENCE });
  if (!arrivals) return null;
  return {
    senderSsrc: cursor.senderSsrc,
    mediaSsrc: cursor.mediaSsrc,
    feedbackCount: buffer[offset + 19] as number,
    baseSequence: buffer.readUInt16BE(offset + 12),
    arrivals,
  };
}

function readChunk(chunk: number, symbols: number[], count: number): void {
  if ((chunk & 0x8000) === 0) {
    const run = Math.min(chunk & 0x1fff, count - symbols.length);
    // An empty run would never end the loop of the caller; it counts as one unknown packet.
    for (let i = 0; i < Math.max(run, 1); i++) symbols.push((chunk >> 13) & 3);
    return;
  }
  const bits = chunk & 0x4000 ? 2 : 1;
  const each = bits === 2 ? 7 : 14;
  for (let i = 0; i < each && symbols.length < count; i++) symbols.push((chunk >> ((each - 1 - i) * bits)) & (bits === 2 ? 3 : 1));
}

function readDeltas(cursor: RtcpCursor, symbols: readonly number[], start: { from: number; ticks: number }): (number | null)[] | null {
  const arrivals: (number | null)[] = [];
  let { from: o, ticks } = start;
  for (const symbol of symbols) {
    if (symbol === NOT_RECEIVED || symbol === 3) {
      arrivals.push(null);
      continue;
    }
    const size = symbol === SMALL_DELTA ? 1 : 2;
    if (o + size > cursor.end) return null;
    ticks += size === 1 ? (cursor.buffer[o] as number) : cursor.buffer.readInt16BE(o);
    o += size;
    arrivals.push(ticks);
  }
  return arrivals;
}
