import type { Log } from '../../base/log.ts';
import type { CallSid } from '../../base/sid.ts';
import type { SipReplaces } from '../../sip/contract.ts';
import type { Leg } from '../leg.ts';
import { Bridges } from './bridges.ts';

/** A call whose phone may go over to another one. */
export interface Surrendering {
  readonly movable: boolean;
  /** Ends the call but for its phone, which is to be moved or hung up. Null: it is over. */
  surrender(): Leg | null;
}

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
  /** A live call. */
  surrendering(sid: CallSid): Surrendering | null;
  /** Whether a host of an address is this server. */
  isOurs(host: string): boolean;
}

export function createTransfers({ hosts, ...rest }: Pick<Transfers, 'callOf' | 'callNamed' | 'surrendering' | 'log' | 'toNumbers'> & { hosts: readonly string[] }): Transfers {
  return { ...rest, bridges: new Bridges(), isOurs: (host) => hosts.includes(host.toLowerCase()) };
}
