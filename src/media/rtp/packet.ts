/** RTP packet grammar (RFC 3550 §5.1, header extensions RFC 8285). Pure; nothing is allocated per packet. */

export const RTP_HEADER_BYTES = 12;

/**
 * A parsed view on one RTP packet. Kept per stream and parsed into again: it is valid until the next `parseRtp` on it,
 * whoever wants to keep the packet copies `buffer`.
 */
export class RtpView {
  buffer: Buffer = Buffer.alloc(0);
  /** Bytes of `buffer` that belong to the packet. */
  length = 0;
  marker = false;
  payloadType = 0;
  sequenceNumber = 0;
  timestamp = 0;
  ssrc = 0;
  payloadOffset = 0;
  /** Without padding. */
  payloadLength = 0;
  /** Offset of the extension block's data, 0 when there is none; profile 0xBEDE or 0x100X. */
  extensionOffset = 0;
  extensionLength = 0;
  extensionProfile = 0;
  /** Audio level of RFC 6464 as 0 (loudest) … 127 (silence) -dBov; -1 when the sender tells none. Set by the transport. */
  audioLevel = -1;
  /** Orientation byte of video (3GPP TS 26.114 §7.4.5), -1 when the packet has none. Set by the transport. */
  videoOrientation = -1;
}

/** Parses `buffer` into `view`. False for anything that is not a well-formed RTP packet (RFC 3550 §A.1). */
export function parseRtp(view: RtpView, buffer: Buffer, length = buffer.length): boolean {
  if (length < RTP_HEADER_BYTES || length > buffer.length) return false;
  const b0 = buffer[0] as number;
  if (b0 >> 6 !== 2) return false;
  let offset = RTP_HEADER_BYTES + (b0 & 0x0f) * 4;
  if (offset > length) return false;
  view.extensionOffset = 0;
  view.extensionLength = 0;
  view.extensionProfile = 0;
  if (b0 & 0x10) {
    if (offset + 4 > length) return false;
    view.extensionProfile = buffer.readUInt16BE(offset);
    view.extensionLength = buffer.readUInt16BE(offset + 2) * 4;
    view.extensionOffset = offset + 4;
    offset += 4 + view.extensionLength;
    if (offset > length) return false;
  }
  let padding = 0;
  if (b0 & 0x20) {
    padding = buffer[length - 1] as number;
    if (padding === 0 || offset + padding > length) return false;
  }
  const b1 = buffer[1] as number;
  view.buffer = buffer;
  view.length = length;
  view.marker = (b1 & 0x80) !== 0;
  view.payloadType = b1 & 0x7f;
  view.sequenceNumber = buffer.readUInt16BE(2);
  view.timestamp = buffer.readUInt32BE(4);
  view.ssrc = buffer.readUInt32BE(8);
  view.payloadOffset = offset;
  view.payloadLength = length - offset - padding;
  return true;
}

/** Writes a 12-byte header without CSRC or extension. */
export function writeRtpHeader(
  buffer: Buffer,
  header: { payloadType: number; marker: boolean; sequenceNumber: number; timestamp: number; ssrc: number },
): void {
  buffer[0] = 0x80;
  buffer[1] = (header.marker ? 0x80 : 0) | header.payloadType;
  buffer.writeUInt16BE(header.sequenceNumber & 0xffff, 2);
  buffer.writeUInt32BE(header.timestamp >>> 0, 4);
  buffer.writeUInt32BE(header.ssrc >>> 0, 8);
}

/**
 * Finds a header extension by id (RFC 8285 §4.2 one-byte, §4.3 two-byte). Returns the offset of its data in
 * `view.buffer`, or -1. The length is left in `extensionDataLength.value`.
 */
export function findExtension(view: RtpView, id: number): number {
  if (view.extensionOffset === 0) return -1;
  const { buffer } = view;
  const end = view.extensionOffset + view.extensionLength;
  let o = view.extensionOffset;
  if (view.extensionProfile === 0xbede) {
    while (o < end) {
      const byte = buffer[o] as number;
      if (byte === 0) {
        o++;
        continue;
      }
      const elementId = byte >> 4;
      if (elementId === 15) return -1;
      const size = (byte & 0x0f) + 1;
      if (o + 1 + size > end) return -1;
      if (elementId === id) {
        extensionDataLength.value = size;
        return o + 1;
      }
      o += 1 + size;
    }
    return -1;
  }
  if (view.extensionProfile >> 4 !== 0x100) return -1;
  while (o + 1 < end) {
    const elementId = buffer[o] as number;
    if (elementId === 0) {
      o++;
      continue;
    }
    const size = buffer[o + 1] as number;
    if (o + 2 + size > end) return -1;
    if (elementId === id) {
      extensionDataLength.value = size;
      return o + 2;
    }
    o += 2 + size;
  }
  return -1;
}

/** Second result of `findExtension`. */
export const extensionDataLength = { value: 0 };

/** True when `a` comes after `b` in 16-bit serial arithmetic (RFC 1982). */
export function seqNewer(a: number, b: number): boolean {
  return a !== b && ((a - b) & 0xffff) < 0x8000;
}

/** RTP and RTCP share a port: packet types 192–223 are RTCP (RFC 5761 §4). */
export function isRtcp(buffer: Buffer): boolean {
  if (buffer.length < 2) return false;
  const type = buffer[1] as number;
  return type >= 192 && type <= 223;
}
