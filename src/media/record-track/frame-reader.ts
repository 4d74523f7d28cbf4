import type { MatroskaTrack } from './matroska-header.ts';
import type { OrderedPacket } from './reorder.ts';

export type RecordedCodec = 'OPUS' | 'PCMU' | 'VP8' | 'H264' | 'VP9';

/** A coded frame as it goes into the file. Valid during the call only. */
export interface EncodedFrame {
  data: Buffer;
  offset: number;
  length: number;
  /** RTP time stamp. */
  timestamp: number;
  ssrc: number;
  /** Of its first packet: `Clock.nowMs`. */
  arrivalMs: number;
  /** Of sound; 0 for a picture. */
  durationMs: number;
  keyFrame: boolean;
}

export interface FrameEvents {
  frame(frame: EncodedFrame): void;
  /** Nothing can be shown before the next key frame. */
  keyFrameNeeded(): void;
}

/** Makes frames of the packets of one codec, which come in order. Pure; input may be anything. */
export interface FrameReader {
  readonly codec: RecordedCodec;
  readonly rateHz: number;
  packet(packet: OrderedPacket): void;
  /** Packets are missing here, or another stream begins. */
  lost(): void;
  /** Of the latest key frame; may be asked for when a frame has come. */
  describe(): MatroskaTrack;
}
