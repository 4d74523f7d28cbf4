import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** What Node's HTTP server tells of an upgrade. */
export type WebSocketUpgrade = [request: IncomingMessage, socket: Duplex, head: Buffer];
