import type { Server, Socket } from 'node:net';
import type { Clock, Timer } from '../../base/clock.ts';
import { StartupError, messageOf } from '../../base/errors.ts';
import type { Defect } from '../message/parse.ts';
import { StreamParser, type StreamItem } from '../message/stream-parser.ts';
import { plainAddress } from './destination.ts';

/** What kind of connection it is: TCP, or TLS on top. */
export interface StreamKind {
  /** For messages: `TCP`. */
  readonly name: string;
  /** Told of each socket when messages can come. */
  listen(accepted: (socket: Socket) => void): Server;
  /** `host`: the name the address was found by, or the address. `ready` is called when messages can go. */
  connect(to: { address: string; port: number; host: string }, ready: () => void): Socket;
  /** Whether who connected to us proved to be `host`, so that what is for `host` may go back on its connection (RFC 5923 §8). */
  isProven?(socket: Socket, host: string): boolean;
}

/** Where a message goes. `host` as in StreamKind. */
export interface StreamTarget {
  address: string;
  port: number;
  host: string;
}

export interface StreamEvents {
  /** `defect`: what is wrong with its frame, to be answered before its connection is closed. */
  received: (bytes: Buffer, from: { address: string; port: number }, defect?: Defect) => void;
  /** No connection with that address and port is left. */
  closed: (address: string, port: number) => void;
}

/** Connections at once, both directions. */
const MAX_CONNECTIONS = 1_000;
/** Those that one address opened, half-open and in a TLS handshake too: others must find room. */
const MAX_PER_ADDRESS = 500;
/** A message that has begun must be complete after this. */
const HALF_MESSAGE_TIMEOUT_MS = 10_000;
/** A connection on which nothing came or went for so long is closed. */
const IDLE_TIMEOUT_MS = 600_000;
const KEEP_ALIVE_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** Ports of its own that one connection may stand for. */
const MAX_ALIASES = 4;
/** Messages for a connection that is being made. */
const MAX_WAITING = 1_000;
/** Bytes a slow reader may leave unread on our side before its connection is cut. */
const MAX_UNSENT_BYTES = 1 << 20;

interface Connection {
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly socket: Socket;
  readonly parser: StreamParser;
  /** Keys of `#aliases` that are its. */
  readonly aliases: Set<string>;
  halfTimer: Timer | null;
  idleTimer: Timer | null;
  /** Why it closed. */
  reason: string;
  /** What goes out once the connection stands, and its other side is who it should be; null from then on. */
  waiting: Outgoing[] | null;
}

interface Outgoing {
  bytes: Buffer;
  failed: (reason: string) => void;
}

/**
 * A listening socket and the table of open connections by remote `address:port`. A connection that we made to a name is for
 * that name alone: over TLS another name would want another certificate.
 */
export class StreamTransport {
  readonly #kind: StreamKind;
  #servers: Server[] = [];
  #connections = new Map<string, Connection>();
  /** Connections that stand for the port that their other side listens on, by `address:port` (RFC 5923). */
  readonly #aliases = new Map<string, Connection>();
  /** As accepted, those in a TLS handshake among them: `close` of the server waits for them all. */
  readonly #accepting = new Set<Socket>();
  readonly #acceptedBy = new Map<string, number>();
  #events: StreamEvents;
  #clock: Clock;

  constructor(kind: StreamKind, events: StreamEvents, clock: Clock) {
    this.#kind = kind;
    this.#events = events;
    this.#clock = clock;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Once for each address. Resolves with the bound port; rejects with StartupError when the address is taken. */
  bind(address: string, port: number, options: { ipv6Only?: boolean } = {}): Promise<number> {
    const server = this.#kind.listen((socket) => this.#accepted(socket));
    this.#servers.push(server);
    server.maxConnections = MAX_CONNECTIONS;
    server.on('connection', (socket: Socket) => {
      if (!this.#hasRoom(socket)) return void socket.destroy();
      this.#accepting.add(socket);
      socket.once('close', () => this.#accepting.delete(socket));
    });
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(new StartupError(`SIP over ${this.#kind.name} cannot listen on ${address}:${port}: ${messageOf(error)}`)));
      server.listen({ port, host: address, ipv6Only: options.ipv6Only === true }, () => {
        server.removeAllListeners('error');
        server.on('error', () => {});
        const bound = server.address();
        resolve(typeof bound === 'object' && bound ? bound.port : port);
      });
    });
  }

  /** Counts it with its address until it closes; false when there are too many. */
  #hasRoom(socket: Socket): boolean {
    const address = socket.remoteAddress ?? '';
    const own = this.#acceptedBy.get(address) ?? 0;
    if (own >= MAX_PER_ADDRESS) return false;
    this.#acceptedBy.set(address, own + 1);
    socket.once('close', () => {
      const left = (this.#acceptedBy.get(address) ?? 0) - 1;
      if (left > 0) this.#acceptedBy.set(address, left);
      else this.#acceptedBy.delete(address);
    });
    return true;
  }

  /** Whether a connection to or from there is open, so that a response can go back on it. */
  has(address: string, port: number): boolean {
    return this.#connections.has(acceptedKey(address, port));
  }

  /** Whether one to there is being made. */
  connecting(to: StreamTarget): boolean {
    const connection = this.#connections.get(openedKey(to));
    return connection !== undefined && connection.waiting !== null;
  }

