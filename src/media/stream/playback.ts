import { pcmu } from '../codec/g711.ts';
import type { PcmSource } from '../play/pcm-source.ts';

const SAMPLES_PER_MS = 8;
/** Longest audio that may wait for the phone. */
const MAX_QUEUE_MS = 600_000;
/** Most marks that may wait with it. */
const MAX_MARKS = 1000;

interface Piece {
  codes: Buffer;
  at: number;
}

/** A name that is told when everything before it was heard. */
interface Mark {
  name: string;
  /** Samples that had been queued in all when it came. */
  afterSample: number;
}

/**
 * What the other side wants heard: audio and marks in their order. It is the phone's prompt while there is something in it
 * and ends when it runs dry, so that whoever owns it starts it again with the next audio.
 */
export class StreamPlayback implements PcmSource {
  readonly #markReached: (name: string) => void;
  #pieces: Piece[] = [];
  #marks: Mark[] = [];
  #queuedSamples = 0;
  #readSamples = 0;

  constructor(markReached: (name: string) => void) {
    this.#markReached = markReached;
  }

  get empty(): boolean {
    return this.#readSamples === this.#queuedSamples;
  }

  /** False when too much waits already: the audio is dropped. */
  push(codes: Buffer): boolean {
    if (codes.length === 0) return true;
    if (this.#queuedSamples - this.#readSamples + codes.length > MAX_QUEUE_MS * SAMPLES_PER_MS) return false;
    this.#pieces.push({ codes, at: 0 });
    this.#queuedSamples += codes.length;
    return true;
  }

  /** Told at once when nothing is waiting to be heard. False when too many marks wait: it is dropped. */
  mark(name: string): boolean {
    if (this.empty) this.#markReached(name);
    else if (this.#marks.length >= MAX_MARKS) return false;
    else this.#marks.push({ name, afterSample: this.#queuedSamples });
    return true;
  }

  /** Nothing more is heard of what waits; its marks are told at once. */
  clear(): void {
    this.#pieces = [];
    this.#readSamples = this.#queuedSamples;
    this.#tellMarks();
  }

  read(out: Int16Array): number {
    let filled = 0;
    while (filled < out.length) {
      const piece = this.#pieces[0];
      if (!piece) break;
      const n = Math.min(out.length - filled, piece.codes.length - piece.at);
      for (let i = 0; i < n; i++) out[filled + i] = pcmu.toPcm[piece.codes[piece.at + i] as number] as number;
      piece.at += n;
      filled += n;
      if (piece.at === piece.codes.length) this.#pieces.shift();
    }
    out.fill(0, filled);
    this.#readSamples += filled;
    if (this.#marks.length > 0) this.#tellMarks();
    return filled;
  }

  #tellMarks(): void {
    for (let mark = this.#marks[0]; mark && mark.afterSample <= this.#readSamples; mark = this.#marks[0]) {
      this.#marks.shift();
      this.#markReached(mark.name);
    }
  }
}
