import { bracket, parseSipUri } from '../../sip/message/uri.ts';
import type { Trunk, TrunkTarget } from './model.ts';
import { fromE164 } from './number-format.ts';

/** Request-URI of a number at a target, written as the trunk wants it; the target's own user gives way. Null for a target that is no SIP URI. */
export function trunkUri(trunk: Trunk, { target }: Pick<TrunkTarget, 'target'>, number: string): string | null {
  if (!parseSipUri(target)) return null;
  const [, scheme = 'sip:', address = ''] = /^(sips?:)(?:[^@]*@)?([^?]*)/i.exec(target) ?? [];
  return `${scheme}${userOf(fromE164(number, trunk.settings.numbers))}@${address}`;
}

/** Host of From: the trunk's domain, else ours. */
export function fromHost(trunk: Trunk, publicAddress: string): string {
  return bracket(trunk.fromDomain ?? publicAddress);
}

function userOf(number: string): string {
  return encodeURIComponent(number).replace(/%2B/g, '+');
}

/** That of its first target; null when it has none. */
export function firstUri(trunk: Trunk, number: string): string | null {
  const [first] = trunk.targets.filter(({ enabled }) => enabled).sort((a, b) => a.priority - b.priority);
  return first ? trunkUri(trunk, first, number) : null;
}
