import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Rooms } from '../rooms/contract.ts';
import type { TokenKeys } from './access-token.ts';

export type { TokenKeys } from './access-token.ts';

export interface SignalingDeps {
  clock: Clock;
  log: Log;
  rooms: Rooms;
  keys: TokenKeys;
  /** RTCIceServer objects handed to browsers as they are. Default none. */
  iceServers?: unknown[];
  /** How long a browser may be without its socket before it has left. Default 30. */
  sessionTimeoutS?: number;
}

export interface Signaling {
  /** Takes over an HTTP upgrade of `/signaling` or `/v1/VideoEvents`; false for every other path, untouched. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Closes all sockets. Whoever is still in a room leaves it. */
  stop(): Promise<void>;
}

export function createSignaling(_deps: SignalingDeps): Signaling {
  return { handleUpgrade: () => false, stop: () => Promise.resolve() };
}
