import type { OutgoingSipCall, SipContact, SipEnding } from '../contract.ts';
import { requestUriOf } from '../message/uri.ts';
import type { Registrar } from './registrar.ts';

/** Final answers that say that the flow is gone (RFC 5626 §11.5), or that nothing was heard of the phone at all. */
const GONE = [430, 408];

/**
 * Forgets a registered contact behind which a call finds nobody (RFC 5626 §5.3, §7): the next call need not wait for it, and the phone
 * comes back with its next REGISTER. A phone that rang is there, whatever came of it.
 */
export function watchContact(call: OutgoingSipCall, contact: SipContact, registrar: Registrar): void {
  let heard = false;
  call.on('progressed', () => (heard = true));
  call.once('ended', (ending) => {
    if (!heard && isGone(ending)) registrar.contactDied({ uri: requestUriOf(contact.uri), path: contact.outboundProxy.includes('<') ? contact.outboundProxy : '' });
  });
}

function isGone({ cause, statusCode }: SipEnding): boolean {
  return cause === 'unreachable' || (cause === 'rejected' && GONE.includes(statusCode ?? 0));
}
