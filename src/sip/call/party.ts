import type { SipParty } from '../contract.ts';
import { percentDecode } from '../message/grammar.ts';
import type { NameAddr } from '../message/name-addr.ts';
import { parseSipUri } from '../message/uri.ts';

/** Who stands in From or To. Of a `tel:` URI the number is the user, and there is no host. */
export function partyOf(address: NameAddr): SipParty {
  const { displayName, uri } = address;
  const parsed = parseSipUri(uri);
  if (parsed) return { displayName, uri, user: percentDecode(parsed.user), host: parsed.host };
  const tel = /^tel:([^;]*)/i.exec(uri);
  return { displayName, uri, user: percentDecode(tel?.[1] ?? ''), host: '' };
}
