import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { MediaError } from '../protocol.ts';
import { MappedTargets, SenderNames } from './ip-address.ts';
import type { PortPool } from './port-pool.ts';

export interface UdpPairHandlers {
  rtpReceived(packet: Buffer, from: RemoteInfo): void;
  rtcpReceived(packet: Buffer, from: RemoteInfo): void;
}

type Lookup = (address: string, options: unknown, callback: (error: null, address: string, family: number) => void) => void;

/** Addresses are numeric by the time they come here: no resolver on the packet's way. A socket of family 6 reaches both. */
function numericLookup(family: 4 | 6): Lookup {
  const targets = new MappedTargets();
  return (address, _options, callback) => callback(null, family === 4 ? address : targets.of(address), family);
}

function open(family: 4 | 6): Socket {
  const socket = createSocket({ type: `udp${family}`, lookup: numericLookup(family) as never });
  // ICMP errors of a peer that is gone; the media time-out tells the rest.
  socket.on('error', () => {});
  return socket;
}

function bind(socket: Socket, port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const failed = (): void => resolve(false);
    socket.once('error', failed);
    socket.bind({ port, address, exclusive: true }, () => {
      socket.off('error', failed);
      resolve(true);
    });
  });
}

function closeSocket(socket: Socket): void {
  try {
    socket.close();
  } catch {
    // not running: closed before
  }
}

/** Senders are called by the one name of their address. */
function named(received: (packet: Buffer, from: RemoteInfo) => void): (packet: Buffer, from: RemoteInfo) => void {
  const names = new SenderNames();
  return (packet, from) => {
    // Nobody has a socket there: a forged sender, who could not be answered.
    if (from.port === 0) return;
    from.address = names.of(from.address);
    received(packet, from);
  };
}

/** A socket throws for others, and the port after a phone's 65535 is none. */
function isPort(port: number): boolean {
  return port > 0 && port < 65_536;
}

/** An RTP socket on an even port and its RTCP socket on the next. */
export class UdpPair {
  readonly port: number;
  readonly #rtp: Socket;
  readonly #rtcp: Socket;
  readonly #pool: PortPool;
  #closed = false;

  private constructor(port: number, sockets: { rtp: Socket; rtcp: Socket }, pool: PortPool) {
    this.port = port;
    this.#rtp = sockets.rtp;
    this.#rtcp = sockets.rtcp;
    this.#pool = pool;
  }

  /** Tries the pool's ports until both of a pair can be bound. Rejects with MediaError `no-port`. */
  static async open(pool: PortPool, options: { address: string; nowMs: number; handlers: UdpPairHandlers }): Promise<UdpPair> {
    const family = isIPv6(options.address) ? 6 : 4;
    for (let tries = pool.size; tries > 0; tries--) {
      const port = pool.take(options.nowMs);
      if (port === null) break;
      const rtp = open(family);
      const rtcp = open(family);
      if ((await bind(rtp, port, options.address)) && (await bind(rtcp, port + 1, options.address))) {
        rtp.on('message', named(options.handlers.rtpReceived));
        rtcp.on('message', named(options.handlers.rtcpReceived));
        return new UdpPair(port, { rtp, rtcp }, pool);
      }
      closeSocket(rtp);
      closeSocket(rtcp);
      pool.release(port, options.nowMs);
    }
    throw new MediaError('no-port', 'no free RTP port is left on this worker');
  }

  /** The socket copies the packet, or holds it until it has gone. */
  sendRtp(packet: Buffer, to: { address: string; port: number }): void {
    if (!this.#closed && isPort(to.port)) this.#rtp.send(packet, to.port, to.address);
  }

  sendRtcp(packet: Buffer, to: { address: string; port: number }): void {
    if (!this.#closed && isPort(to.port)) this.#rtcp.send(packet, to.port, to.address);
  }

  /** Idempotent. The port rests before it is given out again. */
  close(nowMs: number): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSocket(this.#rtp);
    closeSocket(this.#rtcp);
    this.#pool.release(this.port, nowMs);
  }
}
