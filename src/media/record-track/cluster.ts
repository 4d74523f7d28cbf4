import { ID } from './matroska-header.ts';

const FIRST_BYTES = 16_384;
const HEAD_BYTES = 16;
const BLOCK_HEAD_BYTES = 9;
const TRACK_NUMBER = 0x81;
const KEY_FRAME = 0x80;
/** A size in four bytes. */
const LONG_FORM = 0x10000000;

/**
 * One cluster while it fills: frames are copied in, it is taken whole. Reaching the disk only whole, all that is on the disk
 * plays. Pure.
 */
export class Cluster {
  #buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;
  timestampMs = 0;
  beginsWithKeyFrame = false;

  get length(): number {
    return this.#length;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  begin(timestampMs: number, keyFrame: boolean): void {
    this.timestampMs = timestampMs;
    this.beginsWithKeyFrame = keyFrame;
    const buffer = this.#buffer;
    buffer.writeUInt32BE(ID.cluster, 0);
    // 4–7: its size, when it is taken
    buffer[8] = ID.clusterTimestamp;
    buffer[9] = 0x86;
    buffer.writeUIntBE(timestampMs, 10, 6);
    this.#length = HEAD_BYTES;
  }

  /** `timestampMs` is at most 32 s after the cluster's. */
  add(frame: { data: Buffer; offset: number; length: number }, at: { timestampMs: number; keyFrame: boolean }): void {
    const { data, offset, length } = frame;
    const start = this.#length;
    this.#reserve(start + BLOCK_HEAD_BYTES + length);
    const buffer = this.#buffer;
    buffer[start] = ID.simpleBlock;
    buffer.writeUInt32BE(LONG_FORM + BLOCK_HEAD_BYTES - 5 + length, start + 1);
    buffer[start + 5] = TRACK_NUMBER;
    buffer.writeInt16BE(at.timestampMs - this.timestampMs, start + 6);
    buffer[start + 8] = at.keyFrame ? KEY_FRAME : 0;
    data.copy(buffer, start + BLOCK_HEAD_BYTES, offset, offset + length);
    this.#length = start + BLOCK_HEAD_BYTES + length;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(2 * bytes);
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  /** The whole cluster, the taker's to keep; it is empty then. */
  take(): Buffer {
    const bytes = this.#buffer.subarray(0, this.#length);
    bytes.writeUInt32BE(LONG_FORM + this.#length - 8, 4);
    this.#buffer = Buffer.allocUnsafe(Math.max(FIRST_BYTES, this.#length + (this.#length >> 2)));
    this.#length = 0;
    return bytes;
  }
}
