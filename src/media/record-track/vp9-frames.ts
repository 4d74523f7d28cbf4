import { BitReader } from './bit-reader.ts';
import type { MatroskaTrack } from './matroska-header.ts';
import type { OrderedPacket } from './reorder.ts';
import { VideoFrames, type PictureKind } from './video-frames.ts';

const MAX_LAYERS = 8;
const SYNC_CODE = 0x498342;
const RGB = 7;

interface Descriptor {
  beginsFrame: boolean;
  endsFrame: boolean;
  /** Of the highest spatial layer, null when the packet does not say. */
  size: { width: number; height: number } | null;
  payloadStart: number;
}

/** VP9 of RTP (RFC 9628). The spatial layers of a picture become one superframe, as files have it. */
export class Vp9Frames extends VideoFrames {
  readonly codec = 'VP9';
  readonly #descriptor: Descriptor = { beginsFrame: false, endsFrame: false, size: null, payloadStart: 0 };
  readonly #layerStarts: number[] = [];
  /** Told by this picture's scalability structure. */
  #structureSize: { width: number; height: number } | null = null;
  #size = { width: 0, height: 0 };
  #withinLayer = false;

  describe(): MatroskaTrack {
    return { codecId: 'V_VP9', codecPrivate: null, video: this.#size };
  }

  protected begin(): void {
    this.#layerStarts.length = 0;
    this.#withinLayer = false;
    this.#structureSize = null;
  }

  protected add({ buffer, offset, length }: OrderedPacket): boolean {
    const descriptor = this.#descriptor;
    if (!readDescriptor(descriptor, new Cursor(buffer, offset, offset + length))) return false;
    if (descriptor.beginsFrame === this.#withinLayer) return false;
    if (descriptor.beginsFrame) {
      if (this.#layerStarts.length === MAX_LAYERS) return false;
      this.#layerStarts.push(this.filled);
    }
    this.#withinLayer = !descriptor.endsFrame;
    this.#structureSize ??= descriptor.size;
    return this.append(buffer, descriptor.payloadStart, offset + length);
  }

  protected complete(): PictureKind | null {
    if (this.#withinLayer || this.filled === 0) return null;
    const isKey = this.#readHeader();
    if (isKey === null || !this.#appendIndex()) return null;
    return isKey ? 'key' : 'delta';
  }

  /** True for a key frame, whose size is taken; null for what is no VP9. */
  #readHeader(): boolean | null {
    const { data, filled } = this;
    const size = keyFrameSize(new BitReader(data, 0, filled));
    if (size === 'delta') return false;
    if (size === null) return null;
    this.#size = this.#structureSize ?? size;
    return true;
  }

  /** The superframe index (VP9 bitstream specification, annex B); none for one layer. */
  #appendIndex(): boolean {
    const starts = this.#layerStarts;
    if (starts.length < 2) return true;
    const end = this.filled;
    const sizes = starts.map((start, i) => (starts[i + 1] ?? end) - start);
    const marker = 0xc0 | (3 << 3) | (sizes.length - 1);
    const at = this.reserve(2 + 4 * sizes.length);
    if (at < 0) return false;
    this.data[at] = marker;
    sizes.forEach((size, i) => this.data.writeUInt32LE(size, at + 1 + 4 * i));
    this.data[at + 1 + 4 * sizes.length] = marker;
    return true;
  }
}

class Cursor {
  readonly buffer: Buffer;
  readonly end: number;
  at: number;

  constructor(buffer: Buffer, at: number, end: number) {
    this.buffer = buffer;
    this.at = at;
    this.end = end;
  }

  byte(): number {
    return this.at < this.end ? (this.buffer[this.at++] as number) : this.#overrun();
  }

  /** Behind the end there are zeros, and nothing is left. */
  #overrun(): number {
    this.at = this.end;
    return 0;
  }
}

/** RFC 9628 §4.2; false when no payload is left. */
function readDescriptor(descriptor: Descriptor, cursor: Cursor): boolean {
  const bits = cursor.byte();
  const [hasPictureId, isPredicted, hasLayer, isFlexible] = [bits & 0x80, bits & 0x40, bits & 0x20, bits & 0x10];
  descriptor.beginsFrame = (bits & 0x08) !== 0;
  descriptor.endsFrame = (bits & 0x04) !== 0;
  if (hasPictureId && cursor.byte() & 0x80) cursor.byte();
  if (hasLayer) {
    cursor.byte();
    if (!isFlexible) cursor.byte(); // TL0PICIDX
  }
  if (isFlexible && isPredicted) for (let i = 0; i < 3 && cursor.byte() & 1; i++);
  descriptor.size = bits & 0x02 ? readStructure(cursor) : null;
  descriptor.payloadStart = cursor.at;
  return cursor.at < cursor.end;
}

/** The scalability structure (RFC 9628 §4.2.1): the size of the highest layer. */
function readStructure(cursor: Cursor): { width: number; height: number } | null {
  const bits = cursor.byte();
  let size = null;
  if (bits & 0x10) {
    for (let layer = 0; layer <= bits >> 5; layer++) {
      const width = (cursor.byte() << 8) | cursor.byte();
      const height = (cursor.byte() << 8) | cursor.byte();
      if (width > 0 && height > 0) size = { width, height };
    }
  }
  const pictures = bits & 0x08 ? cursor.byte() : 0;
  for (let i = 0; i < pictures && cursor.at < cursor.end; i++) {
    const references = (cursor.byte() >> 2) & 3;
    for (let r = 0; r < references; r++) cursor.byte();
  }
  return size;
}

/** The uncompressed header of a frame (VP9 bitstream specification §6.2); null when it is none. */
function keyFrameSize(bits: BitReader): { width: number; height: number } | 'delta' | null {
  if (bits.bits(2) !== 2) return null;
  const profile = bits.bits(1) + 2 * bits.bits(1);
  if (profile === 3) bits.bits(1);
  if (bits.flag()) return 'delta'; // shows a frame again
  const isKey = !bits.flag();
  bits.bits(2); // show_frame, error_resilient_mode
  if (!isKey) return bits.overrun ? null : 'delta';
  if (bits.bits(24) !== SYNC_CODE) return null;
  skipColours(bits, profile);
  const [width, height] = [bits.bits(16) + 1, bits.bits(16) + 1];
  return bits.overrun ? null : { width, height };
}

/** color_config of §6.2.2. */
function skipColours(bits: BitReader, profile: number): void {
  if (profile >= 2) bits.bits(1);
  const isOdd = profile === 1 || profile === 3;
  if (bits.bits(3) === RGB) {
    if (isOdd) bits.bits(1);
    return;
  }
  bits.bits(1);
  if (isOdd) bits.bits(3);
}
