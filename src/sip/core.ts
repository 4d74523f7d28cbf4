import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { DialogTable } from './dialog/dialog-table.ts';
import type { DigestGuard } from './digest/guard.ts';
import { newBranch, type Identity } from './identity.ts';
import type { SipRequest } from './message/message.ts';
import type { ClientTransaction, ClientUser, TransactionLayer } from './transaction/layer.ts';
import type { Destination } from './transport/destination.ts';

/** What calls and dialogs share of the user agent they belong to. */
export interface SipCore {
  readonly clock: Clock;
  readonly log: Log;
  readonly identity: Identity;
  readonly layer: TransactionLayer;
  readonly dialogs: DialogTable;
  readonly guard: DigestGuard;
}

/** Puts our Via on top and the product at the end, then starts the client transaction. */
export function sendRequest(core: SipCore, request: SipRequest, options: { destination: Destination; user: ClientUser }): ClientTransaction {
  const branch = newBranch();
  dressRequest(core, request, { destination: options.destination, branch });
  return core.layer.request(request, { branch, ...options });
}

/** Via and User-Agent for a request of ours; used alone for ACK, which has no transaction. */
export function dressRequest(core: SipCore, request: SipRequest, way: { destination: Destination; branch: string }): void {
  request.headers.prepend('Via', core.identity.via(wayTo(way.destination), way.branch));
  if (!request.headers.has('user-agent')) request.headers.add('User-Agent', core.identity.product);
}

/** The words of a destination that decide under which address of ours it knows us. */
export function wayTo(destination: Destination): { transport: Destination['transport']; peer: string } {
  return { transport: destination.transport, peer: destination.address ?? destination.host };
}
