import type { TrackKind } from '../protocol.ts';
import { OpusFrames, PcmuFrames } from './audio-frames.ts';
import type { FrameEvents, FrameReader } from './frame-reader.ts';
import { H264Frames } from './h264-frames.ts';
import { Vp8Frames } from './vp8-frames.ts';
import { Vp9Frames } from './vp9-frames.ts';

const READERS: Record<string, { kind: TrackKind; make(events: FrameEvents): FrameReader }> = {
  opus: { kind: 'audio', make: (events) => new OpusFrames(events) },
  pcmu: { kind: 'audio', make: (events) => new PcmuFrames(events) },
  pcma: { kind: 'audio', make: (events) => new PcmuFrames(events) },
  g722: { kind: 'audio', make: (events) => new PcmuFrames(events) },
  vp8: { kind: 'video', make: (events) => new Vp8Frames(events) },
  vp9: { kind: 'video', make: (events) => new Vp9Frames(events) },
  h264: { kind: 'video', make: (events) => new H264Frames(events) },
};

/** The reader of a codec's packets; null when that codec (in lower case) is not recorded, or is not of this kind. */
export function frameReader(codec: string, kind: TrackKind, events: FrameEvents): FrameReader | null {
  const reader = Object.hasOwn(READERS, codec) ? READERS[codec] : undefined;
  return reader?.kind === kind ? reader.make(events) : null;
}

/** True when both may be in one file. */
export function sameFile(codec: string, other: string): boolean {
  return codec === other || (becomesPcmu(codec) && becomesPcmu(other));
}

function becomesPcmu(codec: string): boolean {
  return codec === 'pcmu' || codec === 'pcma' || codec === 'g722';
}
