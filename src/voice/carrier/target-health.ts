import { Resting } from '../../sip/resolve/resting.ts';
import type { Trunk, TrunkTarget } from './model.ts';

/** Probes without an answer, one after the other, that make a target unhealthy. */
const UNHEALTHY_AFTER = 2;

/**
 * Which targets of trunks may be expected to take a call, from what calls and probes found. Pure. Targets are told apart by
 * their way (URI and outbound proxy): trunks that share one share what is known of it.
 */
export class TargetHealth {
  /** Did not answer calls. */
  readonly #silent = new Resting();
  /** Asked to be left alone (503 with Retry-After). */
  readonly #overloaded = new Resting();
  /** Failed probes in a row. */
  readonly #failures = new Map<string, number>();

  /** A call found nobody there. */
  failed(way: string, nowMs: number): void {
    this.#silent.failed(way, nowMs);
  }

  askedToRest(way: string, restMs: number, nowMs: number): void {
    this.#overloaded.askedToRest(way, restMs, nowMs);
  }

  /** A call was answered, by whatever. */
  answered(way: string): void {
    this.#silent.succeeded(way);
  }

  /** What a probe found; returns what it changed. */
  probed(way: string, alive: boolean): 'unhealthy' | 'healthy' | null {
    const before = this.#failures.get(way) ?? 0;
    if (!alive) {
      this.#failures.set(way, before + 1);
      return before + 1 === UNHEALTHY_AFTER ? 'unhealthy' : null;
    }
    this.#failures.delete(way);
    this.#silent.succeeded(way);
    return before >= UNHEALTHY_AFTER ? 'healthy' : null;
  }

  /** Nothing is known of it any more. */
  forget(way: string): void {
    this.#failures.delete(way);
  }

  isHealthy(way: string): boolean {
    return (this.#failures.get(way) ?? 0) < UNHEALTHY_AFTER;
  }

  /** Those that may be expected to answer first, the others after them: a call is better tried than not placed. */
  order<T>(targets: readonly T[], wayOf: (target: T) => string, nowMs: number): T[] {
    const avoided = (target: T): boolean => {
      const way = wayOf(target);
      return !this.isHealthy(way) || this.#silent.isResting(way, nowMs) || this.#overloaded.isResting(way, nowMs);
    };
    return [...targets.filter((target) => !avoided(target)), ...targets.filter(avoided)];
  }
}

export function wayOf(trunk: Trunk, { target }: Pick<TrunkTarget, 'target'>): string {
  const { proxy } = trunk.settings.outbound;
  return proxy === null ? target : `${target} via ${proxy}`;
}
