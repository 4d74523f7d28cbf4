/**
 * RTCP between us and a browser: walking compound packets, feedback messages (RFC 4585 §6, RFC 5104 §4.3.1,
 * draft-alvestrand-rmcat-remb-03 §2.2) and reports that carry many blocks (RFC 3550 §6.4). Pure.
 */
import type { ReportBlock } from './rtcp.ts';

export const RTCP_SR = 200;
export const RTCP_RR = 201;
export const RTCP_RTPFB = 205;
export const RTCP_PSFB = 206;

/** `count` field of an RTPFB packet. */
export const RTPFB_NACK = 1;
export const RTPFB_TWCC = 15;
/** `count` field of a PSFB packet. */
export const PSFB_PLI = 1;
export const PSFB_FIR = 4;
export const PSFB_AFB = 15;

const REMB_MARK = 0x52454d42;

/** Walks the packets of one compound (or reduced-size) RTCP datagram. Kept per transport. */
export class RtcpCursor {
  buffer: Buffer = Buffer.alloc(0);
  /** Offset of the current packet's header. */
  offset = 0;
  /** End of the current packet, without padding. */
  end = 0;
  type = 0;
  /** Report count or feedback message type. */
  count = 0;
  #next = 0;

  reset(buffer: Buffer): void {
    this.buffer = buffer;
    this.#next = 0;
  }

  /** Steps to the next packet; false at the end and at the first malformed one. */
  next(): boolean {
    const { buffer } = this;
    const at = this.#next;
    if (at + 8 > buffer.length) return false;
    const first = buffer[at] as number;
    if (first >> 6 !== 2) return false;
    const next = at + (buffer.readUInt16BE(at + 2) + 1) * 4;
    if (next > buffer.length) return false;
    this.#next = next;
    const padding = first & 0x20 ? (buffer[next - 1] as number) : 0;
    this.offset = at;
    this.end = Math.max(at + 4, next - padding);
    this.type = buffer[at + 1] as number;
    this.count = first & 0x1f;
    return true;
  }

  /** SSRC of the sender of this packet; 0 when the packet is too short to have one. */
  get senderSsrc(): number {
    return this.offset + 8 <= this.end ? this.buffer.readUInt32BE(this.offset + 4) : 0;
  }

  /** SSRC of the media a feedback message is about; 0 when the packet is too short to have one. */
  get mediaSsrc(): number {
    return this.offset + 12 <= this.end ? this.buffer.readUInt32BE(this.offset + 8) : 0;
  }
}

/** Sequence numbers of a generic NACK (RFC 4585 §6.2.1) are pushed to `out`. At most 1,000 of one message. */
export function readNack(cursor: RtcpCursor, out: number[]): void {
  for (let o = cursor.offset + 12; o + 4 <= cursor.end && out.length < 1000; o += 4) {
    const first = cursor.buffer.readUInt16BE(o);
    const mask = cursor.buffer.readUInt16BE(o + 2);
    out.push(first);
    for (let bit = 0; bit < 16; bit++) if (mask & (1 << bit)) out.push((first + bit + 1) & 0xffff);
  }
}

/** SSRCs of a full intra request (RFC 5104 §4.3.1). */
export function readFir(cursor: RtcpCursor): number[] {
  const out: number[] = [];
  for (let o = cursor.offset + 12; o + 8 <= cursor.end; o += 8) out.push(cursor.buffer.readUInt32BE(o));
  return out;
}

/** Bit rate of a REMB in bit/s, null when the message is none. */
export function readRemb(cursor: RtcpCursor): number | null {
  const o = cursor.offset + 12;
  if (o + 8 > cursor.end || cursor.buffer.readUInt32BE(o) !== REMB_MARK) return null;
  const word = cursor.buffer.readUInt32BE(o + 4);
  const mantissa = word & 0x3ffff;
  return mantissa * 2 ** ((word >>> 18) & 0x3f);
}

/** What a sender report says about time: `ntp` in 2^-32 s since 1900 as two words. */
export interface SenderInfo {
  ssrc: number;
  ntpSeconds: number;
  ntpFraction: number;
  rtpTimestamp: number;
}

/** The sender's part of an SR, null when too short. */
export function readSenderInfo(cursor: RtcpCursor): SenderInfo | null {
  const { buffer, offset } = cursor;
  if (offset + 28 > cursor.end) return null;
  return {
    ssrc: buffer.readUInt32BE(offset + 4),
    ntpSeconds: buffer.readUInt32BE(offset + 8),
    ntpFraction: buffer.readUInt32BE(offset + 12),
    rtpTimestamp: buffer.readUInt32BE(offset + 16),
  };
}

