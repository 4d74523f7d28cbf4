import { pcmu } from '../codec/g711.ts';
import type { PcmSource } from '../play/pcm-source.ts';

const SAMPLES_PER_MS = 8;
/** Longest audio that may wait for the phone. */
const MAX_QUEUE_MS = 600_000;
/** Most marks that may wait with it. */
const MAX_MARKS = 1000;

/** Audio is kept in blocks of this size, whatever the size of the pieces it comes in: one second. */
const BLOCK_SAMPLES = 8000;

interface Block {
  codes: Buffer;
  /** Samples written and read. */
  filled: number;
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
  readonly #blocks: Block[] = [];
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
    for (let from = 0; from < codes.length; ) from += this.#append(codes, from);
    this.#queuedSamples += codes.length;
    return true;
  }

  /** As much as the last block has room for. */
  #append(codes: Buffer, from: number): number {
    let last = this.#blocks.at(-1);
    if (!last || last.filled === BLOCK_SAMPLES) this.#blocks.push((last = { codes: Buffer.allocUnsafe(BLOCK_SAMPLES), filled: 0, at: 0 }));
    const copied = codes.copy(last.codes, last.filled, from);
    last.filled += copied;
    return copied;
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
    this.#blocks.length = 0;
    this.#readSamples = this.#queuedSamples;
    this.#tellMarks();
  }

  read(out: Int16Array): number {
    let filled = 0;
    while (filled < out.length) {
      const block = this.#blocks[0];
      if (!block) break;
      const n = Math.min(out.length - filled, block.filled - block.at);
      for (let i = 0; i < n; i++) out[filled + i] = pcmu.toPcm[block.codes[block.at + i] as number] as number;
      block.at += n;
      filled += n;
      if (block.at === block.filled) this.#blocks.shift();
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
