import { trunksOfSource } from './inbound.ts';
import type { TrunkDirectory } from './model.ts';

const MAX_CACHED = 5_000;

/**
 * Whether an address is a source of a trunk that the operator described; asked for each message that comes, so answers are kept until
 * trunks change. What a subaccount names as its carrier's network is held back as strangers are: the door is everybody's.
 */
export function trustedSources(trunks: Pick<TrunkDirectory, 'all' | 'onChanged'>): (address: string) => boolean {
  const known = new Map<string, boolean>();
  trunks.onChanged(() => known.clear());
  return (address) => {
    const before = known.get(address);
    if (before !== undefined) return before;
    if (known.size >= MAX_CACHED) known.clear();
    const trusted = trunksOfSource(trunks.all(), address).some(({ ofOperator }) => ofOperator);
    known.set(address, trusted);
    return trusted;
  };
}
