import type { OutgoingSipCallOptions, SipPlace, SipUserAgent } from '../../sip/contract.ts';
import { parseSipUri, type SipUri } from '../../sip/message/uri.ts';
import { isLoopback, isPrivateAddress } from '../../sip/transport/own-address.ts';
import type { Problem } from '../call-journal.ts';
import { canonicalAddress, inRange } from '../dial-plan/ip-range.ts';
import { e164Of } from '../dial-plan/number.ts';
import type { CarrierAddresses } from './carrier-addresses.ts';
import { numberOf, numbersAtHost } from './carrier-hosts.ts';
import type { Trunk, TrunkDirectory } from './model.ts';
import { mayCallNumber } from './trunk-limits.ts';

export interface OutsideCallsDeps {
  sip: Pick<SipUserAgent, 'call'>;
  trunks: Pick<TrunkDirectory, 'all'>;
  addresses: Pick<CarrierAddresses, 'trunksAt'>;
  /** Whether this server itself listens there for SIP. */
  isOwn: (place: SipPlace) => boolean;
}

/** Twilio's number for a destination that the account has no leave for. */
const NO_LEAVE = 13227;

/**
 * Calls to SIP addresses, which leave by no trunk. What they are called by says little of where they go: judged is each address
 * before anything is sent there, after DNS. No number is called at a carrier's, and nothing at our own.
 */
export class OutsideCalls {
  readonly #deps: OutsideCallsDeps;

  constructor(deps: OutsideCallsDeps) {
    this.#deps = deps;
  }

  /** What a leg calls instead of the user agent. */
  caller(journal: (problem: Problem) => void): Pick<SipUserAgent, 'call'> {
    return { call: (options) => this.#deps.sip.call({ ...options, mayReach: (place) => this.#mayReach(options, { place, journal }) }) };
  }

  /** Whether a subaccount's trunk may call a number there: at the operator's carrier, if the operator's trunks to it do. */
  mayReachByTrunk({ trunk, number, place }: { trunk: Trunk; number: string; place: SipPlace }): string | null {
    if (trunk.ofOperator) return null;
    return this.#whyNotOurs(place) ?? this.#whyNotNumber(number, place);
  }

  #mayReach(options: Pick<OutgoingSipCallOptions, 'to' | 'outboundProxy'>, { place, journal }: { place: SipPlace; journal: (problem: Problem) => void }): boolean {
    const why = this.#whyNot(options, place);
    if (why !== null) journal({ errorCode: NO_LEAVE, message: `${place.address} is not called: ${why}`, log: 0 });
    return why === null;
  }

  #whyNot({ to, outboundProxy }: Pick<OutgoingSipCallOptions, 'to' | 'outboundProxy'>, place: SipPlace): string | null {
    const uri = parseSipUri(to);
    if (!uri) return null;
    const isRegistered = outboundProxy !== undefined;
    // A phone is called at the address that it registered from; a Path (RFC 3327) is what it says.
    if (isRegistered && !outboundProxy.includes('<')) return null;
    return this.#whyNotOurs(place) ?? this.#whyNotCarriers(uri, { place, isRegistered });
  }

  #whyNotOurs(place: SipPlace): string | null {
    return this.#deps.isOwn(place) ? 'it is this server itself' : null;
  }

  #whyNotCarriers(uri: SipUri, { place, isRegistered }: { place: SipPlace; isRegistered: boolean }): string | null {
    const named = uri.params.has('maddr') ? [] : numbersAtHost(this.#deps.trunks.all(), uri);
    // Its host says that it is a number at a carrier: it was let call there as one.
    if (named.length > 0) return this.#whyNotNumber(named[0]?.number ?? '', place);
    const trunk = this.#deps.addresses.trunksAt(place).find((one) => isNumber(numberOf(uri.user, one), isRegistered));
    if (trunk) return `the carrier of trunk ${trunk.name} is there, and it would read a number`;
    return this.#whyNotInNetwork(uri, place);
  }

  /** A carrier has more gateways than the targets name. In private networks, phones stand beside them. */
  #whyNotInNetwork({ user }: SipUri, place: SipPlace): string | null {
    const address = canonicalAddress(place.address);
    if (isPrivateAddress(address) || isLoopback(address) || e164Of(user) === null) return null;
    const trunk = this.#deps.trunks.all().find(({ ofOperator, settings }) => ofOperator && settings.inbound.networks.some((range) => inRange(address, range)));
    return trunk ? `it is in a network of trunk ${trunk.name}, and a number would be called` : null;
  }

  #whyNotNumber(number: string, place: SipPlace): string | null {
    const ofOperator = this.#deps.addresses.trunksAt(place).filter((trunk) => trunk.ofOperator);
    return ofOperator.length === 0 || ofOperator.some((trunk) => mayCallNumber(trunk, number)) ? null : `the server's own trunks to that carrier allow other numbers than ${number} (outbound.allowedPrefixes)`;
  }
}

/** Contacts of phones hold digits for no reason: there only E.164 is a number. */
function isNumber(number: string | null | undefined, isContact: boolean): boolean {
  return isContact ? number?.startsWith('+') === true : number !== undefined;
}
