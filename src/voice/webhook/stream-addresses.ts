import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { ALLOW_ALL, type NetworkPolicy } from './network-policy.ts';

/** Where the connection of a media stream may go. `any`: nothing is forbidden, DNS decides when it connects. */
export type StreamAddresses = { kind: 'any' } | { kind: 'these'; addresses: string[] } | { kind: 'none'; problem: string };

/** Asks DNS once and keeps what the policy allows: the connection goes to these addresses and no others. Never rejects. */
export async function streamAddresses(url: string, policy: NetworkPolicy): Promise<StreamAddresses> {
  if (policy === ALLOW_ALL) return { kind: 'any' };
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  const found = isIP(host) === 0 ? await resolved(host) : [host];
  if (!found) return { kind: 'none', problem: `the host name ${host} is unknown` };
  const addresses = found.filter((address) => policy.allows(address));
  if (addresses.length === 0) return { kind: 'none', problem: `${host} leads into a network that is not allowed (PARTYLINE_WEBHOOK_PRIVATE_NETWORKS)` };
  return { kind: 'these', addresses };
}

async function resolved(host: string): Promise<string[] | null> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    return null;
  }
}
