import { lookup } from 'node:dns';
import { isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Clock } from '../../base/clock.ts';
import { StartupError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { SipPorts, SipSource, SipTlsOptions } from '../contract.ts';
import type { Destination } from './destination.ts';
import { StreamTransport } from './stream.ts';
import { TCP } from './tcp.ts';
import { Tls } from './tls.ts';
import { UdpTransport } from './udp.ts';
import type { WebSocketUpgrade } from './upgrade.ts';
import { WebSocketTransport } from './web-socket.ts';

/** How often port 0 tries to get one number for both protocols. */
const SAME_PORT_ATTEMPTS = 10;

export interface TransportsParts {
  clock: Clock;
  log: Log;
  received: (bytes: Buffer, source: SipSource) => void;
  tls?: SipTlsOptions;
}

/** UDP, TCP, TLS and WebSockets under one roof: bytes with their source come in, bytes for a destination go out. */
export class Transports {
  readonly #udp: UdpTransport;
  readonly #tcp: StreamTransport;
  readonly #tls: StreamTransport;
  readonly #ws: WebSocketTransport;
  readonly #tlsPort: number | null;
  #ports: SipPorts = { udp: 0, tcp: 0, tls: null };
  #open = false;
  /** Names resolve to what the sockets can reach: IPv4 only, or either. */
  #family: 0 | 4 = 4;

  /** Throws StartupError when a certificate cannot be used. */
  constructor(parts: TransportsParts) {
    const { clock, log, received } = parts;
    const from = (transport: SipSource['transport']) => (bytes: Buffer, address: string, port: number): void => received(bytes, { transport, address, port });
    this.#udp = new UdpTransport({ received: from('udp'), failed: (reason) => log.warn({ reason }, 'UDP socket of SIP reported an error') });
    this.#tcp = new StreamTransport(TCP, { received: from('tcp') }, clock);
    this.#tls = new StreamTransport(new Tls(parts.tls, { clock, log }), { received: from('tls') }, clock);
    this.#ws = new WebSocketTransport(from('ws'), clock);
    this.#tlsPort = parts.tls?.port ?? null;
  }

  get ports(): SipPorts {
    return this.#ports;
  }

  get connectionCount(): number {
    return this.#tcp.connectionCount + this.#tls.connectionCount + this.#ws.connectionCount;
  }

  async start(address: string, port: number): Promise<void> {
    this.#family = isIPv6(address) ? 0 : 4;
    const ports = await this.#bindBoth(address, port);
    try {
      this.#ports = { ...ports, tls: this.#tlsPort === null ? null : await this.#tls.bind(address, this.#tlsPort) };
      this.#open = true;
    } catch (error) {
      await Promise.all([this.#udp.close(), this.#tcp.close()]);
      throw error;
    }
  }

  /** One number for UDP and TCP. */
  async #bindBoth(address: string, port: number): Promise<{ udp: number; tcp: number }> {
    for (let attempt = 1; ; attempt++) {
      const udp = await this.#udp.bind(address, port);
      try {
        return { udp, tcp: await this.#tcp.bind(address, udp) };
      } catch (error) {
        await this.#udp.close();
        if (port !== 0 || attempt === SAME_PORT_ATTEMPTS || !(error instanceof StartupError)) throw error;
      }
    }
  }

  handleUpgrade(...upgrade: WebSocketUpgrade): boolean {
    return this.#open && this.#ws.handleUpgrade(...upgrade);
  }

  hasConnection({ transport, address, port }: SipSource): boolean {
    return transport !== 'udp' && this.#connected(transport).has(address, port);
  }

  #connected(transport: Exclude<SipSource['transport'], 'udp'>): StreamTransport | WebSocketTransport {
    if (transport === 'ws') return this.#ws;
    return transport === 'tls' ? this.#tls : this.#tcp;
  }

  /** `failed` is called at most once per send, later or at once. */
  send(bytes: Buffer, to: Destination, failed: (reason: string) => void): void {
    if (!this.#open) return;
    if (to.address === null && isIP(to.host) !== 0) to.address = to.host;
    if (to.address !== null) return this.#sendTo(bytes, { ...to, address: to.address }, failed);
    // The names in Contacts of browsers are nobody's (RFC 7118 §5.2, `.invalid`): no question to DNS.
    if (to.transport === 'ws') return failed('a WebSocket cannot be opened to a phone');
    lookup(to.host, { family: this.#family }, (error, address) => {
      if (error) return failed(error.message);
      to.address = address;
      if (this.#open) this.#sendTo(bytes, { ...to, address }, failed);
    });
  }

  #sendTo(bytes: Buffer, to: Destination & { address: string }, failed: (reason: string) => void): void {
    if (to.transport === 'udp') this.#udp.send(bytes, to, failed);
    else this.#connected(to.transport).send(bytes, to, failed);
  }

  async stop(): Promise<void> {
    this.#open = false;
    await Promise.all([this.#udp.close(), this.#tcp.close(), this.#tls.close(), this.#ws.close()]);
  }
}

const isLoopback = (address: string): boolean => address === 'localhost' || address === '::1' || address.startsWith('127.');

/**
 * The address to name in Via and Contact towards a peer: the given one, or for a wildcard that of the first interface, and
 * loopback for a peer on this machine.
 */
export function advertisedAddress(address: string): (peer: string) => string {
  if (address !== '0.0.0.0' && address !== '::') return () => address;
  const outer = interfaceAddress(address === '::');
  return (peer) => (isLoopback(peer) ? (isIPv6(peer) ? '::1' : '127.0.0.1') : outer);
}

function interfaceAddress(preferIPv6: boolean): string {
  const entries = Object.values(networkInterfaces()).flatMap((list) => list ?? []).filter((entry) => !entry.internal);
  const found = entries.find((entry) => (entry.family === 'IPv6') === preferIPv6) ?? entries[0];
  return found?.address ?? (preferIPv6 ? '::1' : '127.0.0.1');
}
