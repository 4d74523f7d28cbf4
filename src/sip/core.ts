import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Door } from './defence/door.ts';
import type { DoorLog } from './defence/door-log.ts';
import type { DialogTable } from './dialog/dialog-table.ts';
import type { DigestGuard } from './digest/guard.ts';
import { newBranch, type Identity } from './identity.ts';
import type { SipRequest } from './message/message.ts';
import { RoutedRequest, type RoutedUser } from './resolve/routed-request.ts';
import type { Routes } from './resolve/routes.ts';
import type { TransactionLayer } from './transaction/layer.ts';
import type { Destination } from './transport/destination.ts';
import { dressRequest } from './way.ts';

export { wayTo } from './way.ts';

/** What calls and dialogs share of the user agent they belong to. */
export interface SipCore {
  readonly clock: Clock;
  readonly log: Log;
  readonly identity: Identity;
  readonly layer: TransactionLayer;
  readonly dialogs: DialogTable;
  readonly guard: DigestGuard;
  readonly door: Door;
  readonly doorLog: DoorLog;
  readonly routes: Routes;
  /** Session interval that calls ask for, s (RFC 4028); 0: none. */
  readonly sessionIntervalS: number;
}

/**
 * Finds the servers behind the destination's name and starts a client transaction with the first, then the next when that
 * one cannot be reached (RFC 3263 §4.3). Our Via is put on top of what is sent; `request` itself stays as it is.
 */
export function sendRequest(core: SipCore, request: SipRequest, options: { destination: Destination; user: RoutedUser; silenceMs?: number }): RoutedRequest {
  const routed = new RoutedRequest(core, request, options);
  routed.start();
  return routed;
}

/** For ACK, which has no transaction and no answer. */
export function sendAlone(core: SipCore, request: SipRequest, to: Destination): void {
  core.routes.find(to, ([destination]) => {
    if (!destination) return;
    dressRequest(core, request, { destination, branch: newBranch() });
    core.layer.send(request, destination);
  });
}
