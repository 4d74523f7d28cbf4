import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Clock, Timer } from '../../base/clock.ts';
import { StartupError, messageOf } from '../../base/errors.ts';
import { StreamParser } from '../message/stream-parser.ts';
import { plainAddress } from './destination.ts';

export interface TcpEvents {
  received: (bytes: Buffer, address: string, port: number) => void;
}

/** Connections at once, both directions. */
const MAX_CONNECTIONS = 1_000;
/** A message that has begun must be complete after this. */
const HALF_MESSAGE_TIMEOUT_MS = 10_000;
/** A connection on which nothing came or went for so long is closed. */
const IDLE_TIMEOUT_MS = 600_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** Bytes a slow reader may leave unread on our side before its connection is cut. */
const MAX_UNSENT_BYTES = 1 << 20;

interface Connection {
  readonly key: string;
  readonly socket: Socket;
  readonly parser: StreamParser;
  halfTimer: Timer | null;
  idleTimer: Timer | null;
  connecting: boolean;
}

/** The listening socket and the table of open connections by remote `address:port`. */
export class TcpTransport {
  #server: Server | null = null;
  #connections = new Map<string, Connection>();
  #events: TcpEvents;
  #clock: Clock;

  constructor(events: TcpEvents, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Resolves with the bound port; rejects with StartupError when the address is taken. */
  bind(address: string, port: number): Promise<number> {
    const server = createServer((socket) => this.#accepted(socket));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(new StartupError(`SIP over TCP cannot listen on ${address}:${port}: ${messageOf(error)}`)));
      server.listen(port, address, () => {
        server.removeAllListeners('error');
        server.on('error', () => {});
        const bound = server.address();
        resolve(typeof bound === 'object' && bound ? bound.port : port);
      });
    });
  }

  /** Whether a connection to or from there is open, so that a response can go back on it. */
  has(address: string, port: number): boolean {
    return this.#connections.has(`${address}:${port}`);
  }

  /** Uses the open connection or makes one. */
  send(bytes: Buffer, to: { address: string; port: number }, failed: (reason: string) => void): void {
    const connection = this.#connections.get(`${to.address}:${to.port}`) ?? this.#open(to.address, to.port);
    if (!connection) return failed('too many TCP connections');
    if (connection.socket.writableLength > MAX_UNSENT_BYTES) {
      connection.socket.destroy();
      return failed('the other side does not read');
    }
    connection.socket.write(bytes, (error) => {
      if (error) failed(error.message);
    });
    this.#touch(connection);
  }

  #open(address: string, port: number): Connection | null {
    if (this.#connections.size >= MAX_CONNECTIONS) return null;
    return this.#add(connect({ host: address, port }), `${address}:${port}`, true);
  }

  #accepted(socket: Socket): void {
    if (this.#connections.size >= MAX_CONNECTIONS || !socket.remoteAddress) return void socket.destroy();
    this.#add(socket, `${plainAddress(socket.remoteAddress)}:${socket.remotePort ?? 0}`, false);
  }

  #add(socket: Socket, key: string, connecting: boolean): Connection {
    const connection: Connection = { key, socket, parser: new StreamParser(), halfTimer: null, idleTimer: null, connecting };
    this.#connections.set(key, connection);
    socket.setNoDelay(true);
    socket.on('connect', () => {
      connection.connecting = false;
      this.#touch(connection);
    });
    socket.on('data', (chunk) => this.#data(connection, chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#closed(connection));
    this.#touch(connection);
    return connection;
  }

  #data(connection: Connection, chunk: Buffer): void {
    this.#touch(connection);
    const at = connection.key.lastIndexOf(':');
    for (const item of connection.parser.push(chunk)) {
      if (item.kind === 'message') this.#events.received(item.bytes, connection.key.slice(0, at), Number(connection.key.slice(at + 1)));
      else if (item.kind === 'ping') connection.socket.write('\r\n');
      else connection.socket.destroy();
    }
    this.#watchHalfMessage(connection);
  }

  #watchHalfMessage(connection: Connection): void {
    if (!connection.parser.halfMessage) {
      connection.halfTimer?.cancel();
      connection.halfTimer = null;
      return;
    }
    connection.halfTimer ??= this.#clock.after(HALF_MESSAGE_TIMEOUT_MS, () => void connection.socket.destroy());
  }

  #touch(connection: Connection): void {
    connection.idleTimer?.cancel();
    const limitMs = connection.connecting ? CONNECT_TIMEOUT_MS : IDLE_TIMEOUT_MS;
    connection.idleTimer = connection.socket.destroyed ? null : this.#clock.after(limitMs, () => void connection.socket.destroy());
  }

  #closed(connection: Connection): void {
    connection.halfTimer?.cancel();
    connection.idleTimer?.cancel();
    if (this.#connections.get(connection.key) === connection) this.#connections.delete(connection.key);
  }

  close(): Promise<void> {
    for (const connection of this.#connections.values()) connection.socket.destroySoon();
    const server = this.#server;
    this.#server = null;
    if (!server) return Promise.resolve();
    return new Promise((resolve) => {
      const cut = this.#clock.after(200, () => {
        for (const connection of this.#connections.values()) connection.socket.destroy();
      });
      server.close(() => {
        cut.cancel();
        for (const connection of [...this.#connections.values()]) {
          connection.socket.destroy();
          this.#closed(connection);
        }
        resolve();
      });
    });
  }
}
