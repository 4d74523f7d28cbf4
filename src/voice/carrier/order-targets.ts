import { weightedOrder } from '../../sip/resolve/weighted-order.ts';
import type { TrunkTarget } from './model.ts';

/** Enabled targets in the order in which one call tries them, drawn anew for each call. `random` as of `weightedOrder`. Pure. */
export function orderTargets<T extends TrunkTarget>(targets: readonly T[], random: (max: number) => number): T[] {
  return weightedOrder(targets.filter(({ enabled }) => enabled), random);
}
