import { Cluster } from './cluster.ts';
import { element, floatElement, idBytes, longSize, uintElement, voidElement } from './ebml.ts';
import { dateValue, ID, matroskaHeader, SEEK_HEAD_BYTES, type MatroskaHeader, type MatroskaTrack } from './matroska-header.ts';

const CLUSTER_MS = 1000;
/** A key frame begins a cluster that can be sought, unless the one before is younger than this. */
const SHORTEST_CLUSTER_MS = 500;
const CLUSTER_BYTES = 256 * 1024;
/** Seek points of a track whose every frame is one (audio). */
const CUE_MS = 5000;

/** Bytes that take the place of others. */
export interface Patch {
  position: number;
  bytes: Buffer;
}

/** A frame on its way into the file. Its bytes are copied. */
export interface MuxedFrame {
  data: Buffer;
  offset: number;
  length: number;
  /** From the beginning of the file; never less than the one before. */
  timestampMs: number;
  keyFrame: boolean;
}

/**
 * A Matroska file of one track (RFC 9559), made from frames: whole clusters of a second at most in a segment of unknown size,
 * so that what has been written plays at any time; at the end duration, sizes and seek points are put in. Pure.
 */
export class MatroskaMuxer {
  readonly #header: MatroskaHeader;
  readonly #cluster = new Cluster();
  readonly #isVideo: boolean;
  readonly #cues: { timestampMs: number; position: number }[] = [];
  #bytes = 0;
  #lastMs = 0;

  constructor(track: MatroskaTrack, startedAtMs: number) {
    this.#isVideo = track.video !== undefined;
    this.#header = matroskaHeader(track, startedAtMs);
    this.#bytes = this.#header.bytes.length;
  }

  /** What the file begins with. */
  get header(): Buffer {
    return this.#header.bytes;
  }

  /** Bytes so far, without the cluster that fills. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The cluster that is complete by this frame's coming, the taker's to keep; null as a rule. */
  frame(frame: MuxedFrame): Buffer | null {
    const at = { timestampMs: Math.max(this.#lastMs, Math.round(frame.timestampMs)), keyFrame: frame.keyFrame };
    this.#lastMs = at.timestampMs;
    const complete = this.#isComplete(at) ? this.takeCluster() : null;
    if (this.#cluster.isEmpty) this.#begin(at);
    this.#cluster.add(frame, at);
    return complete;
  }

  #isComplete({ timestampMs, keyFrame }: { timestampMs: number; keyFrame: boolean }): boolean {
    const cluster = this.#cluster;
    if (cluster.isEmpty) return false;
    const ageMs = timestampMs - cluster.timestampMs;
    return ageMs >= CLUSTER_MS || cluster.length >= CLUSTER_BYTES || (this.#isVideo && keyFrame && ageMs >= SHORTEST_CLUSTER_MS);
  }

  #begin(at: { timestampMs: number; keyFrame: boolean }): void {
    this.#cluster.begin(at.timestampMs, at.keyFrame);
    const last = this.#cues.at(-1);
    const due = !last || this.#isVideo || at.timestampMs - last.timestampMs >= CUE_MS;
    if (at.keyFrame && due) this.#cues.push({ timestampMs: at.timestampMs, position: this.#bytes - this.#header.segmentStart });
  }

  /** When the cluster that fills began, null when there is none. */
  get fillingSinceMs(): number | null {
    return this.#cluster.isEmpty ? null : this.#cluster.timestampMs;
  }

  /** What there is of the cluster that fills. */
  takeCluster(): Buffer | null {
    if (this.#cluster.isEmpty) return null;
    const bytes = this.#cluster.take();
    this.#bytes += bytes.length;
    return bytes;
  }

  /** After the last cluster was taken: what goes behind it, and what is put in its place now that it is known. */
  end(options: { durationMs: number; startedAtMs: number }): { tail: Buffer; patches: Patch[] } {
    const { segmentStart, durationOffset, dateOffset, seekHeadOffset } = this.#header;
    const tail = cues(this.#cues);
    const cuesPosition = this.#bytes - segmentStart;
    this.#bytes += tail.length;
    return {
      tail,
      patches: [
        { position: seekHeadOffset, bytes: this.#seekHead(tail.length > 0 ? cuesPosition : null) },
        { position: dateOffset, bytes: dateValue(options.startedAtMs) },
        { position: durationOffset, bytes: floatElement(ID.duration, options.durationMs) },
        { position: segmentStart - 8, bytes: longSize(this.#bytes - segmentStart) },
      ],
    };
  }

  #seekHead(cuesPosition: number | null): Buffer {
    const { segmentStart, infoOffset, tracksOffset } = this.#header;
    const entries = [seek(ID.info, infoOffset - segmentStart), seek(ID.tracks, tracksOffset - segmentStart)];
    if (cuesPosition !== null) entries.push(seek(ID.cues, cuesPosition));
    const head = element(ID.seekHead, ...entries);
    return Buffer.concat([head, voidElement(SEEK_HEAD_BYTES - head.length)]);
  }
}

function seek(id: number, position: number): Buffer {
  return element(ID.seek, element(ID.seekId, idBytes(id)), uintElement(ID.seekPosition, position));
}

function cues(points: readonly { timestampMs: number; position: number }[]): Buffer {
  if (points.length === 0) return Buffer.alloc(0);
  const positions = (position: number): Buffer => element(ID.cueTrackPositions, uintElement(ID.cueTrack, 1), uintElement(ID.cueClusterPosition, position));
  return element(ID.cues, ...points.map((point) => element(ID.cuePoint, uintElement(ID.cueTime, point.timestampMs), positions(point.position))));
}
