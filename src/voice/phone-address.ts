import { familyOf, isLoopback, isPrivateAddress, isWildcard, oneSpelling } from '../sip/transport/own-address.ts';

/** Where phones can be, seen from here. */
export interface PhoneNetworks {
  /** Families of addresses that our media sockets reach. Default both. */
  families?: ReadonlySet<4 | 6> | undefined;
  /** Is that an address of a network on our side of the NAT? Default: of none. */
  isNear?: ((address: string) => boolean) | undefined;
}

/**
 * Whether the address in a phone's SDP says nothing to us: it is of a private network (RFC 1918, RFC 6598, RFC 3927, RFC 4193, link-local) and its signaling comes from
 * elsewhere; of loopback, and the signaling does not; or no address at all. What would be sent there would reach a stranger of our own network.
 */
export function isElsewhere(sdpAddress: string, signalingAddress: string, isNear: (address: string) => boolean = () => false): boolean {
  const [address, signaling] = [plain(sdpAddress), plain(signalingAddress)];
  if (isWildcard(address)) return true;
  if (isLoopback(address)) return !isLoopback(signaling);
  if (!isPrivateAddress(address) || familyOf(signaling) === null) return false;
  return !isPrivateAddress(signaling) && !isLoopback(signaling) && !isNear(signaling);
}

/** As it is compared: without the brackets and the zone that SDP and sockets may write. */
function plain(address: string): string {
  return oneSpelling(address.replace(/^\[|\]$/g, '').replace(/%.*$/, '').toLowerCase());
}
