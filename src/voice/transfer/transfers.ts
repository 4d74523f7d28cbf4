import type { Log } from '../../base/log.ts';
import type { CallSid } from '../../base/sid.ts';
import type { SipReplaces } from '../../sip/contract.ts';
import { Bridges } from './bridges.ts';

/** What transfers of phones need to know of the rest. */
export interface Transfers {
  readonly bridges: Bridges;
  readonly log: Log;
  /** Who may have numbers called, at the account's cost. */
  readonly toNumbers: 'users' | 'all';
  /** The live call whose dialog has this Call-ID. */
  callNamed(callId: string): CallSid | null;
  /** The live call that a Replaces names. */
  callOf(replaces: Readonly<SipReplaces>): CallSid | null;
  /** Whether a host of an address is this server. */
  isOurs(host: string): boolean;
}

export function createTransfers({ hosts, ...rest }: Pick<Transfers, 'callOf' | 'callNamed' | 'log' | 'toNumbers'> & { hosts: readonly string[] }): Transfers {
  return { ...rest, bridges: new Bridges(), isOurs: (host) => hosts.includes(host.toLowerCase()) };
}
