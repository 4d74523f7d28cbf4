import type { G711 } from '../media/codec/g711.ts';
import { toneSamples } from './tone.ts';

const FRAME_SAMPLES = 160;

/** What a simulated phone says: a tone for ever (level default -12 dBov), or samples at 8 kHz, once unless `loop`. */
export type PhoneSound = { kind: 'silence' } | { kind: 'tone'; frequencyHz: number; levelDbov?: number } | { kind: 'samples'; samples: Int16Array; loop?: boolean };

/** A sound in frames of 20 ms, encoded once. */
export class SoundFrames {
  readonly #frames: readonly Uint8Array[];
  readonly #loop: boolean;
  #next = 0;

  constructor(sound: PhoneSound, law: G711) {
    this.#frames = framesOf(sound, law);
    this.#loop = sound.kind === 'tone' || (sound.kind === 'samples' && sound.loop === true);
  }

  /** The next frame; null is silence. */
  next(): Uint8Array | null {
    const frame = this.#frames[this.#next];
    if (frame === undefined) return null;
    this.#next++;
    if (this.#loop && this.#next === this.#frames.length) this.#next = 0;
    return frame;
  }
}

function framesOf(sound: PhoneSound, law: G711): Uint8Array[] {
  if (sound.kind === 'silence') return [];
  // A second of a whole number of Hz ends where it began.
  const samples = sound.kind === 'tone' ? toneSamples({ ...sound, frequencyHz: Math.round(sound.frequencyHz) }, 1000) : sound.samples;
  return Array.from({ length: Math.ceil(samples.length / FRAME_SAMPLES) }, (_, n) => {
    const codes = new Uint8Array(FRAME_SAMPLES).fill(law.silence);
    for (let i = 0; i < FRAME_SAMPLES && n * FRAME_SAMPLES + i < samples.length; i++) {
      codes[i] = law.toCode[(samples[n * FRAME_SAMPLES + i] as number) & 0xffff] as number;
    }
    return codes;
  });
}
