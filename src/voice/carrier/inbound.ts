import { createHash } from 'node:crypto';
import type { AccountSid } from '../../base/sid.ts';
import type { SipSecretLookup } from '../../sip/contract.ts';
import { isTooWide, WIDEST_OF_OPERATOR } from '../dial-plan/network-width.ts';
import { inRange } from '../dial-plan/ip-range.ts';
import type { Trunk } from './model.ts';

/** By what a call that comes in is known to be a trunk's. Pure. */

/** Trunks that a source address belongs to, the narrowest network first. */
export function trunksOfSource(trunks: readonly Trunk[], address: string): Trunk[] {
  const found = trunks.map((trunk) => ({ trunk, prefixLength: narrowest(trunk, address) })).filter(({ prefixLength }) => prefixLength >= 0);
  return found.sort((a, b) => b.prefixLength - a.prefixLength).map(({ trunk }) => trunk);
}

/** Networks that older versions let trunks have, and that count for nobody's now. */
export function networksOfNobody({ settings }: Pick<Trunk, 'settings'>): string[] {
  return settings.inbound.networks.filter((range) => isTooWide(range, WIDEST_OF_OPERATOR)).map(({ network, prefixLength }) => `${network}/${prefixLength}`);
}

function narrowest({ settings }: Trunk, address: string): number {
  return Math.max(-1, ...settings.inbound.networks.filter((range) => !isTooWide(range, WIDEST_OF_OPERATOR) && inRange(address, range)).map(({ prefixLength }) => prefixLength));
}

/** The trunk that a user is of. A name is of one trunk: of the first, should there be several. */
export function trunkOfUser(trunks: readonly Trunk[], username: string): Trunk | null {
  return trunks.find(({ settings }) => settings.inbound.credentials.some((user) => user.username === username)) ?? null;
}

/** Users of some trunks. */
export function secretsOfTrunks(trunks: readonly Trunk[]): SipSecretLookup {
  return (username) => (trunkOfUser(trunks, username)?.settings.inbound.credentials ?? []).filter((user) => user.username === username).map(({ secret }) => secret);
}

/** Whether the trunk says where its calls come from. */
export function hasSources({ settings: { inbound, register } }: Trunk): boolean {
  return inbound.networks.length > 0 || inbound.credentials.length > 0 || register !== null;
}

/**
 * User part of the Contact that we register at the trunk's carrier: nobody else knows it, so who calls it is that carrier.
 * Null for a trunk that does not register.
 */
export function contactUserOf({ sid, settings: { register } }: Trunk): string | null {
  return register === null ? null : `pl${createHash('sha256').update(JSON.stringify([sid, register.username, register.password])).digest('hex').slice(0, 24)}`;
}

export function trunksOfContact(trunks: readonly Trunk[], user: string): Trunk[] {
  return trunks.filter((trunk) => trunk.settings.register !== null && contactUserOf(trunk) === user);
}

/** Trunks that an account's calls may come by. */
export function usableBy(trunks: readonly Trunk[], accountSid: AccountSid): Trunk[] {
  return trunks.filter((trunk) => trunk.accountSid === null || trunk.accountSid === accountSid);
}
