import { parseNameAddr } from '../../sip/message/name-addr.ts';
import { percentDecode } from '../../sip/message/grammar.ts';
import { parseSipUri, unbracket } from '../../sip/message/uri.ts';
import { addressBits } from '../dial-plan/ip-range.ts';
import { e164Of } from '../dial-plan/number.ts';
import type { Trunk } from './model.ts';
import { toE164 } from './number-format.ts';

/** What is known of carriers by their hosts alone: an address there may be a number that somebody charges for. Pure. */

export interface NumberAtCarrier {
  /** E.164, or a short code; null: digits that the carrier may read as a number, and we cannot (`7#0049…`). */
  number: string | null;
  trunk: Trunk;
}

/** A user of more digits than an extension has is no name to a carrier. */
const MAX_DIGITS_OF_NAME = 4;

/**
 * The number that an address is when its host is a carrier's: a target or the outbound proxy of a trunk, or a single address that
 * its calls come from. There only E.164 counts: phones may sit beside the carrier's gateway. One for each such trunk; where there are
 * trunks of the operator, those alone: what subaccounts say of the same carrier widens nothing.
 */
export function numbersAtHost(trunks: readonly Trunk[], { user, host }: { user: string; host: string }): NumberAtCarrier[] {
  const name = plainHost(host);
  const found = trunks.flatMap((trunk) => {
    const called = calledHosts(trunk).includes(name);
    if (!called && !sourceHosts(trunk).includes(name)) return [];
    const number = numberOf(user, trunk);
    return number === undefined || (!called && !number?.startsWith('+')) ? [] : [{ number, trunk }];
  });
  const ofOperator = found.filter(({ trunk }) => trunk.ofOperator);
  return ofOperator.length > 0 ? ofOperator : found;
}

/** What a carrier would call; undefined: nothing, it is a name. */
export function numberOf(user: string, { settings: { numbers } }: Pick<Trunk, 'settings'>): string | null | undefined {
  const number = toE164(user, numbers) ?? e164Of(user);
  if (number !== null) return number;
  return percentDecode(user).replace(/\D/g, '').length > MAX_DIGITS_OF_NAME ? null : undefined;
}

/** Trunks of the operator to the same carrier as another trunk, by its hosts. */
export function operatorsTrunksBeside(trunks: readonly Trunk[], trunk: Trunk): Trunk[] {
  const hosts = calledHosts(trunk);
  return trunks.filter((other) => other.ofOperator && other.sid !== trunk.sid && calledHosts(other).some((host) => host !== '' && hosts.includes(host)));
}

/** Whether a registered contact is no phone but a number, that the proxies which its REGISTER named (RFC 3327) would carry to a carrier. */
export function isNumberOverPath(trunks: readonly Trunk[], { uri, outboundProxy }: { uri: string; outboundProxy: string }): boolean {
  const contact = parseSipUri(uri);
  if (!contact || !outboundProxy.includes('<')) return false;
  const hops = outboundProxy.split(',').map((hop) => parseSipUri(parseNameAddr(hop.trim())?.uri ?? '')?.host ?? '');
  return [contact.host, ...hops].some((host) => numbersAtHost(trunks, { user: contact.user, host }).some(({ number }) => number?.startsWith('+')));
}

/** Its targets, those that are not enabled too, and its outbound proxy. */
export function calledUris({ targets, settings: { outbound } }: Trunk): string[] {
  return [...targets.map(({ target }) => target), ...(outbound.proxy === null ? [] : [outbound.proxy])];
}

function calledHosts(trunk: Trunk): string[] {
  return calledUris(trunk).map((uri) => plainHost(parseSipUri(uri)?.host ?? ''));
}

function sourceHosts({ settings: { inbound } }: Trunk): string[] {
  return inbound.networks.filter(({ network, prefixLength }) => prefixLength === addressBits(network)).map(({ network }) => plainHost(network));
}

/** A name may end with the dot of the root. */
function plainHost(host: string): string {
  return unbracket(host).toLowerCase().replace(/\.$/, '');
}
