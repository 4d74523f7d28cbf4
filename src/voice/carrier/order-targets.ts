import type { TrunkTarget } from './model.ts';

/**
 * Enabled targets in the order in which one call tries them: by priority, and within one by the weighted draw of RFC 2782
 * (page 3), done anew for each call. `random(max)` is a whole number from 0 to max - 1 (`randomInt` of node:crypto). Pure.
 */
export function orderTargets<T extends TrunkTarget>(targets: readonly T[], random: (max: number) => number): T[] {
  const enabled = targets.filter((target) => target.enabled);
  const priorities = [...new Set(enabled.map(({ priority }) => priority))].sort((a, b) => a - b);
  return priorities.flatMap((priority) => drawn(enabled.filter((target) => target.priority === priority), random));
}

function drawn<T extends TrunkTarget>(targets: readonly T[], random: (max: number) => number): T[] {
  const left = [...targets];
  const order: T[] = [];
  while (left.length > 0) {
    const [taken] = left.splice(draw(left, random), 1);
    if (taken) order.push(taken);
  }
  return order;
}

function draw(targets: readonly TrunkTarget[], random: (max: number) => number): number {
  let rest = random(targets.reduce((sum, { weight }) => sum + weight, 0));
  const at = targets.findIndex(({ weight }) => (rest -= weight) < 0);
  return Math.max(at, 0);
}
