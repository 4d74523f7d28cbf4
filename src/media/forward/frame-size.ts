/** Reads the size of the picture where a key frame begins. Pure. */

export interface FrameSize {
  width: number;
  height: number;
}

/** Writes into `out` and returns true; false when this packet does not say. The payload must begin a key frame. */
export function readFrameSize(codec: string, payload: Buffer, out: FrameSize): boolean {
  if (codec === 'vp8') return vp8(payload, out);
  if (codec === 'vp9') return vp9(payload, out);
  return codec === 'h264' && h264(payload, out);
}

function accept(out: FrameSize, width: number, height: number): boolean {
  if (width < 1 || height < 1 || width > 16384 || height > 16384) return false;
  out.width = width;
  out.height = height;
  return true;
}

/** RFC 6386 §9.1, behind the descriptor of RFC 7741 §4.2. */
function vp8(payload: Buffer, out: FrameSize): boolean {
  const o = vp8DescriptorBytes(payload);
  if (o < 0 || o + 10 > payload.length || payload.readUIntBE(o + 3, 3) !== 0x9d012a) return false;
  return accept(out, payload.readUInt16LE(o + 6) & 0x3fff, payload.readUInt16LE(o + 8) & 0x3fff);
}

/** Length of the payload descriptor (RFC 7741 §4.2), -1 when the packet is too short. */
function vp8DescriptorBytes(payload: Buffer): number {
  const first = payload[0] ?? 0;
  if ((first & 0x80) === 0) return 1;
  const bits = payload[1] ?? 0;
  let o = 2;
  if (bits & 0x80) o += (payload[o] ?? 0) & 0x80 ? 2 : 1;
  if (bits & 0x40) o++;
  if (bits & 0x30) o++;
  return o < payload.length ? o : -1;
}

/** The scalability structure (RFC 9628 §4.2.1) tells the size of the highest spatial layer; without one the frame header does. */
function vp9(payload: Buffer, out: FrameSize): boolean {
  const first = payload[0] ?? 0;
  let o = 1;
  if (first & 0x80) o += (payload[o] ?? 0) & 0x80 ? 2 : 1;
  if (first & 0x20) o += first & 0x10 ? 1 : 2;
  if ((first & 0x50) === 0x50) for (let more = true; more && o < payload.length; o++) more = ((payload[o] as number) & 1) === 1;
  if (first & 0x02) {
    const head = payload[o] ?? 0;
    const layers = (head >> 5) + 1;
    if (head & 0x10) {
      const last = o + 1 + (layers - 1) * 4;
      return last + 4 <= payload.length && accept(out, payload.readUInt16BE(last), payload.readUInt16BE(last + 2));
    }
    o += 1;
    if (head & 0x08) o = behindPictureGroup(payload, o);
  }
  return vp9Header(new BitReader(payload, o), out);
}

function behindPictureGroup(payload: Buffer, at: number): number {
  let o = at + 1;
  for (let i = payload[at] ?? 0; i > 0; i--) o += 1 + (((payload[o] ?? 0) >> 2) & 3);
  return o;
}

/** Uncompressed header of a key frame in profile 0 (VP9 bitstream specification §6.2). */
function vp9Header(bits: BitReader, out: FrameSize): boolean {
  const marker = bits.read(2);
  const profile = bits.read(1) | (bits.read(1) << 1);
  const existing = bits.read(1);
  const interFrame = bits.read(1);
  bits.read(2);
  if (marker !== 2 || profile !== 0 || existing === 1 || interFrame === 1 || bits.read(24) !== 0x498342) return false;
  const colorSpace = bits.read(3);
  if (colorSpace !== 7) bits.read(1);
  const width = bits.read(16) + 1;
  const height = bits.read(16) + 1;
  return !bits.over && accept(out, width, height);
}

const SPS = 7;
const STAP_A = 24;

/** A sequence parameter set, alone or first in an aggregate (RFC 6184 §5.6, §5.7.1). */
function h264(payload: Buffer, out: FrameSize): boolean {
  const type = (payload[0] ?? 0) & 0x1f;
  if (type === SPS) return h264Sps(payload.subarray(1), out);
  if (type !== STAP_A) return false;
  for (let o = 1; o + 3 <= payload.length; ) {
    const size = payload.readUInt16BE(o);
    if (((payload[o + 2] as number) & 0x1f) === SPS) return h264Sps(payload.subarray(o + 3, o + 2 + size), out);
    o += 2 + size;
  }
  return false;
}

/** Profiles whose parameter set has more in its head (ITU-T H.264 §7.3.2.1.1). */
const HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128]);

function h264Sps(sps: Buffer, out: FrameSize): boolean {
  const bits = new BitReader(withoutEmulation(sps), 0);
  const profile = bits.read(8);
  bits.read(16);
  bits.golomb();
  let chroma = 1;
  if (HIGH_PROFILES.has(profile)) {
    chroma = bits.golomb();
    if (chroma === 3) bits.read(1);
    bits.golomb();
    bits.golomb();
    bits.read(1);
    // Scaling lists are nothing a browser sends.
    if (bits.read(1) === 1) return false;
  }
  bits.golomb();
  skipPictureOrder(bits);
  bits.golomb();
  bits.read(1);
  const width = (bits.golomb() + 1) * 16;
  const mapHeight = (bits.golomb() + 1) * 16;
  const frameOnly = bits.read(1);
  if (frameOnly === 0) bits.read(1);
  bits.read(1);
  const height = mapHeight * (2 - frameOnly);
  if (bits.read(1) === 0) return !bits.over && accept(out, width, height);
  const unitX = chroma === 0 || chroma === 3 ? 1 : 2;
  const unitY = (chroma === 1 ? 2 : 1) * (2 - frameOnly);
  const across = (bits.golomb() + bits.golomb()) * unitX;
  const down = (bits.golomb() + bits.golomb()) * unitY;
  return !bits.over && accept(out, width - across, height - down);
}

function skipPictureOrder(bits: BitReader): void {
  const type = bits.golomb();
  if (type === 0) bits.golomb();
  if (type !== 1) return;
  bits.read(1);
  bits.golomb();
  bits.golomb();
  for (let i = Math.min(255, bits.golomb()); i > 0; i--) bits.golomb();
}

/** ITU-T H.264 §7.4.1: 00 00 03 stands for 00 00. */
function withoutEmulation(data: Buffer): Buffer {
  const out = Buffer.alloc(Math.min(data.length, 128));
  let length = 0;
  let zeros = 0;
  for (const byte of data.subarray(0, out.length)) {
    if (byte === 3 && zeros >= 2) {
      zeros = 0;
      continue;
    }
    out[length++] = byte;
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return out.subarray(0, length);
}

class BitReader {
  readonly #data: Buffer;
  #bit: number;
  /** More was read than there is. */
  over = false;

  constructor(data: Buffer, offset: number) {
    this.#data = data;
    this.#bit = offset * 8;
  }

  read(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      const byte = this.#data[this.#bit >> 3];
      if (byte === undefined) this.over = true;
      value = value * 2 + (((byte ?? 0) >> (7 - (this.#bit & 7))) & 1);
      this.#bit++;
    }
    return value;
  }

  /** Exp-Golomb, unsigned (ITU-T H.264 §9.1); signed ones are as long. */
  golomb(): number {
    let zeros = 0;
    while (zeros < 32 && !this.over && this.read(1) === 0) zeros++;
    return 2 ** zeros - 1 + this.read(zeros);
  }
}
