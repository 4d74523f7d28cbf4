import type { PcmSource } from '../play/pcm-source.ts';
import type { PlayOutcome } from '../protocol.ts';
import { FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';
import type { MixInput } from './room-mixer.ts';
import { WideCopy } from './two-rates.ts';

/** A prompt as one of a room's talkers. `done` is told once how it ended. */
export class PromptVoice implements MixInput {
  readonly pcm = new Int16Array(FRAME_SAMPLES);
  /** A prompt never takes the floor. */
  readonly levelDbov = -127;
  readonly #wide = new WideCopy();
  readonly #source: PcmSource;
  readonly #done: (outcome: PlayOutcome) => void;
  #ended = false;

  constructor(source: PcmSource, done: (outcome: PlayOutcome) => void) {
    this.#source = source;
    this.#done = done;
  }

  wide(): Int16Array {
    return this.#wide.of(this.pcm);
  }

  pull(): boolean {
    this.#wide.next();
    if (this.#ended) return false;
    if (this.#source.read(this.pcm) > 0) return true;
    this.end('finished');
    return false;
  }

  /** Idempotent. */
  end(outcome: PlayOutcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#done(outcome);
  }
}
