import { g711, type G711 } from '../codec/g711.ts';
import type { PhoneCodec } from '../protocol.ts';
import { FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';

/** Somebody who may talk: a phone or a browser's audio track. */
export interface MixInput {
  /** 160 samples at 8 kHz; valid after `pull` returned true, until the next one. */
  readonly pcm: Int16Array;
  /** Level of the last frame. */
  readonly levelDbov: number;
  /** Moves on by 20 ms; false when there is nothing to be heard. */
  pull(nowMs: number): boolean;
}

/** Somebody who listens on a G.711 leg. */
export interface MixOutput {
  readonly codec: PhoneCodec;
  /** What this party says itself and therefore does not hear. */
  readonly ownVoice: MixInput | null;
  /** False while it hears something else (a prompt) or nothing (hold). */
  readonly wantsMix: boolean;
  /** 160 codes, shared with others: to be copied, not kept. Null when it does not want the mix. */
  tick(mix: Uint8Array | null, nowMs: number): void;
}

/** The shared encode of one codec, made at most once per tick. */
class SharedEncode {
  readonly law: G711;
  readonly codes = new Uint8Array(FRAME_SAMPLES);
  readonly scratch = new Uint8Array(FRAME_SAMPLES);
  ready = false;
  constructor(codec: PhoneCodec) {
    this.law = g711(codec);
  }
}

/**
 * One room's mix, driven once per 20 ms. Each talker is decoded once for the room; each phone that talks gets the sum
 * without itself; all who are silent share one sum and one encode per codec.
 */
export class RoomMixer {
  readonly #inputs = new Set<MixInput>();
  readonly #outputs = new Set<MixOutput>();
  readonly #talking = new Set<MixInput>();
  readonly #sum = new Int32Array(FRAME_SAMPLES);
  readonly #shared = { PCMU: new SharedEncode('PCMU'), PCMA: new SharedEncode('PCMA') };

  addInput(input: MixInput): void {
    this.#inputs.add(input);
  }

  removeInput(input: MixInput): void {
    this.#inputs.delete(input);
  }

  addOutput(output: MixOutput): void {
    this.#outputs.add(output);
  }

  removeOutput(output: MixOutput): void {
    this.#outputs.delete(output);
  }

  tick(nowMs: number): void {
    this.#collect(nowMs);
    this.#shared.PCMU.ready = false;
    this.#shared.PCMA.ready = false;
    for (const output of this.#outputs) output.tick(output.wantsMix ? this.#mixFor(output) : null, nowMs);
  }

  #collect(nowMs: number): void {
    const sum = this.#sum;
    sum.fill(0);
    this.#talking.clear();
    for (const input of this.#inputs) {
      if (!input.pull(nowMs)) continue;
      this.#talking.add(input);
      const { pcm } = input;
      for (let i = 0; i < FRAME_SAMPLES; i++) sum[i] = (sum[i] as number) + (pcm[i] as number);
    }
  }

  #mixFor(output: MixOutput): Uint8Array {
    const shared = this.#shared[output.codec];
    const own = output.ownVoice;
    if (own !== null && this.#talking.has(own)) {
      encodeWithout(this.#sum, own.pcm, shared);
      return shared.scratch;
    }
    if (!shared.ready) encodeSum(this.#sum, shared);
    return shared.codes;
  }
}

function saturate(sample: number): number {
  return sample > 32767 ? 32767 : sample < -32768 ? -32768 : sample;
}

function encodeSum(sum: Int32Array, shared: SharedEncode): void {
  const { toCode } = shared.law;
  for (let i = 0; i < FRAME_SAMPLES; i++) shared.codes[i] = toCode[saturate(sum[i] as number) & 0xffff] as number;
  shared.ready = true;
}

function encodeWithout(sum: Int32Array, own: Int16Array, shared: SharedEncode): void {
  const { toCode } = shared.law;
  for (let i = 0; i < FRAME_SAMPLES; i++) {
    shared.scratch[i] = toCode[saturate((sum[i] as number) - (own[i] as number)) & 0xffff] as number;
  }
}
