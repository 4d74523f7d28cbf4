import net from 'node:net';
import type { AddressInfo } from 'node:net';

/** A door between a peer and the server that a test can slam: TCP connections are passed through, cut, or refused. */
export class TcpProxy {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #targetPort: number;
  #open = true;
  port = 0;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = net.createServer((socket) => this.#pass(socket));
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    proxy.port = (proxy.#server.address() as AddressInfo).port;
    return proxy;
  }

  #pass(socket: net.Socket): void {
    if (!this.#open) {
      socket.resetAndDestroy();
      return;
    }
    const target = net.connect(this.#targetPort, '127.0.0.1');
    for (const each of [socket, target]) {
      this.#sockets.add(each);
      each.on('error', () => undefined);
      each.on('close', () => {
        this.#sockets.delete(each);
        socket.destroy();
        target.destroy();
      });
    }
    socket.pipe(target).pipe(socket);
  }

  /** Cuts every connection and refuses new ones. */
  slam(): void {
    this.#open = false;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  reopen(): void {
    this.#open = true;
  }

  log(): string {
    return `${this.#open ? 'open' : 'shut'}, ${this.#sockets.size} sockets`;
  }

  async stop(): Promise<void> {
    this.slam();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
