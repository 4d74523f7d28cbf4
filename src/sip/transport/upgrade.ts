import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** What Node's HTTP server tells of an upgrade. `clientAddress`: who is behind the proxy that it came by; default: the other end of the connection. */
export type WebSocketUpgrade = [request: IncomingMessage, socket: Duplex, head: Buffer, clientAddress?: string];
