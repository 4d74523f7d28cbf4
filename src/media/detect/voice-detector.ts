import { dbov, powerOf } from '../codec/level.ts';

/** Where the threshold may lie: it follows the noise of the line, but a quiet voice is a voice and a loud one is never noise. */
const LOWEST_DBOV = -50;
const HIGHEST_DBOV = -35;
const ABOVE_NOISE_DB = 12;
/** Who speaks may become quieter by this much. */
const HYSTERESIS_DB = 4;
/** The noise is the quietest frame of the last two seconds, in four blocks: nobody speaks for so long without a gap. */
const BLOCKS = 4;
const BLOCK_FRAMES = 25;
const FIRST_NOISE_DBOV = -70;
/** A click is no voice. */
const ONSET_FRAMES = 2;
const HANGOVER_FRAMES = 5;

/** Whether somebody speaks, by energy: 20 ms at a time, begun after 40 ms and ceased 100 ms after the last sound. Pure. */
export class VoiceDetector {
  speaking = false;
  /** Frames since the last one with voice; counts from the beginning as well. */
  quietFrames = 0;
  readonly #minima = new Float64Array(BLOCKS).fill(FIRST_NOISE_DBOV);
  #noiseDbov = FIRST_NOISE_DBOV;
  #blockFrames = 0;
  #block = 0;
  #loudFrames = 0;

  /** True when `speaking` has changed. */
  frame(pcm: Int16Array): boolean {
    const levelDbov = dbov(powerOf(pcm));
    const loud = levelDbov > this.#thresholdDbov();
    this.#follow(levelDbov);
    this.#loudFrames = loud ? this.#loudFrames + 1 : 0;
    if (loud && (this.speaking || this.#loudFrames >= ONSET_FRAMES)) this.quietFrames = 0;
    else this.quietFrames++;
    const speaking = this.speaking ? this.quietFrames < HANGOVER_FRAMES : this.#loudFrames >= ONSET_FRAMES;
    const changed = speaking !== this.speaking;
    this.speaking = speaking;
    return changed;
  }

  #thresholdDbov(): number {
    const hysteresisDb = this.speaking ? HYSTERESIS_DB : 0;
    return Math.min(HIGHEST_DBOV, Math.max(LOWEST_DBOV, this.#noiseDbov + ABOVE_NOISE_DB) - hysteresisDb);
  }

  #follow(levelDbov: number): void {
    const minima = this.#minima;
    if (this.#blockFrames === 0) minima[this.#block] = levelDbov;
    else minima[this.#block] = Math.min(minima[this.#block] as number, levelDbov);
    if (++this.#blockFrames < BLOCK_FRAMES) return;
    this.#blockFrames = 0;
    this.#block = (this.#block + 1) % BLOCKS;
    this.#noiseDbov = Math.min(minima[0] as number, minima[1] as number, minima[2] as number, minima[3] as number);
  }
}
