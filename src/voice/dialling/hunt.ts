import { orAborted } from '../../base/abort.ts';
import { terminated } from '../termination.ts';
import type { Party } from './party.ts';
import type { Target } from './target.ts';

export interface HuntOptions {
  targets: readonly Target[];
  /** One after the other; else all at once. */
  sequential: boolean;
  /** Dials; `ended` is to be called once when that call is over. */
  dial: (target: Target, ended: (party: Party) => void) => Party;
  /** Gives up. */
  signal: AbortSignal;
}

/** Calls phones until one takes the call. The others are let go then. */
export class Hunt {
  readonly #options: HuntOptions;
  readonly #parties: Party[] = [];
  #last: Party | null = null;

  constructor(options: HuntOptions) {
    this.#options = options;
  }

  /** Whose end was the last; while none ended, the last that was dialled. */
  get last(): Party | null {
    return this.#last ?? this.#parties.at(-1) ?? null;
  }

  /** The phone that took the call; null when none did, or the signal aborted first. */
  async run(): Promise<Party | null> {
    const { targets, sequential, signal } = this.#options;
    for (const group of sequential ? targets.map((target) => [target]) : [targets]) {
      const winner = await this.#first(group);
      if (winner || signal.aborted) return signal.aborted ? null : winner;
    }
    return null;
  }

  /** Ends every call that is still with us but `kept`. Idempotent. */
  letGo(kept: Party | null = null): void {
    for (const party of this.#parties) {
      if (party === kept) continue;
      party.end(terminated(kept ? 'answered-elsewhere' : 'dial-over'));
      party.release();
    }
  }

  async #first(targets: readonly Target[]): Promise<Party | null> {
    const { dial, signal } = this.#options;
    if (signal.aborted) return null;
    const parties = targets.map((target) => dial(target, (party) => (this.#last = party)));
    this.#parties.push(...parties);
    const winner = await orAborted(firstReady(parties), signal);
    this.letGo(winner);
    return winner;
  }
}

function firstReady(parties: readonly Party[]): Promise<Party | null> {
  return new Promise((resolve) => {
    const all = parties.map(async (party) => {
      if (await party.ready) resolve(party);
    });
    void Promise.all(all).then(() => resolve(null));
  });
}
