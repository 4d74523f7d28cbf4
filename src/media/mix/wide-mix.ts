import { WIDE_FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';
import type { WideCodec } from './wide-encoder.ts';
import { SharedStream } from './wide-stream.ts';

/** Somebody who can be heard at 16 kHz. */
interface WideInput {
  wide(): Int16Array;
}

/** A room's mix at 16 kHz, made beside the one at 8 kHz while a wide-band phone listens. */
export class WideMix {
  readonly #sum = new Int32Array(WIDE_FRAME_SAMPLES);
  readonly #prompted = new Int32Array(WIDE_FRAME_SAMPLES);
  readonly #own = new Int32Array(WIDE_FRAME_SAMPLES);
  readonly #pcm = new Int16Array(WIDE_FRAME_SAMPLES);
  readonly #shared = new Map<WideCodec, SharedStream>();

  begin(): void {
    this.#sum.fill(0);
    this.#prompted.fill(0);
  }

  addTalker(input: WideInput): void {
    add(this.#sum, input.wide());
  }

  addPrompt(prompt: WideInput): void {
    const pcm = prompt.wide();
    add(this.#sum, pcm);
    add(this.#prompted, pcm);
  }

  /** All has been added. */
  ready(nowMs: number): void {
    if (this.#shared.size === 0) return;
    saturated(this.#sum, this.#pcm);
    for (const shared of this.#shared.values()) shared.step(this.#pcm, nowMs);
  }

  shared(codec: WideCodec, nowMs: number): SharedStream {
    let shared = this.#shared.get(codec);
    if (!shared) {
      this.#shared.set(codec, (shared = new SharedStream(codec)));
      saturated(this.#sum, this.#pcm);
      shared.step(this.#pcm, nowMs);
    }
    return shared;
  }

  /** The mix without one talker; valid until the next call. */
  without(input: WideInput): Int16Array {
    const own = input.wide();
    for (let i = 0; i < WIDE_FRAME_SAMPLES; i++) this.#own[i] = (this.#sum[i] as number) - (own[i] as number);
    return saturated(this.#own, this.#pcm);
  }

  /** Prompts and whatever is added by `addOwn` until `own` is called. */
  beginOwn(): void {
    this.#own.set(this.#prompted);
  }

  addOwn(input: WideInput): void {
    add(this.#own, input.wide());
  }

  own(): Int16Array {
    return saturated(this.#own, this.#pcm);
  }

  close(): void {
    for (const shared of this.#shared.values()) shared.close();
    this.#shared.clear();
  }
}

function add(sum: Int32Array, pcm: Int16Array): void {
  for (let i = 0; i < WIDE_FRAME_SAMPLES; i++) sum[i] = (sum[i] as number) + (pcm[i] as number);
}

function saturated(sum: Int32Array, pcm: Int16Array): Int16Array {
  for (let i = 0; i < WIDE_FRAME_SAMPLES; i++) {
    const sample = sum[i] as number;
    pcm[i] = sample > 32767 ? 32767 : sample < -32768 ? -32768 : sample;
  }
  return pcm;
}
