/** Tells where a key frame begins, from the payload of one packet. Pure; allocates nothing. */

/** True when the payload begins a key frame, or when the codec has none (all audio, codecs unknown to us). */
export function beginsKeyFrame(codec: string, buffer: Buffer, payload: { offset: number; length: number }): boolean {
  const { offset, length } = payload;
  if (codec === 'vp8') return length > 0 && vp8(buffer, offset, offset + length);
  if (codec === 'vp9') return length > 0 && vp9(buffer, offset, offset + length);
  if (codec === 'h264') return length > 0 && h264(buffer, offset, offset + length);
  return true;
}

/** RFC 7741 §4.2, §4.3: start of partition 0 of a frame whose P bit is 0. */
function vp8(buffer: Buffer, offset: number, end: number): boolean {
  const first = buffer[offset] as number;
  if ((first & 0x10) === 0 || (first & 0x07) !== 0) return false;
  let o = offset + 1;
  if (first & 0x80) {
    const bits = buffer[o] ?? 0;
    o++;
    if (bits & 0x80) o += (buffer[o] ?? 0) & 0x80 ? 2 : 1;
    if (bits & 0x40) o++;
    if (bits & 0x30) o++;
  }
  return o < end && ((buffer[o] as number) & 1) === 0;
}

/** RFC 9628 §4.2: start of a frame that is not inter-predicted, of the lowest spatial layer. */
function vp9(buffer: Buffer, offset: number, end: number): boolean {
  const first = buffer[offset] as number;
  if ((first & 0x40) !== 0 || (first & 0x08) === 0) return false;
  if ((first & 0x20) === 0) return true;
  let o = offset + 1;
  if (first & 0x80) o += (buffer[o] ?? 0) & 0x80 ? 2 : 1;
  return o < end && (((buffer[o] as number) >> 1) & 7) === 0;
}

const IDR = 5;
const SPS = 7;
const STAP_A = 24;
const FU_A = 28;

/** RFC 6184 §5.6–5.8: an IDR slice or the parameter set before it, alone, aggregated or as a first fragment. */
function h264(buffer: Buffer, offset: number, end: number): boolean {
  const type = (buffer[offset] as number) & 0x1f;
  if (type === IDR || type === SPS) return true;
  if (type === FU_A) {
    const header = buffer[offset + 1] ?? 0;
    return offset + 1 < end && (header & 0x80) !== 0 && (header & 0x1f) === IDR;
  }
  if (type !== STAP_A) return false;
  for (let o = offset + 1; o + 3 <= end; o += 2 + buffer.readUInt16BE(o)) {
    const inner = (buffer[o + 2] as number) & 0x1f;
    if (inner === IDR || inner === SPS) return true;
  }
  return false;
}
