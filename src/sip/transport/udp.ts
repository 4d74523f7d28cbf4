import { createSocket, type Socket } from 'node:dgram';
import { isIPv4, isIPv6 } from 'node:net';
import { StartupError, messageOf } from '../../base/errors.ts';
import { plainAddress } from './destination.ts';

export interface UdpEvents {
  received: (bytes: Buffer, from: { address: string; port: number }) => void;
  failed: (reason: string) => void;
}

/** One UDP socket. Datagrams in, datagrams out, no knowledge of SIP. */
export class UdpTransport {
  #socket: Socket | null = null;
  #events: UdpEvents;
  #family: 'udp4' | 'udp6' = 'udp4';

  constructor(events: UdpEvents) {
    this.#events = events;
  }

  /** Resolves with the bound port; rejects with StartupError when the address is taken. `ipv6Only`: `::` takes no IPv4 besides. */
  bind(address: string, port: number, options: { ipv6Only?: boolean } = {}): Promise<number> {
    this.#family = isIPv6(address) ? 'udp6' : 'udp4';
    const socket = createSocket({ type: this.#family, recvBufferSize: 1 << 20, ipv6Only: options.ipv6Only === true });
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => reject(new StartupError(`SIP over UDP cannot listen on ${address}:${port}: ${messageOf(error)}`)));
      socket.bind(port, address, () => {
        socket.removeAllListeners('error');
        socket.on('error', (error) => this.#events.failed(messageOf(error)));
        socket.on('message', (bytes, from) => this.#events.received(bytes, { address: plainAddress(from.address), port: from.port }));
        resolve(socket.address().port);
      });
    });
  }

  send(bytes: Buffer, to: { address: string; port: number }, failed: (reason: string) => void): void {
    try {
      this.#socket?.send(bytes, to.port, this.#onThisSocket(to.address), (error) => {
        if (error) failed(error.message);
      });
    } catch (error) {
      failed(messageOf(error));
    }
  }

  /** An IPv6 socket reaches IPv4 by mapped addresses. */
  #onThisSocket(address: string): string {
    return this.#family === 'udp6' && isIPv4(address) ? `::ffff:${address}` : address;
  }

  close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return Promise.resolve();
    return new Promise((resolve) => {
      try {
        socket.close(() => resolve());
      } catch {
        resolve();
      }
    });
  }
}
