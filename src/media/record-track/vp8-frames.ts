import type { MatroskaTrack } from './matroska-header.ts';
import type { OrderedPacket } from './reorder.ts';
import { VideoFrames, type PictureKind } from './video-frames.ts';

const KEY_HEADER_BYTES = 10;

/** VP8 of RTP (RFC 7741). */
export class Vp8Frames extends VideoFrames {
  readonly codec = 'VP8';
  readonly #size = { width: 0, height: 0 };

  describe(): MatroskaTrack {
    return { codecId: 'V_VP8', codecPrivate: null, video: this.#size };
  }

  protected begin(): void {
    // the first packet tells
  }

  protected add({ buffer, offset, length }: OrderedPacket): boolean {
    const end = offset + length;
    const start = payloadStart(buffer, offset, end);
    if (start < 0) return false;
    const beginsFrame = ((buffer[offset] as number) & 0x1f) === 0x10; // S set, partition 0
    if (this.filled === 0 && !beginsFrame) return false;
    return this.append(buffer, start, end);
  }

  protected complete(): PictureKind | null {
    const { data, filled } = this;
    if (filled < 3) return null;
    if ((data[0] as number) & 1) return 'delta';
    // RFC 6386 §9.1: start code and size of a key frame.
    if (filled < KEY_HEADER_BYTES || data.readUIntBE(3, 3) !== 0x9d012a) return null;
    const [width, height] = [data.readUInt16LE(6) & 0x3fff, data.readUInt16LE(8) & 0x3fff];
    if (width === 0 || height === 0) return null;
    this.#size.width = width;
    this.#size.height = height;
    return 'key';
  }
}

/** Behind the payload descriptor (RFC 7741 §4.2); -1 when nothing is there. */
function payloadStart(buffer: Buffer, offset: number, end: number): number {
  let o = offset + 1;
  if ((buffer[offset] as number) & 0x80) {
    if (o >= end) return -1;
    const bits = buffer[o++] as number;
    if (bits & 0x80) o += o < end && (buffer[o] as number) & 0x80 ? 2 : 1;
    if (bits & 0x40) o++;
    if (bits & 0x30) o++;
  }
  return o < end ? o : -1;
}
