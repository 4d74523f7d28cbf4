/** Retransmission payload format (RFC 4588 §4). Pure. */
import { parseRtp, RtpView } from '../rtp/packet.ts';

/**
 * Turns a retransmission back into the packet it repeats, in place. False when it carries none (padding to probe the
 * bandwidth).
 */
export function unwrapRtx(view: RtpView, original: { ssrc: number; payloadType: number }): boolean {
  if (view.payloadLength <= 2) return false;
  const { buffer, payloadOffset } = view;
  const sequenceNumber = buffer.readUInt16BE(payloadOffset);
  buffer.copyWithin(payloadOffset, payloadOffset + 2, view.payloadOffset + view.payloadLength);
  view.payloadLength -= 2;
  view.length = payloadOffset + view.payloadLength;
  view.payloadType = original.payloadType;
  view.sequenceNumber = sequenceNumber;
  view.ssrc = original.ssrc;
  // The padding is cut off with the length.
  buffer[0] = (buffer[0] as number) & ~0x20;
  buffer[1] = (view.marker ? 0x80 : 0) | original.payloadType;
  buffer.writeUInt16BE(sequenceNumber, 2);
  buffer.writeUInt32BE(original.ssrc >>> 0, 8);
  return true;
}

/** Sequence number a retransmission repeats, -1 when it is padding. */
export function rtxOriginalSequence(view: RtpView): number {
  return view.payloadLength > 2 ? view.buffer.readUInt16BE(view.payloadOffset) : -1;
}

const scratchView = new RtpView();

/** Writes `packet` as a retransmission into `target`; returns its length, 0 when it does not fit. */
export function wrapRtx(target: Buffer, packet: Buffer, rtx: { ssrc: number; payloadType: number; sequenceNumber: number }): number {
  const length = packet.length + 2;
  if (length > target.length || !parseRtp(scratchView, packet)) return 0;
  const { payloadOffset } = scratchView;
  packet.copy(target, 0, 0, payloadOffset);
  packet.copy(target, payloadOffset + 2, payloadOffset);
  target.writeUInt16BE(scratchView.sequenceNumber, payloadOffset);
  target[1] = (scratchView.marker ? 0x80 : 0) | rtx.payloadType;
  target.writeUInt16BE(rtx.sequenceNumber & 0xffff, 2);
  target.writeUInt32BE(rtx.ssrc >>> 0, 8);
  return length;
}
