import { parseNameAddr } from '../../sip/message/name-addr.ts';
import { parseSipUri, unbracket } from '../../sip/message/uri.ts';
import { addressBits } from '../dial-plan/ip-range.ts';
import { e164Of } from '../dial-plan/number.ts';
import type { Trunk } from './model.ts';
import { toE164 } from './number-format.ts';

/** What is known of carriers by their hosts alone: an address there may be a number that somebody charges for. Pure. */

export interface NumberAtCarrier {
  /** E.164, or a short code. */
  number: string;
  trunk: Trunk;
}

/**
 * The number that an address is when its host is a carrier's: a target or the outbound proxy of a trunk, or a single address that
 * its calls come from. There only E.164 counts: phones may sit beside the carrier's gateway.
 */
export function numberAtHost(trunks: readonly Trunk[], { user, host }: { user: string; host: string }): NumberAtCarrier | null {
  const name = plainHost(host);
  for (const trunk of trunks) {
    const called = calledHosts(trunk).includes(name);
    if (!called && !sourceHosts(trunk).includes(name)) continue;
    const number = toE164(user, trunk.settings.numbers) ?? e164Of(user);
    if (number !== null && (called || number.startsWith('+'))) return { number, trunk };
  }
  return null;
}

/** Whether a registered contact is no phone but a number, that the proxies which its REGISTER named (RFC 3327) would carry to a carrier. */
export function isNumberOverPath(trunks: readonly Trunk[], { uri, outboundProxy }: { uri: string; outboundProxy: string }): boolean {
  const contact = parseSipUri(uri);
  if (!contact || !outboundProxy.includes('<')) return false;
  const hops = outboundProxy.split(',').map((hop) => parseSipUri(parseNameAddr(hop.trim())?.uri ?? '')?.host ?? '');
  return [contact.host, ...hops].some((host) => numberAtHost(trunks, { user: contact.user, host })?.number.startsWith('+') === true);
}

function calledHosts({ targets, settings: { outbound } }: Trunk): string[] {
  const uris = [...targets.map(({ target }) => target), ...(outbound.proxy === null ? [] : [outbound.proxy])];
  return uris.map((uri) => plainHost(parseSipUri(uri)?.host ?? ''));
}

function sourceHosts({ settings: { inbound } }: Trunk): string[] {
  return inbound.networks.filter(({ network, prefixLength }) => prefixLength === addressBits(network)).map(({ network }) => plainHost(network));
}

/** A name may end with the dot of the root. */
function plainHost(host: string): string {
  return unbracket(host).toLowerCase().replace(/\.$/, '');
}
