/**
 * The order in which servers are tried (RFC 2782): lower priority first; within one, each next is drawn by its weight.
 * `random` gives numbers from 0 up to, not including, 1.
 */
export function weightedOrder<T extends { priority: number; weight: number }>(records: readonly T[], random: () => number): T[] {
  const ordered: T[] = [];
  const byPriority = [...records].sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  while (byPriority.length > 0) {
    const group = byPriority.filter(({ priority }) => priority === byPriority[0]?.priority);
    const drawn = draw(group, random);
    byPriority.splice(byPriority.indexOf(drawn), 1);
    ordered.push(drawn);
  }
  return ordered;
}

/** Those of weight 0 stand first and are drawn only when the lot is 0: a very small chance beside others, all of it alone. */
function draw<T extends { weight: number }>(group: readonly T[], random: () => number): T {
  const total = group.reduce((sum, { weight }) => sum + weight, 0);
  let lot = Math.floor(random() * (total + 1));
  for (const record of group) {
    lot -= record.weight;
    if (lot <= 0) return record;
  }
  return group[group.length - 1] as T;
}
