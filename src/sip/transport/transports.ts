import { lookup } from 'node:dns';
import { isIP } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { StartupError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { boundFamilies } from './own-address.ts';
import type { Defect } from '../message/parse.ts';
import type { SipPorts, SipSource, SipTlsOptions } from '../contract.ts';
import { ipv6OnlyBeside, type Destination } from './destination.ts';
import { StreamTransport } from './stream.ts';
import { TCP } from './tcp.ts';
import { Tls } from './tls.ts';
import { UdpSockets } from './udp-sockets.ts';
import type { WebSocketUpgrade } from './upgrade.ts';
import { WebSocketTransport } from './web-socket.ts';

/** How often port 0 tries to get one number for both protocols on all addresses. */
const SAME_PORT_ATTEMPTS = 10;

export interface TransportsParts {
  clock: Clock;
  log: Log;
  /** `defect`: what is wrong with its frame. */
  received: (bytes: Buffer, source: SipSource, defect?: Defect) => void;
  /** A connection that somebody opened to us is closed. */
  closed: (source: SipSource) => void;
  tls?: SipTlsOptions;
}

/** UDP, TCP, TLS and WebSockets under one roof: bytes with their source come in, bytes for a destination go out. */
export class Transports {
  readonly #udp: UdpSockets;
  readonly #tcp: StreamTransport;
  readonly #tls: StreamTransport;
  readonly #ws: WebSocketTransport;
  readonly #tlsPort: number | null;
  #ports: SipPorts = { udp: 0, tcp: 0, tls: null };
  #open = false;
  /** Names resolve to what the sockets can reach: one family, or (0) either. */
  #family: 0 | 4 | 6 = 4;

  /** Throws StartupError when a certificate cannot be used. */
  constructor(parts: TransportsParts) {
    const { clock, log, received, closed } = parts;
    const from = (transport: SipSource['transport']) => (bytes: Buffer, { address, port }: { address: string; port: number }, defect?: Defect): void => received(bytes, { transport, address, port }, defect);
    const gone = (transport: SipSource['transport']) => (address: string, port: number): void => closed({ transport, address, port });
    this.#udp = new UdpSockets({ received: from('udp'), failed: (reason) => log.warn({ reason }, 'UDP socket of SIP reported an error') });
    this.#tcp = new StreamTransport(TCP, { received: from('tcp'), closed: gone('tcp') }, clock);
    this.#tls = new StreamTransport(new Tls(parts.tls, { clock, log }), { received: from('tls'), closed: gone('tls') }, clock);
    this.#ws = new WebSocketTransport({ received: from('ws'), closed: gone('ws') }, clock);
    this.#tlsPort = parts.tls?.port ?? null;
  }

  get ports(): SipPorts {
    return this.#ports;
  }

  get connectionCount(): number {
    return this.#tcp.connectionCount + this.#tls.connectionCount + this.#ws.connectionCount;
  }

  /** One port number on all addresses. Rejects with StartupError when one cannot be had, and then nothing is bound. */
  async start(addresses: readonly string[], port: number): Promise<void> {
    const [family, more] = [...boundFamilies(addresses)];
    this.#family = more === undefined ? (family ?? 4) : 0;
    const ports = await this.#bindBoth(addresses, port);
    try {
      this.#ports = { ...ports, tls: this.#tlsPort === null ? null : await bindAll(this.#tls, addresses, this.#tlsPort) };
      this.#open = true;
    } catch (error) {
      await Promise.all([this.#udp.close(), this.#tcp.close(), this.#tls.close()]);
      throw error;
    }
  }

  /** One number for UDP and TCP. */
  async #bindBoth(addresses: readonly string[], port: number): Promise<{ udp: number; tcp: number }> {
    for (let attempt = 1; ; attempt++) {
      try {
        const udp = await this.#udp.bind(addresses, port);
        return { udp, tcp: await bindAll(this.#tcp, addresses, udp) };
      } catch (error) {
        await Promise.all([this.#udp.close(), this.#tcp.close()]);
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

  isConnecting(to: Destination): boolean {
    return to.transport === 'tcp' && to.address !== null && this.#tcp.connecting({ ...to, address: to.address });
  }

  /** Of the addresses that our sockets reach; 0: either. */
  get family(): 0 | 4 | 6 {
    return this.#family;
  }

  #connected(transport: Exclude<SipSource['transport'], 'udp'>): StreamTransport | WebSocketTransport {
    if (transport === 'ws') return this.#ws;
    return transport === 'tls' ? this.#tls : this.#tcp;
  }

  /** A request that came asks for `alias` (RFC 5923). */
  alias({ transport, address, port }: SipSource, sentByPort: number): void {
    if (transport === 'tls') this.#tls.alias({ address, port, sentByPort });
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

async function bindAll(transport: StreamTransport, addresses: readonly string[], port: number): Promise<number> {
  let bound = port;
  for (const address of addresses) bound = await transport.bind(address, bound, { ipv6Only: ipv6OnlyBeside(address, addresses) });
  return bound;
}
