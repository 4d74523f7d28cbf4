import { lookup } from 'node:dns';
import { isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Clock } from '../../base/clock.ts';
import { StartupError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { SipSource } from '../contract.ts';
import type { Destination } from './destination.ts';
import { TcpTransport } from './tcp.ts';
import { UdpTransport } from './udp.ts';

/** How often port 0 tries to get one number for both protocols. */
const SAME_PORT_ATTEMPTS = 10;

/** UDP and TCP under one roof: bytes with their source come in, bytes for a destination go out. */
export class Transports {
  readonly #udp: UdpTransport;
  readonly #tcp: TcpTransport;
  #ports = { udp: 0, tcp: 0 };
  #open = false;
  /** Names resolve to what the sockets can reach: IPv4 only, or either. */
  #family: 0 | 4 = 4;

  constructor(parts: { clock: Clock; log: Log; received: (bytes: Buffer, source: SipSource) => void }) {
    const { clock, log, received } = parts;
    this.#udp = new UdpTransport({
      received: (bytes, address, port) => received(bytes, { transport: 'udp', address, port }),
      failed: (reason) => log.warn({ reason }, 'UDP socket of SIP reported an error'),
    });
    this.#tcp = new TcpTransport({ received: (bytes, address, port) => received(bytes, { transport: 'tcp', address, port }) }, clock);
  }

  get ports(): { udp: number; tcp: number } {
    return this.#ports;
  }

  get connectionCount(): number {
    return this.#tcp.connectionCount;
  }

  async start(address: string, port: number): Promise<void> {
    this.#family = isIPv6(address) ? 0 : 4;
    for (let attempt = 1; ; attempt++) {
      const udp = await this.#udp.bind(address, port);
      try {
        this.#ports = { udp, tcp: await this.#tcp.bind(address, udp) };
        this.#open = true;
        return;
      } catch (error) {
        await this.#udp.close();
        if (port !== 0 || attempt === SAME_PORT_ATTEMPTS || !(error instanceof StartupError)) throw error;
      }
    }
  }

  hasConnection(source: SipSource): boolean {
    return source.transport === 'tcp' && this.#tcp.has(source.address, source.port);
  }

  /** `failed` is called at most once per send, later or at once. */
  send(bytes: Buffer, to: Destination, failed: (reason: string) => void): void {
    if (!this.#open) return;
    if (to.address === null && isIP(to.host) !== 0) to.address = to.host;
    if (to.address !== null) return this.#sendTo(bytes, { ...to, address: to.address }, failed);
    lookup(to.host, { family: this.#family }, (error, address) => {
      if (error) return failed(error.message);
      to.address = address;
      if (this.#open) this.#sendTo(bytes, { ...to, address }, failed);
    });
  }

  #sendTo(bytes: Buffer, to: Destination & { address: string }, failed: (reason: string) => void): void {
    if (to.transport === 'tcp') this.#tcp.send(bytes, to, failed);
    else this.#udp.send(bytes, to, failed);
  }

  async stop(): Promise<void> {
    this.#open = false;
    await Promise.all([this.#udp.close(), this.#tcp.close()]);
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
