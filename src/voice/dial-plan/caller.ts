import type { SipParty } from '../../sip/contract.ts';
import type { CallerIdentity } from '../../sip/message/identity-headers.ts';
import type { Trunk } from '../carrier/model.ts';
import { toE164 } from '../carrier/number-format.ts';
import { e164Of } from './number.ts';

/** Who calls, as webhooks name it. Pure. */
export interface Caller {
  /** E.164 where it is a number, `sip:user@host` else, `anonymous` when withheld. */
  from: string;
  /** The name that goes with it; empty: none. */
  name: string;
  /** Which header it was read from. */
  by: 'From' | 'P-Asserted-Identity' | 'Remote-Party-ID';
}

/** Of a call to a number. What the network asserts counts only where the trunk is trusted (RFC 3325 §4). */
export function callerOf({ from, identity }: { from: SipParty; identity: CallerIdentity }, trunk: Trunk | null): Caller {
  const asserted = trunk?.settings.inbound.trustIdentity ? identity.asserted : null;
  const { user, host, displayName } = asserted ?? from;
  const by = asserted?.header ?? 'From';
  if (isWithheld(from, identity)) return { from: 'anonymous', name: '', by };
  const number = trunk ? toE164(user, trunk.settings.numbers) : e164Of(user);
  return { from: number ?? sipAddress(user, host === '' ? from.host : host), name: displayName, by };
}

/** Of a call to a SIP domain: the URI of From, of a registered phone too (contract §6). */
export function sipCallerOf({ from, identity }: { from: SipParty; identity: CallerIdentity }): Caller {
  if (isWithheld(from, identity)) return { from: 'anonymous', name: '', by: 'From' };
  return { from: sipAddress(from.user, from.host), name: from.displayName, by: 'From' };
}

function isWithheld({ user, host }: SipParty, { withheld }: CallerIdentity): boolean {
  return withheld || user.toLowerCase() === 'anonymous' || host.toLowerCase() === 'anonymous.invalid';
}

function sipAddress(user: string, host: string): string {
  return user === '' ? `sip:${host}` : `sip:${user}@${host}`;
}