/** Report blocks of an SR or RR. */
export function readReportBlocks(cursor: RtcpCursor): ReportBlock[] {
  const { buffer, end } = cursor;
  const out: ReportBlock[] = [];
  let o = cursor.offset + (cursor.type === RTCP_SR ? 28 : 8);
  for (let i = 0; i < cursor.count && o + 24 <= end; i++, o += 24) {
    out.push({
      ssrc: buffer.readUInt32BE(o),
      fractionLost: buffer[o + 4] as number,
      lost: (buffer.readUInt32BE(o + 4) << 8) >> 8,
      extendedHighest: buffer.readUInt32BE(o + 8),
      jitter: buffer.readUInt32BE(o + 12),
      lastSr: buffer.readUInt32BE(o + 16),
      delaySinceLastSr: buffer.readUInt32BE(o + 20),
    });
  }
  return out;
}

function head(buffer: Buffer, type: number, count: number): void {
  buffer[0] = 0x80 | count;
  buffer[1] = type;
  buffer.writeUInt16BE(buffer.length / 4 - 1, 2);
}

/** Picture loss indication (RFC 4585 §6.3.1). */
export function writePli(senderSsrc: number, mediaSsrc: number): Buffer {
  const buffer = Buffer.alloc(12);
  head(buffer, RTCP_PSFB, PSFB_PLI);
  buffer.writeUInt32BE(senderSsrc, 4);
  buffer.writeUInt32BE(mediaSsrc, 8);
  return buffer;
}

/** Generic NACK for `sequenceNumbers` (ascending in serial order, not empty). */
export function writeNack(senderSsrc: number, mediaSsrc: number, sequenceNumbers: readonly number[]): Buffer {
  const words: number[] = [];
  let first = -1;
  let mask = 0;
  for (const seq of sequenceNumbers) {
    const distance = (seq - first) & 0xffff;
    if (first >= 0 && distance >= 1 && distance <= 16) {
      mask |= 1 << (distance - 1);
      continue;
    }
    if (first >= 0) words.push(((first << 16) | mask) >>> 0);
    first = seq;
    mask = 0;
  }
  if (first >= 0) words.push(((first << 16) | mask) >>> 0);
  const buffer = Buffer.alloc(12 + words.length * 4);
  head(buffer, RTCP_RTPFB, RTPFB_NACK);
  buffer.writeUInt32BE(senderSsrc, 4);
  buffer.writeUInt32BE(mediaSsrc, 8);
  words.forEach((word, i) => buffer.writeUInt32BE(word, 12 + i * 4));
  return buffer;
}

/** Receiver report; blocks beyond 31 are left out (the caller sends them in another packet). */
export function writeReceiverReport(senderSsrc: number, blocks: readonly ReportBlock[]): Buffer {
  const count = Math.min(31, blocks.length);
  const buffer = Buffer.alloc(8 + count * 24);
  head(buffer, RTCP_RR, count);
  buffer.writeUInt32BE(senderSsrc, 4);
  for (let i = 0; i < count; i++) writeBlock(buffer, 8 + i * 24, blocks[i] as ReportBlock);
  return buffer;
}

function writeBlock(buffer: Buffer, o: number, block: ReportBlock): void {
  buffer.writeUInt32BE(block.ssrc >>> 0, o);
  const lost = Math.max(-0x800000, Math.min(0x7fffff, block.lost));
  buffer.writeUInt32BE(((block.fractionLost << 24) | (lost & 0xffffff)) >>> 0, o + 4);
  buffer.writeUInt32BE(block.extendedHighest >>> 0, o + 8);
  buffer.writeUInt32BE(Math.min(0xffffffff, Math.max(0, Math.floor(block.jitter))), o + 12);
  buffer.writeUInt32BE(block.lastSr >>> 0, o + 16);
  buffer.writeUInt32BE(block.delaySinceLastSr >>> 0, o + 20);
}

/** Sender report without report blocks. */
export function writeSenderReport(info: SenderInfo, sent: { packets: number; octets: number }): Buffer {
  const buffer = Buffer.alloc(28);
  head(buffer, RTCP_SR, 0);
  buffer.writeUInt32BE(info.ssrc >>> 0, 4);
  buffer.writeUInt32BE(info.ntpSeconds >>> 0, 8);
  buffer.writeUInt32BE(info.ntpFraction >>> 0, 12);
  buffer.writeUInt32BE(info.rtpTimestamp >>> 0, 16);
  buffer.writeUInt32BE(sent.packets >>> 0, 20);
  buffer.writeUInt32BE(sent.octets >>> 0, 24);
  return buffer;
}