  /**
   * A request on the connection from `address:port` asks to be called back on it, as if it were one to its `address` and `sentByPort`.
   * Only who proved its name is, and for that name (RFC 5923 §9): over plain TCP anybody could draw others' calls to itself.
   */
  alias({ address, port, sentByPort }: { address: string; port: number; sentByPort: number }): void {
    const connection = this.#connections.get(acceptedKey(address, port));
    if (!connection || connection.waiting || !this.#kind.isProven || connection.aliases.size >= MAX_ALIASES) return;
    const key = acceptedKey(address, sentByPort);
    connection.aliases.add(key);
    this.#aliases.set(key, connection);
  }

  #aliasOf(to: StreamTarget): Connection | undefined {
    const connection = this.#aliases.get(acceptedKey(to.address, to.port));
    return connection && this.#kind.isProven?.(connection.socket, to.host) === true ? connection : undefined;
  }

  /** Uses the open connection or makes one. */
  send(bytes: Buffer, to: StreamTarget, failed: (reason: string) => void): void {
    const connection = this.#connections.get(acceptedKey(to.host, to.port)) ?? this.#connections.get(openedKey(to)) ?? this.#aliasOf(to) ?? this.#open(to);
    if (!connection) return failed(`too many ${this.#kind.name} connections`);
    if (connection.socket.writableLength > MAX_UNSENT_BYTES) {
      connection.socket.destroy();
      return failed('the other side does not read');
    }
    if (!connection.waiting) this.#write(connection, { bytes, failed });
    else if (connection.waiting.length < MAX_WAITING) connection.waiting.push({ bytes, failed });
    else failed('too much waits for the connection');
  }

  #write(connection: Connection, { bytes, failed }: Outgoing): void {
    connection.socket.write(bytes, (error) => {
      if (error) failed(error.message);
    });
    this.#touch(connection);
  }

  #open(to: StreamTarget): Connection | null {
    if (this.#connections.size >= MAX_CONNECTIONS) return null;
    const socket = this.#kind.connect(to, () => this.#ready(connection));
    const connection = this.#add(socket, { key: openedKey(to), address: to.address, port: to.port, waiting: [] });
    return connection;
  }

  #ready(connection: Connection): void {
    const { waiting } = connection;
    connection.waiting = null;
    this.#touch(connection);
    for (const outgoing of waiting ?? []) this.#write(connection, outgoing);
  }

  #accepted(socket: Socket): void {
    if (socket.destroyed || this.#connections.size >= MAX_CONNECTIONS || !socket.remoteAddress) return void socket.destroy();
    const address = plainAddress(socket.remoteAddress);
    const port = socket.remotePort ?? 0;
    this.#add(socket, { key: acceptedKey(address, port), address, port, waiting: null });
  }

  #add(socket: Socket, at: Pick<Connection, 'key' | 'address' | 'port' | 'waiting'>): Connection {
    const connection: Connection = { ...at, socket, parser: new StreamParser(), aliases: new Set(), halfTimer: null, idleTimer: null, reason: 'no connection' };
    this.#connections.set(at.key, connection);
    socket.setNoDelay(true);
    // Who is gone without a word is noticed, and its NAT keeps the way open.
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on('data', (chunk) => this.#data(connection, chunk));
    socket.on('error', (error) => {
      connection.reason = error.message;
      socket.destroy();
    });
    socket.on('close', () => this.#closed(connection));
    this.#touch(connection);
    return connection;
  }

  #data(connection: Connection, chunk: Buffer): void {
    this.#touch(connection);
    for (const item of connection.parser.push(chunk)) {
      if (item.kind === 'message') this.#events.received(item.bytes, connection);
      else if (item.kind === 'ping' && connection.socket.writableLength <= MAX_UNSENT_BYTES) connection.socket.write('\r\n');
      else return this.#unreadable(connection, item);
    }
    this.#watchHalfMessage(connection);
  }

  /** RFC 3261 §18.3: the answer to a request without Content-Length is 400, and the stream cannot be read on. */
  #unreadable(connection: Connection, item: StreamItem): void {
    if (item.kind !== 'broken' || !item.head) return void connection.socket.destroy();
    this.#events.received(item.head.bytes, connection, item.head.defect);
    connection.socket.destroySoon();
    connection.halfTimer ??= this.#clock.after(HALF_MESSAGE_TIMEOUT_MS, () => void connection.socket.destroy());
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
    const limitMs = connection.waiting ? CONNECT_TIMEOUT_MS : IDLE_TIMEOUT_MS;
    connection.idleTimer = connection.socket.destroyed ? null : this.#clock.after(limitMs, () => void connection.socket.destroy());
  }

  #closed(connection: Connection): void {
    connection.halfTimer?.cancel();
    connection.idleTimer?.cancel();
    if (this.#connections.get(connection.key) === connection) {
      this.#connections.delete(connection.key);
      this.#events.closed(connection.address, connection.port);
    }
    for (const key of connection.aliases) if (this.#aliases.get(key) === connection) this.#aliases.delete(key);
    const { waiting } = connection;
    connection.waiting = null;
    for (const { failed } of waiting ?? []) failed(connection.reason);
  }

  async close(): Promise<void> {
    for (const connection of this.#connections.values()) connection.socket.destroySoon();
    const servers = this.#servers;
    this.#servers = [];
    if (servers.length === 0) return;
    const cut = this.#clock.after(200, () => {
      for (const connection of this.#connections.values()) connection.socket.destroy();
      for (const socket of this.#accepting) socket.destroy();
    });
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    cut.cancel();
    for (const connection of [...this.#connections.values()]) {
      connection.socket.destroy();
      this.#closed(connection);
    }
  }
}

function acceptedKey(address: string, port: number): string {
  return `${address}:${port}`;
}

function openedKey({ address, port, host }: StreamTarget): string {
  return host === address ? acceptedKey(address, port) : `${host} at ${acceptedKey(address, port)}`;
}
