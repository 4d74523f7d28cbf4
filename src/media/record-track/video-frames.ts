import type { EncodedFrame, FrameEvents, FrameReader } from './frame-reader.ts';
import type { MatroskaTrack } from './matroska-header.ts';
import type { OrderedPacket } from './reorder.ts';

/** A picture that is larger is left out: nothing of a camera is. */
const MAX_FRAME_BYTES = 1024 * 1024;
const FIRST_BYTES = 32_768;

/** `nothing`: no picture, and no harm done. */
export type PictureKind = 'key' | 'delta' | 'nothing';

/**
 * Pictures of packets, whatever the codec: collects the packets of one time stamp up to the marker bit (RFC 7741 §4.1, RFC 9628
 * §4.1, RFC 6184 §5.1). One that has a hole is left out, and all that follow it up to the next key frame.
 */
export abstract class VideoFrames implements FrameReader {
  abstract readonly codec: 'VP8' | 'VP9' | 'H264';
  readonly rateHz = 90_000;
  readonly #events: FrameEvents;
  readonly #frame: EncodedFrame = { data: Buffer.allocUnsafe(FIRST_BYTES), offset: 0, length: 0, timestamp: 0, ssrc: 0, arrivalMs: 0, durationMs: 0, keyFrame: false };
  #state: 'between' | 'filling' | 'damaged' = 'between';
  #waitsForKeyFrame = true;

  constructor(events: FrameEvents) {
    this.#events = events;
  }

  abstract describe(): MatroskaTrack;
  /** A new picture begins. */
  protected abstract begin(): void;
  /** Takes the packet's part with `append`; false when it cannot follow what is there. */
  protected abstract add(packet: OrderedPacket): boolean;
  /** All packets are there; null when they cannot be a picture. May append. */
  protected abstract complete(): PictureKind | null;

  /** The picture so far, in its first `filled` bytes. */
  protected get data(): Buffer {
    return this.#frame.data;
  }

  protected get filled(): number {
    return this.#frame.length;
  }

  packet(packet: OrderedPacket): void {
    const frame = this.#frame;
    if (packet.length === 0) return; // padding
    if (this.#state !== 'between' && packet.timestamp !== frame.timestamp) this.#end();
    if (this.#state === 'between') this.#begin(packet);
    if (this.#state === 'filling' && !this.add(packet)) this.#state = 'damaged';
    if (packet.marker) this.#end();
  }

  #begin(packet: OrderedPacket): void {
    const frame = this.#frame;
    frame.length = 0;
    frame.timestamp = packet.timestamp;
    frame.ssrc = packet.ssrc;
    frame.arrivalMs = packet.arrivalMs;
    this.#state = 'filling';
    this.begin();
  }

  #end(): void {
    const kind = this.#state === 'filling' ? this.complete() : null;
    this.#state = 'between';
    if (kind === 'nothing') return;
    if (kind === null) this.#waitsForKeyFrame = true;
    else if (kind === 'key') this.#waitsForKeyFrame = false;
    if (this.#waitsForKeyFrame) return this.#events.keyFrameNeeded();
    this.#frame.keyFrame = kind === 'key';
    this.#events.frame(this.#frame);
  }

  lost(): void {
    this.#state = 'between';
    this.#waitsForKeyFrame = true; // and is asked for when the next picture is none
  }

  /** Leaves out what came behind `length`. */
  protected cutTo(length: number): true {
    this.#frame.length = length;
    return true;
  }

  /** False when the picture has become too large. */
  protected append(from: Buffer, start: number, end: number): boolean {
    const at = this.reserve(end - start);
    if (at < 0) return false;
    from.copy(this.#frame.data, at, start, end);
    return true;
  }

  /** Where `bytes` more may be written; -1 when the picture has become too large. */
  protected reserve(bytes: number): number {
    const frame = this.#frame;
    const at = frame.length;
    if (at + bytes > MAX_FRAME_BYTES) return -1;
    if (at + bytes > frame.data.length) this.#grow(at + bytes);
    frame.length = at + bytes;
    return at;
  }

  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafe(Math.min(MAX_FRAME_BYTES, 2 * bytes));
    this.#frame.data.copy(larger, 0, 0, this.#frame.length);
    this.#frame.data = larger;
  }
}
