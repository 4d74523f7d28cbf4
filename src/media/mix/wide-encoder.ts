import { G722Encoder } from '../codec/g722.ts';
import { createOpusEncoder, type OpusEncoder, type OpusEncoderOptions } from '../codec/opus.ts';
import { FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';

export type WideCodec = 'G722' | 'OPUS';

/** Codes 20 ms of 16 kHz sound after 20 ms: one stream. */
export interface WideEncoder {
  /**
   * How many frames of the same sound another encoder must have coded as well before a listener can change over to that one
   * unheard.
   */
  readonly settleFrames: number;
  /** 320 samples; valid until the next call. `alone`: a listener comes in with this frame. Null while it is being made. */
  encode(pcm: Int16Array, alone: boolean): Uint8Array | null;
  /** Who has heard `other` until now, whose latest frame was `last` (before the present step, if `coded`), is to hear this one. */
  continueFrom(other: WideEncoder, seam: { coded: boolean; last: Int16Array }): void;
  close(): void;
}

/** Memory is in both ends; an encoder can take over another's, and two that code the same come to the same within 0.3 s. */
export class G722WideEncoder implements WideEncoder {
  readonly settleFrames = 15;
  readonly #encoder = new G722Encoder();
  readonly #codes = new Uint8Array(FRAME_SAMPLES);

  encode(pcm: Int16Array): Uint8Array {
    this.#encoder.encode(pcm, this.#codes);
    return this.#codes;
  }

  continueFrom(other: WideEncoder, { coded }: { coded: boolean }): void {
    if (other instanceof G722WideEncoder) this.#encoder.continueFrom(other.#encoder, coded);
  }

  close(): void {
    // holds nothing but memory
  }
}

/** Opus frames can be made to owe nothing to those before: a listener changes over at such a one. */
export class OpusWideEncoder implements WideEncoder {
  readonly settleFrames = 0;
  #encoder: OpusEncoder | null = null;
  #closed = false;

  constructor(options: OpusEncoderOptions) {
    void createOpusEncoder(options).then(
      (encoder) => {
        if (this.#closed) encoder.free();
        else this.#encoder = encoder;
      },
      // Without an encoder its listener gets nothing, which the media time-out of the phone or its user ends.
      () => {},
    );
  }

  encode(pcm: Int16Array, alone: boolean): Uint8Array | null {
    return this.#encoder === null ? null : this.#encoder.encode(pcm, alone);
  }

  /** Its own look-ahead is filled with what the listener has heard. */
  continueFrom(_other: WideEncoder, { last }: { last: Int16Array }): void {
    this.encode(last, false);
  }

  close(): void {
    this.#closed = true;
    this.#encoder?.free();
    this.#encoder = null;
  }
}
