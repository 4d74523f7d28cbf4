import type { IncomingSipCall, OutgoingSipCall } from '../contract.ts';
import type { SipRequest } from '../message/message.ts';
import { parseReplaces, type Replaces } from '../message/replaces.ts';
import type { Refusal } from '../refusals.ts';

type Replaced = IncomingSipCall | OutgoingSipCall;

/** The call whose place an INVITE wants to take (RFC 3891 §3), null for none, or what the INVITE is refused with. */
export function replacedCall({ headers }: SipRequest, find: (replaces: Replaces) => Replaced | null): { call: Replaced | null } | Refusal {
  const count = headers.count('replaces');
  if (count === 0) return { call: null };
  const replaces = count > 1 || headers.has('join') ? null : parseReplaces(headers.get('replaces') ?? '');
  if (!replaces) return { statusCode: 400, reasonPhrase: 'Malformed Replaces' };
  const call = find(replaces);
  // Of early dialogs only one that we opened may be taken over.
  if (!call || (call.state === 'early' && 'requestUri' in call)) return { statusCode: 481 };
  return replaces.earlyOnly && call.state !== 'early' ? { statusCode: 486 } : { call };
}
