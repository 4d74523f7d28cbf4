import { dbov, powerOf } from '../codec/level.ts';

/** Where the threshold may lie: it follows the noise of the line, but a quiet voice is a voice and a loud one is never noise. */
const LOWEST_DBOV = -50;
const HIGHEST_DBOV = -35;
const ABOVE_NOISE_DB = 12;
/** Who speaks may become quieter by this much. */
const HYSTERESIS_DB = 4;
const FIRST_NOISE_DBOV = -70;
const QUIETEST_NOISE_DBOV = -75;
/** The estimate of the noise falls fast and rises by 1 dB a second. */
const FALL = 0.2;
const RISE_DB = 0.02;
/** A click is no voice. */
const ONSET_FRAMES = 2;
const HANGOVER_FRAMES = 5;

/** Whether somebody speaks, by energy: 20 ms at a time, begun after 40 ms and ceased 100 ms after the last sound. Pure. */
export class VoiceDetector {
  speaking = false;
  /** Frames since the last one with voice; counts from the beginning as well. */
  quietFrames = 0;
  #noiseDbov = FIRST_NOISE_DBOV;
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
    const base = Math.min(HIGHEST_DBOV, Math.max(LOWEST_DBOV, this.#noiseDbov + ABOVE_NOISE_DB));
    return this.speaking ? base - HYSTERESIS_DB : base;
  }

  #follow(levelDbov: number): void {
    const difference = Math.max(levelDbov, QUIETEST_NOISE_DBOV) - this.#noiseDbov;
    this.#noiseDbov += difference < 0 ? difference * FALL : Math.min(difference, RISE_DB);
  }
}
