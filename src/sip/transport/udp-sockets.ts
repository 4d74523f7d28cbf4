import { forgetOldest } from '../../base/forget-oldest.ts';
import { boundFamilies, familyOf, isLoopback, type AddressFamily } from './own-address.ts';
import { ipv6OnlyBeside } from './destination.ts';
import { answerToStun } from './stun-keep-alive.ts';
import { UdpTransport, type UdpEvents } from './udp.ts';

/** Peers whose socket is remembered, where there is a choice. */
const MAX_REMEMBERED = 10_000;

interface BoundSocket {
  readonly address: string;
  readonly families: ReadonlySet<AddressFamily>;
  readonly transport: UdpTransport;
}

/**
 * The UDP sockets of all addresses that are bound, on one port number. What goes to a peer leaves by the socket that it was last
 * heard on (RFC 3261 §18.2.2), else by one of its family that reaches it.
 */
export class UdpSockets {
  readonly #events: UdpEvents;
  #sockets: BoundSocket[] = [];
  /** `address:port` of a peer → the socket it was heard on; the oldest are forgotten. */
  readonly #heardOn = new Map<string, BoundSocket>();

  constructor(events: UdpEvents) {
    this.#events = events;
  }

  /** Resolves with the port number that all got; rejects with StartupError when one is taken, and then none is bound. */
  async bind(addresses: readonly string[], port: number): Promise<number> {
    let bound = port;
    try {
      for (const address of addresses) bound = await this.#bindOne(address, { port: bound, addresses });
      return bound;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  #bindOne(address: string, { port, addresses }: { port: number; addresses: readonly string[] }): Promise<number> {
    const received: UdpEvents['received'] = (bytes, from) => {
      const stun = answerToStun(bytes, from);
      if (stun) return socket.transport.send(stun, from, () => {});
      if (this.#sockets.length > 1) this.#remember(`${from.address}:${from.port}`, socket);
      this.#events.received(bytes, from);
    };
    const transport = new UdpTransport({ received, failed: this.#events.failed });
    const ipv6Only = ipv6OnlyBeside(address, addresses);
    const socket: BoundSocket = { address, families: ipv6Only ? new Set<AddressFamily>([6]) : boundFamilies([address]), transport };
    this.#sockets.push(socket);
    return transport.bind(address, port, { ipv6Only });
  }

  #remember(peer: string, socket: BoundSocket): void {
    this.#heardOn.delete(peer);
    this.#heardOn.set(peer, socket);
    forgetOldest(this.#heardOn, MAX_REMEMBERED);
  }

  send(bytes: Buffer, to: { address: string; port: number }, failed: (reason: string) => void): void {
    const socket = this.#socketFor(to);
    if (socket) socket.transport.send(bytes, to, failed);
    else failed(`no UDP socket is bound that reaches ${to.address}`);
  }

  #socketFor({ address, port }: { address: string; port: number }): BoundSocket | undefined {
    const heardOn = this.#sockets.length > 1 ? this.#heardOn.get(`${address}:${port}`) : undefined;
    if (heardOn) return heardOn;
    const family = familyOf(address) ?? 4;
    const fitting = this.#sockets.filter(({ families }) => families.has(family));
    return fitting.find((socket) => isLoopback(socket.address) === isLoopback(address)) ?? fitting[0];
  }

  async close(): Promise<void> {
    const sockets = this.#sockets;
    this.#sockets = [];
    this.#heardOn.clear();
    await Promise.all(sockets.map(({ transport }) => transport.close()));
  }
}
