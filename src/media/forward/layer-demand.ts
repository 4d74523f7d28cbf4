import type { LayerSelector } from './layer-selector.ts';

/** A layer that nobody wants for so long is not wanted. */
const UNWANTED_MS = 3000;

/** Which layers of one simulcast track somebody gets or waits for, without flapping. Pure; allocates on changes only. */
export class LayerDemand {
  #wantedMs: number[] = [];
  #told: boolean[] = [];

  /** Begins again for so many layers, all wanted. */
  reset(layers: number, nowMs: number): void {
    if (layers === this.#told.length) return;
    this.#told = Array.from({ length: layers }, () => true);
    this.#wantedMs = Array.from({ length: layers }, () => nowMs);
  }

  /** Somebody takes whatever comes. */
  allWanted(nowMs: number): void {
    this.#wantedMs.fill(nowMs);
  }

  /**
   * What one subscription gets, and what it waits for; of a video that is not off also the lowest layer, where it falls to at
   * once when its path gets worse.
   */
  wanted(selector: LayerSelector, nowMs: number): void {
    if (selector.limit < 0) return;
    const top = this.#wantedMs.length - 1;
    this.#wantedMs[0] = nowMs;
    for (let i = Math.min(selector.limit, top); i <= Math.min(selector.desired, top); i++) this.#wantedMs[i] = nowMs;
    const current = selector.currentIndex;
    if (current > 0) this.#wantedMs[current] = nowMs;
  }

  /** The demand when it has changed, else null. */
  change(nowMs: number): boolean[] | null {
    let changed = false;
    for (let i = 0; i < this.#told.length; i++) {
      const wanted = nowMs - (this.#wantedMs[i] as number) < UNWANTED_MS;
      if (wanted !== this.#told[i]) changed = true;
    }
    if (!changed) return null;
    this.#told = this.#wantedMs.map((wantedMs) => nowMs - wantedMs < UNWANTED_MS);
    return [...this.#told];
  }
}
