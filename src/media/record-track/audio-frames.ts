import { pcma, pcmu } from '../codec/g711.ts';
import { G722Decoder } from '../codec/g722.ts';
import { Downsampler } from '../codec/half-band.ts';
import type { EncodedFrame, FrameEvents, FrameReader } from './frame-reader.ts';
import type { MatroskaTrack } from './matroska-header.ts';
import type { OrderedPacket } from './reorder.ts';

/** A packet of sound is a frame; a lost one is a gap in the time stamps. */
abstract class AudioFrames implements FrameReader {
  abstract readonly codec: 'OPUS' | 'PCMU';
  abstract readonly rateHz: number;
  readonly #events: FrameEvents;
  protected readonly frame: EncodedFrame = { data: Buffer.alloc(0), offset: 0, length: 0, timestamp: 0, ssrc: 0, arrivalMs: 0, durationMs: 0, keyFrame: true };

  constructor(events: FrameEvents) {
    this.#events = events;
  }

  abstract describe(): MatroskaTrack;
  /** Fills in data and duration; false when it is no sound. */
  protected abstract read(packet: OrderedPacket): boolean;

  packet(packet: OrderedPacket): void {
    if (packet.length === 0 || !this.read(packet)) return;
    const { frame } = this;
    frame.timestamp = packet.timestamp;
    frame.ssrc = packet.ssrc;
    frame.arrivalMs = packet.arrivalMs;
    this.#events.frame(frame);
  }

  lost(): void {
    // the next time stamp tells
  }
}

/** Opus as it came (RFC 7587). */
export class OpusFrames extends AudioFrames {
  readonly codec = 'OPUS';
  readonly rateHz = 48_000;

  protected read(packet: OrderedPacket): boolean {
    const { frame } = this;
    frame.data = packet.buffer;
    frame.offset = packet.offset;
    frame.length = packet.length;
    frame.durationMs = opusDurationMs(packet.buffer, packet.offset, packet.length);
    return frame.durationMs > 0;
  }

  describe(): MatroskaTrack {
    return { codecId: 'A_OPUS', codecPrivate: opusHead(), audio: { sampleRateHz: 48_000, channels: 2 }, seekPreRollMs: 80 };
  }
}

/** Ms of sound in a packet (RFC 6716 §3.1); 0 for one that cannot be. */
export function opusDurationMs(buffer: Buffer, offset: number, length: number): number {
  const toc = buffer[offset] as number;
  const config = toc >> 3;
  const frameMs = config < 12 ? ([10, 20, 40, 60][config & 3] as number) : config < 16 ? ([10, 20][config & 1] as number) : ([2.5, 5, 10, 20][config & 3] as number);
  const code = toc & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : length > 1 ? (buffer[offset + 1] as number) & 0x3f : 0;
  return frames * frameMs <= 120 ? frames * frameMs : 0;
}

/** RFC 7845 §5.1. Two channels hold one as well; nothing is skipped, the sender began before us. */
function opusHead(): Buffer {
  const head = Buffer.alloc(19);
  head.write('OpusHead', 0, 'latin1');
  head[8] = 1; // version
  head[9] = 2; // channels
  head.writeUInt32LE(48_000, 12); // of the sender's input, for information
  return head;
}

/** A-law code → µ-law code. */
const LAW = Uint8Array.from({ length: 256 }, (_, code) => pcmu.toCode[(pcma.toPcm[code] as number) & 0xffff] as number);

/** G.711: µ-law as it came, A-law brought to µ-law (contract §14.9), and so is G.722: its players are few. */
export class PcmuFrames extends AudioFrames {
  readonly codec = 'PCMU';
  readonly rateHz = 8000;
  #translated = Buffer.alloc(640);
  #g722: { decoder: G722Decoder; downsampler: Downsampler; wide: Int16Array; pcm: Int16Array } | null = null;

  protected read(packet: OrderedPacket): boolean {
    const { frame } = this;
    frame.length = packet.length;
    frame.durationMs = packet.length / 8;
    if (packet.codec === 'pcmu') {
      frame.data = packet.buffer;
      frame.offset = packet.offset;
    } else {
      if (packet.codec === 'g722') this.#narrow(packet);
      else this.#translate(packet);
      frame.data = this.#translated;
      frame.offset = 0;
    }
    return true;
  }

  #narrow({ buffer, offset, length }: OrderedPacket): void {
    const { decoder, downsampler } = (this.#g722 ??= { decoder: new G722Decoder(), downsampler: new Downsampler(), wide: new Int16Array(0), pcm: new Int16Array(0) });
    if (this.#translated.length < length) this.#translated = Buffer.alloc(length);
    if (this.#g722.pcm.length !== length) {
      this.#g722.wide = new Int16Array(2 * length);
      this.#g722.pcm = new Int16Array(length);
    }
    const { wide, pcm } = this.#g722;
    decoder.decode(buffer, wide, { offset, count: length });
    downsampler.convert(wide, pcm);
    for (let i = 0; i < length; i++) this.#translated[i] = pcmu.toCode[(pcm[i] as number) & 0xffff] as number;
  }

  #translate({ buffer, offset, length }: OrderedPacket): void {
    if (this.#translated.length < length) this.#translated = Buffer.alloc(length);
    for (let i = 0; i < length; i++) this.#translated[i] = LAW[buffer[offset + i] as number] as number;
  }

  describe(): MatroskaTrack {
    return { codecId: 'A_MS/ACM', codecPrivate: waveFormat(), audio: { sampleRateHz: 8000, channels: 1, bitDepth: 8 } };
  }
}

const WAVE_FORMAT_MULAW = 7;

/** WAVEFORMATEX, as `A_MS/ACM` wants it. */
function waveFormat(): Buffer {
  const format = Buffer.alloc(18);
  format.writeUInt16LE(WAVE_FORMAT_MULAW, 0);
  format.writeUInt16LE(1, 2); // channels
  format.writeUInt32LE(8000, 4); // samples a second
  format.writeUInt32LE(8000, 8); // bytes a second
  format.writeUInt16LE(1, 12); // bytes a sample
  format.writeUInt16LE(8, 14); // bits a sample
  return format;
}
