import type { RemoteInfo } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { MediaError, type PhoneRemote } from '../protocol.ts';
import type { DtlsIdentity } from './dtls-identity.ts';
import { PathComponent } from './path-component.ts';
import type { PortPool } from './port-pool.ts';
import { UdpPair } from './udp-pair.ts';

export interface PhonePathHandlers {
  /** RTP, or RTCP with rtcp-mux. `from`: null where ICE or DTLS has proven that it is the phone's. */
  rtpReceived(packet: Buffer, from: RemoteInfo | null): void;
  rtcpReceived(packet: Buffer, from: RemoteInfo | null): void;
  /** Its DTLS handshake failed: nothing of it will ever be believed. */
  securityFailed(why: string): void;
}

export interface PhonePathOptions {
  id: string;
  bindAddress: string;
  /** Without one there is no DTLS. */
  identity?: DtlsIdentity | undefined;
  clock: Clock;
  log: Log;
  handlers: PhonePathHandlers;
}

/**
 * The way of a phone's packets between its sockets and its transport: as they are, or with ICE (which side of the sockets is the
 * phone's) and DTLS (what is in the packets), each of RTP and RTCP on its own unless they share a port.
 */
export class PhonePath {
  readonly #options: PhonePathOptions;
  #pair: UdpPair | null = null;
  readonly #rtp: PathComponent;
  readonly #rtcp: PathComponent;

  /** Rejects with MediaError `no-port`. */
  static async open(pool: PortPool, options: PhonePathOptions): Promise<PhonePath> {
    const path = new PhonePath(options);
    path.#pair = await UdpPair.open(pool, {
      address: options.bindAddress,
      nowMs: options.clock.nowMs(),
      handlers: { rtpReceived: (packet, from) => path.#rtp.received(packet, from), rtcpReceived: (packet, from) => path.#rtcp.received(packet, from) },
    });
    return path;
  }

  private constructor(options: PhonePathOptions) {
    const { id, handlers } = options;
    this.#options = options;
    this.#rtp = new PathComponent(`${id}-rtp`, options, {
      received: (packet, from) => handlers.rtpReceived(packet, from),
      failed: (why) => handlers.securityFailed(why),
      send: (packet, to) => this.#pair?.sendRtp(packet, to),
    });
    this.#rtcp = new PathComponent(`${id}-rtcp`, options, {
      received: (packet, from) => handlers.rtcpReceived(packet, from),
      // Reports are not worth a call.
      failed: () => {},
      send: (packet, to) => this.#pair?.sendRtcp(packet, to),
    });
  }

  get port(): number {
    return this.#pair?.port ?? 0;
  }

  /** What offer/answer settled. Throws MediaError `bad-request`. */
  configure(remote: PhoneRemote): void {
    if (remote.dtls && !this.#options.identity) throw new MediaError('bad-request', 'there is no certificate for DTLS here');
    if (!remote.ice && !remote.awaited && !reaches(this.#options.bindAddress, remote.address)) throw new MediaError('bad-request', `no way to ${remote.address} from ${this.#options.bindAddress}`);
    const rtcpPort = remote.rtcpPort ?? remote.port + 1;
    this.#rtp.configure(remote, remote.port);
    const isShared = rtcpPort === remote.port && (remote.ice !== undefined || remote.dtls !== undefined);
    if (isShared) this.#rtcp.close();
    else this.#rtcp.configure(remote, rtcpPort);
  }

  /** Without DTLS always, else while the association stands. */
  get secured(): boolean {
    return this.#rtp.secured;
  }

  /** `to` holds for plain RTP alone. */
  sendRtp(packet: Buffer, to: { address: string; port: number }): void {
    this.#rtp.send(packet, to);
  }

  sendRtcp(packet: Buffer, to: { address: string; port: number }): void {
    this.#rtcp.send(packet, to);
  }

  /** Idempotent. The port rests before it is given out again. */
  close(nowMs: number): void {
    this.#rtp.close();
    this.#rtcp.close();
    this.#pair?.close(nowMs);
  }
}

/** A socket of all IPv6 addresses has all IPv4 addresses too. */
function reaches(bindAddress: string, address: string): boolean {
  return bindAddress === '::' || isIPv6(bindAddress) === isIPv6(address);
}
