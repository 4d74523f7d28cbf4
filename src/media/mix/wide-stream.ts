import type { PhoneOpusWishes } from '../protocol.ts';
import { WIDE_FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';
import { G722WideEncoder, OpusWideEncoder, type WideCodec, type WideEncoder } from './wide-encoder.ts';

/** Wide-band speech without effort (RFC 7587 §3.1.1 has 16–20 kbit/s). */
const OPUS_BITRATE_BPS = 28_000;
const NO_WISHES: PhoneOpusWishes = { fec: false, maxPlaybackRateHz: 48_000, maxBitrateBps: null };

/** What all silent listeners of one codec in a room get: coded once per step, or not at all. */
export class SharedStream {
  readonly encoder: WideEncoder;
  #pcm: Int16Array = new Int16Array(WIDE_FRAME_SAMPLES);
  #last: Int16Array = new Int16Array(WIDE_FRAME_SAMPLES);
  #payload: Uint8Array | null = null;
  #stepMs = -1;
  #coded = false;
  #joins = false;
  #joinsNext = false;

  constructor(codec: WideCodec) {
    this.encoder = codec === 'G722' ? new G722WideEncoder() : new OpusWideEncoder({ bitrateBps: OPUS_BITRATE_BPS, fec: true });
  }

  /** A new step with this mix. */
  step(mix: Int16Array, nowMs: number): void {
    const kept = this.#last;
    this.#last = this.#pcm;
    this.#pcm = kept;
    this.#pcm.set(mix);
    this.#stepMs = nowMs;
    this.#coded = false;
    this.#joins = this.#joinsNext;
    this.#joinsNext = false;
  }

  get pcm(): Int16Array {
    return this.#pcm;
  }

  payload(): Uint8Array | null {
    if (!this.#coded) {
      this.#coded = true;
      this.#payload = this.encoder.encode(this.#pcm, this.#joins);
    }
    return this.#payload;
  }

  /** Somebody wants to change over in the next step. */
  join(): void {
    this.#joinsNext = true;
  }

  /** Where a listener stands who has got all frames before the step at `nowMs`. */
  seam(nowMs: number): { coded: boolean; last: Int16Array } {
    const current = this.#stepMs === nowMs;
    return { coded: current && this.#coded, last: current ? this.#last : this.#pcm };
  }

  close(): void {
    this.encoder.close();
  }
}

/** One phone's outgoing wide-band stream: made for it alone, or in a room that of all who are silent; changes between them are not heard. */
export class WideStream {
  readonly codec: WideCodec;
  readonly #encoder: WideEncoder;
  readonly #sharing: boolean;
  #shared: SharedStream | null = null;
  #asked: SharedStream | null = null;
  #settled = 0;

  constructor(codec: WideCodec, wishes: PhoneOpusWishes = NO_WISHES) {
    this.codec = codec;
    const most = wishes.maxBitrateBps ?? OPUS_BITRATE_BPS;
    this.#sharing = codec === 'G722' || most >= OPUS_BITRATE_BPS;
    this.#encoder = codec === 'G722' ? new G722WideEncoder() : new OpusWideEncoder({ bitrateBps: Math.min(most, OPUS_BITRATE_BPS), fec: wishes.fec });
  }

  /** 320 samples for this phone alone. */
  own(pcm: Int16Array, nowMs: number): Uint8Array | null {
    const alone = this.#shared !== null;
    if (this.#shared) this.#encoder.continueFrom(this.#shared.encoder, this.#shared.seam(nowMs));
    this.#shared = null;
    this.#asked = null;
    this.#settled = 0;
    return this.#encoder.encode(pcm, alone);
  }

  /** What all silent ones get. */
  common(shared: SharedStream, nowMs: number): Uint8Array | null {
    if (this.#shared === shared) return shared.payload();
    if (this.#shared || !this.#sharing) return this.own(shared.pcm, nowMs);
    if (this.#asked === shared) {
      this.#asked = null;
      this.#shared = shared;
      return shared.payload();
    }
    if (++this.#settled >= this.#encoder.settleFrames) {
      shared.join();
      this.#asked = shared;
    }
    // Coded even if nobody hears it yet: it is to have come to the same by then.
    shared.payload();
    return this.#encoder.encode(shared.pcm, false);
  }

  close(): void {
    this.#encoder.close();
  }
}
