import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import type { Clock, Timer } from '../../base/clock.ts';
import { LIMITS } from '../message/message.ts';
import { plainAddress } from './destination.ts';
import type { StreamEvents } from './stream.ts';
import type { WebSocketUpgrade } from './upgrade.ts';

const SUBPROTOCOL = 'sip';
const MAX_CONNECTIONS = 1_000;
/** Connections of one address that have not said anything of SIP yet count as well. */
const MAX_PER_ADDRESS = 100;
const PING_MS = 30_000;
const MAX_UNSENT_BYTES = 1 << 20;
const GOING_AWAY = 1001;
const STOP_GRACE_MS = 200;
/** Two line ends: a sign of life, answered with one (RFC 7118 §6, RFC 5626 §4.4.1). */
const KEEP_ALIVE = '\r\n\r\n';

interface Connection {
  readonly socket: WebSocket;
  readonly address: string;
  readonly port: number;
  timer: Timer | null;
  alive: boolean;
}

/** SIP over WebSocket (RFC 7118): one message a frame, on connections that browsers open; none is ever opened by us. Owns no port. */
export class WebSocketTransport {
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: LIMITS.messageBytes, perMessageDeflate: false, handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false) });
  readonly #connections = new Map<string, Connection>();
  readonly #events: StreamEvents;
  readonly #clock: Clock;
  #stopped = false;

  constructor(events: StreamEvents, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** False, and the socket untouched, when the subprotocol is another or there are too many. */
  handleUpgrade(...[request, socket, head, clientAddress]: WebSocketUpgrade): boolean {
    const { remoteAddress, remotePort } = request.socket;
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (this.#stopped || !remoteAddress || remotePort === undefined || !offered.includes(SUBPROTOCOL)) return false;
    const address = clientAddress ?? plainAddress(remoteAddress);
    if (this.#isFull(address)) return false;
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#opened(webSocket, address, this.#freePort(address, remotePort)));
    return true;
  }

  /** Clients behind a proxy have its ports, and those of two proxies may be the same. */
  #freePort(address: string, from: number): number {
    let port = from;
    while (this.#connections.has(keyOf(address, port))) port = (port % 65_535) + 1;
    return port;
  }

  #isFull(address: string): boolean {
    if (this.#connections.size >= MAX_CONNECTIONS) return true;
    let own = 0;
    for (const connection of this.#connections.values()) if (connection.address === address) own++;
    return own >= MAX_PER_ADDRESS;
  }

  #opened(socket: WebSocket, address: string, port: number): void {
    const connection: Connection = { socket, address, port, timer: null, alive: true };
    const key = keyOf(address, port);
    this.#connections.set(key, connection);
    socket.on('message', (data) => this.#message(connection, data));
    socket.on('pong', () => (connection.alive = true));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      connection.timer?.cancel();
      if (this.#connections.get(key) !== connection) return;
      this.#connections.delete(key);
      this.#events.closed(address, port);
    });
    this.#watch(connection);
  }

  #message(connection: Connection, data: RawData): void {
    connection.alive = true;
    const bytes = Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
    if (bytes.length <= KEEP_ALIVE.length && bytes.toString('latin1').trim() === '') {
      if (bytes.length === KEEP_ALIVE.length) this.#answerKeepAlive(connection.socket);
      return;
    }
    this.#events.received(bytes, connection);
  }

  /** Who asks on and on and reads no answer would fill our memory. */
  #answerKeepAlive(socket: WebSocket): void {
    if (socket.bufferedAmount > MAX_UNSENT_BYTES) socket.terminate();
    else socket.send('\r\n');
  }

  /** A browser that is gone without a word is noticed by its silence. */
  #watch(connection: Connection): void {
    connection.timer = this.#clock.after(PING_MS, () => {
      if (!connection.alive) return connection.socket.terminate();
      connection.alive = false;
      connection.socket.ping();
      this.#watch(connection);
    });
  }

  has(address: string, port: number): boolean {
    return this.#connections.has(keyOf(address, port));
  }

  send(bytes: Buffer, to: { address: string; port: number }, failed: (reason: string) => void): void {
    const connection = this.#connections.get(keyOf(to.address, to.port));
    if (!connection) return failed('the WebSocket is closed');
    if (connection.socket.bufferedAmount > MAX_UNSENT_BYTES) {
      connection.socket.terminate();
      return failed('the other side does not read');
    }
    // As text: a SIP message is UTF-8, and JsSIP and SIP.js read nothing else (RFC 7118 §5.2).
    connection.socket.send(bytes, { binary: false }, (error) => {
      if (error) failed(error.message);
    });
  }

  async close(): Promise<void> {
    this.#stopped = true;
    if (this.#connections.size === 0) return;
    for (const { socket } of this.#connections.values()) socket.close(GOING_AWAY);
    await new Promise<void>((resolve) => void this.#clock.after(STOP_GRACE_MS, resolve));
    for (const { socket } of this.#connections.values()) socket.terminate();
  }
}

function keyOf(address: string, port: number): string {
  return `${address}:${port}`;
}
