import { dbov, powerOf, SILENCE_DBOV } from '../codec/level.ts';
import { FRAME_SAMPLES, WIDE_FRAME_SAMPLES, type PulledFrame } from '../rtp/jitter-buffer.ts';
import { Concealment } from './concealment.ts';
import { TalkDetector } from './talk-detector.ts';
import { NarrowCopy, WideCopy } from './two-rates.ts';

/** Writes the next 20 ms to `out`, which holds the frame before. */
export type FrameFetch = (out: Int16Array, nowMs: number) => PulledFrame;

/** Decoded sound on its way into the mix: level, whether it talks, concealment, and both rates. */
export class DecodedVoice {
  levelDbov = SILENCE_DBOV;
  readonly #fetch: FrameFetch;
  /** As it comes: 160 samples at 8 kHz or 320 at 16 kHz. */
  readonly #frame: Int16Array;
  readonly #narrow: NarrowCopy | null;
  readonly #wide: WideCopy | null;
  readonly #talk = new TalkDetector();
  readonly #concealment: Concealment;

  constructor(scale: 1 | 2, fetch: FrameFetch) {
    this.#fetch = fetch;
    this.#frame = new Int16Array(scale === 1 ? FRAME_SAMPLES : WIDE_FRAME_SAMPLES);
    this.#narrow = scale === 1 ? null : new NarrowCopy();
    this.#wide = scale === 1 ? new WideCopy() : null;
    this.#concealment = new Concealment(this.#frame.length);
  }

  /** At 8 kHz; valid after `pull` returned true. */
  get pcm(): Int16Array {
    return this.#narrow === null ? this.#frame : this.#narrow.pcm;
  }

  /** At 16 kHz; valid after `pull` returned true. */
  wide(): Int16Array {
    return this.#wide === null ? this.#frame : this.#wide.of(this.#frame);
  }

  pull(nowMs: number): boolean {
    const pulled = this.#fetch(this.#frame, nowMs);
    const there = pulled === 'voice' || pulled === 'patched';
    if (there) this.levelDbov = dbov(powerOf(this.#frame));
    else if (pulled === 'idle') this.levelDbov = SILENCE_DBOV;
    this.#wide?.next();
    if (!this.#talk.frame(this.levelDbov)) {
      this.#concealment.reset();
      return false;
    }
    if (there) this.#concealment.heard(this.#frame);
    else if (!this.#concealment.conceal(this.#frame)) this.levelDbov = SILENCE_DBOV;
    this.#narrow?.take(this.#frame);
    return true;
  }

  /** Another stream. */
  reset(): void {
    this.#concealment.reset();
    this.#narrow?.reset();
  }
}
