import type { OutgoingSipCall } from '../../sip/contract.ts';
import { splitValues } from '../../sip/message/grammar.ts';
import { headerKey } from '../../sip/message/header-names.ts';
import { parseNameAddr } from '../../sip/message/name-addr.ts';

/** More are not looked at. */
const MAX_CONTACTS = 10;

/** URIs of the Contacts of a 3xx (RFC 3261 §8.1.3.4), most wanted first; without q an address is as wanted as can be. Pure. */
export function contactsOf(headers: OutgoingSipCall['answerHeaders']): string[] {
  return headers
    .filter(([name]) => headerKey(name) === 'contact')
    .flatMap(([, value]) => splitValues(value))
    .slice(0, MAX_CONTACTS)
    .map(parseNameAddr)
    .filter((address) => address !== null)
    .map(({ uri, params }) => ({ uri, q: qOf(params.get('q')) }))
    .sort((a, b) => b.q - a.q)
    .map(({ uri }) => uri);
}

function qOf(text: string | undefined): number {
  return text !== undefined && /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(text) ? Number(text) : 1;
}
