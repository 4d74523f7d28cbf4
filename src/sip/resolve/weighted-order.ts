/**
 * The order in which servers are tried (RFC 2782): lower priority first; within one, each next is drawn by its weight, and
 * those of weight 0 when no others are left. `random(max)` is a whole number from 0 to max - 1 (`randomInt` of node:crypto). Pure.
 */
export function weightedOrder<T extends { priority: number; weight: number }>(records: readonly T[], random: (max: number) => number): T[] {
  const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b);
  return priorities.flatMap((wanted) => drawn(records.filter(({ priority }) => priority === wanted), random));
}

function drawn<T extends { weight: number }>(records: readonly T[], random: (max: number) => number): T[] {
  const left = [...records];
  const order: T[] = [];
  while (left.length > 0) {
    const [taken] = left.splice(draw(left, random), 1);
    if (taken) order.push(taken);
  }
  return order;
}

function draw(records: readonly { weight: number }[], random: (max: number) => number): number {
  const total = records.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return random(records.length);
  let lot = random(total);
  return Math.max(0, records.findIndex(({ weight }) => (lot -= weight) < 0));
}
