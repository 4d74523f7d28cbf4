import { Downsampler, Upsampler } from '../codec/half-band.ts';
import { FRAME_SAMPLES, WIDE_FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';

/** The 16 kHz side of a talker that comes at 8 kHz: made when a wide-band listener asks, once per frame. */
export class WideCopy {
  readonly #pcm = new Int16Array(WIDE_FRAME_SAMPLES);
  readonly #upsampler = new Upsampler();
  #made = false;
  #madeBefore = false;

  /** The talker's next frame is there. */
  next(): void {
    this.#madeBefore = this.#made;
    this.#made = false;
  }

  of(narrow: Int16Array): Int16Array {
    if (this.#made) return this.#pcm;
    this.#made = true;
    // Nobody asked for the frame before: what the filter remembers is older.
    if (!this.#madeBefore) this.#upsampler.reset();
    this.#upsampler.convert(narrow, this.#pcm);
    return this.#pcm;
  }
}

/** The 8 kHz side of a talker that comes at 16 kHz. */
export class NarrowCopy {
  readonly pcm = new Int16Array(FRAME_SAMPLES);
  readonly #downsampler = new Downsampler();

  take(wide: Int16Array): void {
    this.#downsampler.convert(wide, this.pcm);
  }

  reset(): void {
    this.#downsampler.reset();
  }
}
