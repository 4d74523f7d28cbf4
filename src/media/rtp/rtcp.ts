/** RTCP of a phone leg: SR, RR, SDES, BYE (RFC 3550 §6). Pure. */

const SR = 200;
const RR = 201;
const SDES = 202;
const BYE = 203;
/** Seconds from 1900 (NTP) to 1970 (Unix). */
const NTP_OFFSET_S = 2_208_988_800;

/** What we tell of one stream we receive. */
export interface ReportBlock {
  ssrc: number;
  fractionLost: number;
  /** Packets; negative when more came than were sent. */
  lost: number;
  extendedHighest: number;
  jitter: number;
  /** Middle 32 bits of the last SR's NTP time, 0 when none came. */
  lastSr: number;
  /** Since that SR, in 1/65536 s. */
  delaySinceLastSr: number;
}

export interface ReportOptions {
  ssrc: number;
  cname: string;
  /** Wall-clock time of the report. */
  wallMs: number;
  /** Present when we have sent since the last report: makes it an SR. */
  sent: { rtpTimestamp: number; packets: number; octets: number } | null;
  received: ReportBlock | null;
  bye: boolean;
}

/** Writes a compound packet into `buffer` (256 bytes do); returns its length. */
export function writeReport(buffer: Buffer, options: ReportOptions): number {
  let offset = writeSenderOrReceiver(buffer, options);
  offset = writeSdes(buffer, offset, options);
  return options.bye ? writeBye(buffer, offset, options.ssrc) : offset;
}

function writeSenderOrReceiver(buffer: Buffer, options: ReportOptions): number {
  const { sent, received } = options;
  let offset = 8;
  if (sent) {
    const seconds = options.wallMs / 1000;
    buffer.writeUInt32BE((Math.floor(seconds) + NTP_OFFSET_S) >>> 0, 8);
    buffer.writeUInt32BE(Math.floor((seconds % 1) * 0x1_0000_0000) >>> 0, 12);
    buffer.writeUInt32BE(sent.rtpTimestamp >>> 0, 16);
    buffer.writeUInt32BE(sent.packets >>> 0, 20);
    buffer.writeUInt32BE(sent.octets >>> 0, 24);
    offset = 28;
  }
  if (received) offset = writeBlock(buffer, offset, received);
  writeHead(buffer, 0, { count: received ? 1 : 0, type: sent ? SR : RR, end: offset });
  buffer.writeUInt32BE(options.ssrc >>> 0, 4);
  return offset;
}

function writeBlock(buffer: Buffer, offset: number, block: ReportBlock): number {
  buffer.writeUInt32BE(block.ssrc >>> 0, offset);
  buffer.writeUInt32BE(((block.fractionLost << 24) | (Math.max(-0x800000, Math.min(block.lost, 0x7fffff)) & 0xffffff)) >>> 0, offset + 4);
  buffer.writeUInt32BE(block.extendedHighest >>> 0, offset + 8);
  buffer.writeUInt32BE(Math.floor(block.jitter) >>> 0, offset + 12);
  buffer.writeUInt32BE(block.lastSr >>> 0, offset + 16);
  buffer.writeUInt32BE(block.delaySinceLastSr >>> 0, offset + 20);
  return offset + 24;
}

function writeSdes(buffer: Buffer, offset: number, options: ReportOptions): number {
  const start = offset;
  const length = Math.min(Buffer.byteLength(options.cname), 64);
  buffer.writeUInt32BE(options.ssrc >>> 0, offset + 4);
  buffer[offset + 8] = 1;
  buffer[offset + 9] = length;
  buffer.write(options.cname, offset + 10, length);
  offset += 10 + length;
  do buffer[offset++] = 0;
  while ((offset - start) % 4 !== 0);
  writeHead(buffer, start, { count: 1, type: SDES, end: offset });
  return offset;
}

function writeBye(buffer: Buffer, offset: number, ssrc: number): number {
  writeHead(buffer, offset, { count: 1, type: BYE, end: offset + 8 });
  buffer.writeUInt32BE(ssrc >>> 0, offset + 4);
  return offset + 8;
}

function writeHead(buffer: Buffer, offset: number, head: { count: number; type: number; end: number }): void {
  buffer[offset] = 0x80 | head.count;
  buffer[offset + 1] = head.type;
  buffer.writeUInt16BE((head.end - offset) / 4 - 1, offset + 2);
}

/** What a peer's compound packet tells us. */
export interface RtcpReport {
  /** Middle 32 bits of the SR's NTP time; null without an SR. */
  senderReport: number | null;
  /** Whose SR that is; 0 without one. */
  senderSsrc: number;
  /** Reports on what we send. */
  blocks: { ssrc: number; fractionLost: number; lost: number; jitter: number; /** As of `ReportBlock`. */ lastSr: number; delaySinceLastSr: number }[];
  bye: boolean;
}

/** Reads a compound packet; null when it is malformed (RFC 3550 §A.2). Unknown packet types are passed over. */
export function parseRtcp(buffer: Buffer): RtcpReport | null {
  const report: RtcpReport = { senderReport: null, senderSsrc: 0, blocks: [], bye: false };
  let offset = 0;
  while (offset < buffer.length) {
    if (offset + 4 > buffer.length || (buffer[offset] as number) >> 6 !== 2) return null;
    const end = offset + (buffer.readUInt16BE(offset + 2) + 1) * 4;
    if (end > buffer.length) return null;
    readPacket(report, buffer, offset, end);
    offset = end;
  }
  return offset === 0 ? null : report;
}

function readPacket(report: RtcpReport, buffer: Buffer, offset: number, end: number): void {
  const type = buffer[offset + 1] as number;
  const count = (buffer[offset] as number) & 0x1f;
  if (type === BYE) report.bye = true;
  if (type === SR && offset + 28 <= end) {
    report.senderSsrc = buffer.readUInt32BE(offset + 4);
    report.senderReport = ((buffer.readUInt32BE(offset + 8) << 16) | (buffer.readUInt32BE(offset + 12) >>> 16)) >>> 0;
  }
  if (type !== SR && type !== RR) return;
  let o = offset + (type === SR ? 28 : 8);
  for (let i = 0; i < count && o + 24 <= end; i++, o += 24) {
    const lost = buffer.readUInt32BE(o + 4);
    report.blocks.push({ ssrc: buffer.readUInt32BE(o), fractionLost: lost >>> 24, lost: (lost << 8) >> 8, jitter: buffer.readUInt32BE(o + 12), lastSr: buffer.readUInt32BE(o + 16), delaySinceLastSr: buffer.readUInt32BE(o + 20) });
  }
}
