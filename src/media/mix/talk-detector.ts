/** Below this a frame counts as silence. Low on purpose: a whisper on a quiet line has to be heard. */
export const TALK_THRESHOLD_DBOV = -60;
const HANGOVER_FRAMES = 15;

/** Decides per 20 ms frame whether a party is heard at all; stays true for 300 ms after the last loud frame. */
export class TalkDetector {
  #left = 0;

  frame(levelDbov: number): boolean {
    if (levelDbov > TALK_THRESHOLD_DBOV) this.#left = HANGOVER_FRAMES;
    else if (this.#left > 0) this.#left--;
    return this.#left > 0;
  }
}
