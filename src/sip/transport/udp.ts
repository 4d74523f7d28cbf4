import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { StartupError, messageOf } from '../../base/errors.ts';

export interface UdpEvents {
  received: (bytes: Buffer, address: string, port: number) => void;
  failed: (reason: string) => void;
}

/** One UDP socket. Datagrams in, datagrams out, no knowledge of SIP. */
export class UdpTransport {
  #socket: Socket | null = null;
  #events: UdpEvents;

  constructor(events: UdpEvents) {
    this.#events = events;
  }

  /** Resolves with the bound port; rejects with StartupError when the address is taken. */
  bind(address: string, port: number): Promise<number> {
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 });
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => reject(new StartupError(`SIP over UDP cannot listen on ${address}:${port}: ${messageOf(error)}`)));
      socket.bind(port, address, () => {
        socket.removeAllListeners('error');
        socket.on('error', (error) => this.#events.failed(messageOf(error)));
        socket.on('message', (bytes, from) => this.#events.received(bytes, from.address, from.port));
        resolve(socket.address().port);
      });
    });
  }

  send(bytes: Buffer, to: { address: string; port: number }, failed: (reason: string) => void): void {
    try {
      this.#socket?.send(bytes, to.port, to.address, (error) => {
        if (error) failed(error.message);
      });
    } catch (error) {
      failed(messageOf(error));
    }
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
