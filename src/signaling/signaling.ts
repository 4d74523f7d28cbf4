import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Rooms } from '../rooms/contract.ts';
import type { TokenKeys } from './access-token.ts';
import { Admission } from './admission.ts';
import { SignalingConnection } from './connection.ts';
import type { IceServerSource } from './ice-servers.ts';
import { Lobby } from './lobby.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';
import { telemetryOpened, type TelemetryReport } from './telemetry.ts';

export type { TokenKeys } from './access-token.ts';
export { iceServers, type IceServerSource } from './ice-servers.ts';

export interface SignalingDeps {
  /** Where a request comes from. Default: the other end of its connection. */
  clientAddress?: (request: IncomingMessage) => string;
  /** Hears how it was for each browser that told, when it is over. */
  browserReported?: (report: TelemetryReport) => void;
  clock: Clock;
  log: Log;
  rooms: Rooms;
  keys: TokenKeys;
  /** What browsers reach media through beside our own address. Default none. */
  iceServers?: IceServerSource;
  /** How long a browser may be without its socket before it has left. Default 30. */
  sessionTimeoutS?: number;
  /** Sockets at a time; one too many is told that we are busy. Default 5000. */
  maxConnections?: number;
}

export interface Signaling {
  /** Takes over an HTTP upgrade of `/signaling` or `/v1/VideoEvents`; false for every other path, untouched. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Browsers that come now are asked to come again later; those in a room stay, and may come back into it. */
  drain(): void;
  /** Closes all sockets. Whoever is still in a room leaves it. */
  stop(): Promise<void>;
}

const MAX_FRAME_BYTES = 1024 * 1024;
const DEFAULT_MAX_CONNECTIONS = 5000;
const MAX_CONNECTIONS_PER_ADDRESS = 1000;
/** Beyond the limits, to be told that we are busy. What is beyond this too gets a 503. */
const VESTIBULE = 200;
const DEFAULT_SESSION_TIMEOUT_S = 30;
/** For the last words of `stop` to be read. */
const STOP_GRACE_MS = 200;
const GOING_AWAY = 1001;

/** Twilio's room signaling over WebSocket, for unmodified SDKs. Owns no port: the HTTP server hands its upgrades over. */
export function createSignaling(deps: SignalingDeps): Signaling {
  return new WebSocketSignaling(deps);
}

class WebSocketSignaling implements Signaling {
  readonly #deps: SignalingDeps;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES, clientTracking: true, perMessageDeflate: false });
  readonly #lobby: Lobby;
  readonly #admission = new Admission(() => this.#server.clients.size > this.#maxConnections);
  readonly #maxConnections: number;
  readonly #perAddress = new Map<string, number>();
  #stopping: Promise<void> | null = null;

  constructor(deps: SignalingDeps) {
    this.#deps = deps;
    this.#maxConnections = deps.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
    this.#lobby = new Lobby({ ...deps, iceServers: deps.iceServers ?? (() => []), sessionTimeoutS: deps.sessionTimeoutS ?? DEFAULT_SESSION_TIMEOUT_S });
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const path = (request.url ?? '').split('?')[0];
    if (path !== '/signaling' && path !== '/v1/VideoEvents') return false;
    const address = this.#deps.clientAddress?.(request) ?? request.socket.remoteAddress ?? '';
    if (this.#stopping || this.#isFull(address)) {
      refuseUpgrade(socket, '503 Service Unavailable');
      return true;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#opened(webSocket, path, address));
    return true;
  }

  #isFull(address: string): boolean {
    return this.#server.clients.size >= this.#maxConnections + VESTIBULE || (this.#perAddress.get(address) ?? 0) >= MAX_CONNECTIONS_PER_ADDRESS;
  }

  #opened(webSocket: WebSocket, path: string, address: string): void {
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    webSocket.on('close', () => this.#closed(address));
    if (path === '/signaling') this.#lobby.connectionOpened(new SignalingConnection(webSocket, { ...this.#deps, admit: (hello) => this.#admission.admit(hello) }));
    else telemetryOpened(webSocket, { ...this.#deps, ...(this.#deps.browserReported && { reported: this.#deps.browserReported }) });
  }

  #closed(address: string): void {
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }

  drain(): void {
    this.#admission.drain();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.drain();
    this.#lobby.stop();
    if (this.#server.clients.size === 0) return;
    for (const client of this.#server.clients) client.close(GOING_AWAY);
    await new Promise<void>((resolve) => this.#deps.clock.after(STOP_GRACE_MS, resolve));
    for (const client of this.#server.clients) client.terminate();
  }
}
