import { trunksOfSource } from './inbound.ts';
import type { TrunkDirectory } from './model.ts';

const MAX_CACHED = 5_000;

/** Whether an address is a source of any trunk; asked for each message that comes, so answers are kept until trunks change. */
export function trustedSources(trunks: Pick<TrunkDirectory, 'all' | 'onChanged'>): (address: string) => boolean {
  const known = new Map<string, boolean>();
  trunks.onChanged(() => known.clear());
  return (address) => {
    const before = known.get(address);
    if (before !== undefined) return before;
    if (known.size >= MAX_CACHED) known.clear();
    const trusted = trunksOfSource(trunks.all(), address).length > 0;
    known.set(address, trusted);
    return trusted;
  };
}
