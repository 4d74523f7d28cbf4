import type { Trunk } from './model.ts';

/** Whether a number may be called by the trunk at all. Pure. */
export function mayCallNumber({ settings }: Trunk, number: string): boolean {
  const { allowedPrefixes } = settings.outbound;
  return allowedPrefixes.length === 0 || allowedPrefixes.some((prefix) => number.startsWith(prefix));
}

const WINDOW_MS = 60_000;

/** How many calls stand and were begun by each trunk, against what its settings allow. Pure: the time is an argument. */
export class TrunkLimits {
  readonly #standing = new Map<string, number>();
  /** When the calls of the last minute began, the oldest first; at most as many as are allowed. */
  readonly #begun = new Map<string, number[]>();

  /** Why no call may begin now, in words; null: it may. */
  refusal({ sid, name, settings }: Trunk, nowMs: number): string | null {
    const { maxCalls, callsPerMinute } = settings.outbound;
    if (maxCalls !== null && (this.#standing.get(sid) ?? 0) >= maxCalls) return `trunk ${name} has its ${maxCalls} calls already (outbound.maxCalls)`;
    if (callsPerMinute !== null && this.#recent(sid, nowMs).length >= callsPerMinute) return `trunk ${name} has begun its ${callsPerMinute} calls of this minute (outbound.callsPerMinute)`;
    return null;
  }

  begun({ sid, settings }: Trunk, nowMs: number): void {
    this.#standing.set(sid, (this.#standing.get(sid) ?? 0) + 1);
    if (settings.outbound.callsPerMinute !== null) this.#begun.set(sid, [...this.#recent(sid, nowMs), nowMs]);
  }

  ended({ sid }: Pick<Trunk, 'sid'>): void {
    const left = (this.#standing.get(sid) ?? 0) - 1;
    if (left > 0) this.#standing.set(sid, left);
    else this.#standing.delete(sid);
  }

  #recent(sid: string, nowMs: number): number[] {
    return (this.#begun.get(sid) ?? []).filter((atMs) => nowMs - atMs < WINDOW_MS);
  }
}
