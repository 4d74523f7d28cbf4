import type { Identity } from './identity.ts';
import type { SipRequest } from './message/message.ts';
import type { Destination } from './transport/destination.ts';

/** Via and User-Agent for a request of ours. */
export function dressRequest(core: { readonly identity: Identity }, request: SipRequest, way: { destination: Destination; branch: string }): void {
  request.headers.prepend('Via', core.identity.via(wayTo(way.destination), way.branch));
  if (!request.headers.has('user-agent')) request.headers.add('User-Agent', core.identity.product);
}

/** The words of a destination that decide under which address of ours it knows us. */
export function wayTo(destination: Destination): { transport: Destination['transport']; peer: string } {
  return { transport: destination.transport, peer: destination.address ?? destination.host };
}
