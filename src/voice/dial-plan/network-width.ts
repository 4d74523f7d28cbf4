import { addressBits } from './ip-range.ts';

/** How wide the networks of a trunk may be, as prefix lengths of IPv4 and IPv6: whoever sends from there is taken for its carrier. */
export interface WidestNetwork {
  32: number;
  128: number;
}

/** For who runs the server: the trunks file, trunks of the main account. Room for 10.0.0.0/8. */
export const WIDEST_OF_OPERATOR: WidestNetwork = { 32: 8, 128: 16 };
/** For subaccounts: what one carrier has. */
export const WIDEST_OF_SUBACCOUNT: WidestNetwork = { 32: 16, 128: 32 };

/** Whether more senders would be in it than one carrier has. False for text that is no address: nobody is in it. Pure. */
export function isTooWide({ network, prefixLength }: { network: string; prefixLength: number }, widest: WidestNetwork): boolean {
  const bits = addressBits(network);
  return bits !== null && prefixLength < widest[bits];
}
