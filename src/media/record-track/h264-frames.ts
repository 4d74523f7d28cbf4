import { decoderConfiguration, readSequenceParameters, type SequenceParameters } from './h264-parameters.ts';
import type { MatroskaTrack } from './matroska-header.ts';
import type { OrderedPacket } from './reorder.ts';
import { VideoFrames, type PictureKind } from './video-frames.ts';

const LENGTH_BYTES = 4;
const SLICE = 1;
const IDR = 5;
const SPS = 7;
const PPS = 8;
const DELIMITER = 9;
const FILLER = 12;
const STAP_A = 24;
const FU_A = 28;
const MAX_PARAMETER_BYTES = 1024;

/** H.264 of RTP (RFC 6184 §5.6 single, §5.7.1 STAP-A, §5.8 FU-A), as files have it: each NAL unit after its length. */
export class H264Frames extends VideoFrames {
  readonly codec = 'H264';
  #sps: Buffer | null = null;
  #pps: Buffer | null = null;
  #parameters: SequenceParameters | null = null;
  /** Where the unit begins that is being put together of fragments, its length first; -1 when none is. */
  #unitStart = -1;
  #hasSlice = false;
  #hasIdr = false;

  describe(): MatroskaTrack {
    const [sps, pps, parameters] = [this.#sps as Buffer, this.#pps as Buffer, this.#parameters as SequenceParameters];
    const { width, height } = parameters;
    return { codecId: 'V_MPEG4/ISO/AVC', codecPrivate: decoderConfiguration(sps, pps, parameters), video: { width, height } };
  }

  protected begin(): void {
    this.#unitStart = -1;
    this.#hasSlice = false;
    this.#hasIdr = false;
  }

  protected add({ buffer, offset, length }: OrderedPacket): boolean {
    const type = (buffer[offset] as number) & 0x1f;
    if (type === FU_A) return this.#fragment(buffer, offset, offset + length);
    if (this.#unitStart >= 0) return false;
    if (type === STAP_A) return this.#aggregate(buffer, offset + 1, offset + length);
    return type >= 1 && type <= 23 && this.#unit(buffer, offset, offset + length);
  }

  #aggregate(buffer: Buffer, start: number, end: number): boolean {
    for (let at = start; at < end; ) {
      const unitEnd = at + 2 + (at + 2 <= end ? buffer.readUInt16BE(at) : 0);
      if (unitEnd > end || unitEnd < at + 3 || !this.#unit(buffer, at + 2, unitEnd)) return false;
      at = unitEnd;
    }
    return true;
  }

  #unit(buffer: Buffer, start: number, end: number): boolean {
    const at = this.reserve(LENGTH_BYTES);
    if (at < 0 || !this.append(buffer, start, end)) return false;
    return this.#unitComplete(at);
  }

  #fragment(buffer: Buffer, start: number, end: number): boolean {
    if (start + 2 >= end) return false;
    const [indicator, header] = [buffer[start] as number, buffer[start + 1] as number];
    if (((header & 0x80) !== 0) !== this.#unitStart < 0) return false;
    if (this.#unitStart < 0) {
      const at = this.reserve(LENGTH_BYTES + 1);
      if (at < 0) return false;
      this.#unitStart = at;
      this.data[at + LENGTH_BYTES] = (indicator & 0xe0) | (header & 0x1f);
    }
    if (!this.append(buffer, start + 2, end)) return false;
    return (header & 0x40) === 0 || this.#unitComplete(this.#unitStart);
  }

  /** Writes its length and looks at what it is; delimiters and filler are left out. */
  #unitComplete(at: number): boolean {
    this.#unitStart = -1;
    const start = at + LENGTH_BYTES;
    const type = (this.data[start] as number) & 0x1f;
    if (type === DELIMITER || type === FILLER) return this.cutTo(at);
    this.data.writeUInt32BE(this.filled - start, at);
    if (type === SPS || type === PPS) return this.#parameterSet(type, start);
    if (type >= SLICE && type <= IDR) return this.#slice(type, start);
    return true;
  }

  #parameterSet(type: number, start: number): boolean {
    const unit = this.data.subarray(start, this.filled);
    if (unit.length > MAX_PARAMETER_BYTES) return false;
    return type === SPS ? this.#keepSps(unit) : this.#keepPps(unit);
  }

  #keepSps(unit: Buffer): boolean {
    if (this.#sps?.equals(unit)) return true;
    const parameters = readSequenceParameters(unit);
    if (!parameters) return false;
    this.#parameters = parameters;
    this.#sps = Buffer.from(unit);
    return true;
  }

  #keepPps(unit: Buffer): boolean {
    if (!this.#pps?.equals(unit)) this.#pps = Buffer.from(unit);
    return true;
  }

  /** The first slice of a picture has its first macroblock: ue(v) 0 is the bit 1 (ITU-T H.264 §7.3.3). */
  #slice(type: number, start: number): boolean {
    if (!this.#hasSlice && ((this.data[start + 1] ?? 0) & 0x80) === 0) return false;
    this.#hasSlice = true;
    if (type === IDR) this.#hasIdr = true;
    return true;
  }

  protected complete(): PictureKind | null {
    if (this.#unitStart >= 0) return null;
    if (!this.#hasSlice) return 'nothing';
    if (!this.#hasIdr) return 'delta';
    return this.#sps && this.#pps ? 'key' : null;
  }
}
