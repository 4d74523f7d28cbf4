import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { DialogTable } from './dialog/dialog-table.ts';
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
}

/** Puts our Via on top and the product at the end, then starts the client transaction. */
export function sendRequest(core: SipCore, request: SipRequest, options: { destination: Destination; user: ClientUser }): ClientTransaction {
  const branch = newBranch();
  dressRequest(core, request, { transport: options.destination.transport, branch });
  return core.layer.request(request, { branch, ...options });
}

/** Via and User-Agent for a request of ours; used alone for ACK, which has no transaction. */
export function dressRequest(core: SipCore, request: SipRequest, way: { transport: Destination['transport']; branch: string }): void {
  request.headers.prepend('Via', core.identity.via(way.transport, way.branch));
  if (!request.headers.has('user-agent')) request.headers.add('User-Agent', core.identity.product);
}
