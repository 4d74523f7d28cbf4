import { randomBytes } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import ndc from 'node-datachannel';
import type { Clock, Timer } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { MediaError } from '../protocol.ts';
import { isBindingSuccess, isStun, readBindingRequest, writeBindingSuccess, writeNomination } from '../rtp/stun.ts';
import type { DtlsIdentity } from './dtls-identity.ts';
import { isFingerprint, newIceCredentials } from './ice-dtls-texts.ts';
import { TrackConnection } from './track-connection.ts';

export interface DtlsSessionEvents {
  /** An RTP or RTCP packet in clear, of who holds the key of the fingerprint. */
  opened(packet: Buffer): void;
  /** For the phone: DTLS, SRTP or SRTCP. */
  sealed(packet: Buffer): void;
  connected(): void;
  /** The handshake or the fingerprint failed, or the phone closed it. Nothing follows. */
  failed(reason: string): void;
}

export interface DtlsSessionOptions {
  id: string;
  identity: DtlsIdentity;
  /** The phone's, as in a=fingerprint. */
  fingerprint: string;
  /** Ours: `active` begins the handshake. */
  role: 'active' | 'passive';
  clock: Clock;
  log: Log;
  events: DtlsSessionEvents;
}

const LOOPBACK = '127.0.0.1';
/** Of a phone that is faster than our sockets. */
const MAX_WAITING = 8;
const NOMINATION_INTERVAL_MS = 20;
const MAX_NOMINATIONS = 100;

/**
 * DTLS-SRTP with a phone (RFC 5764) by libdatachannel, which speaks it over ICE alone. So it is given an ICE peer that is one socket
 * on the loopback away: what comes from the phone is handed in there, what it sends to its peer goes to the phone. Whether the phone
 * itself speaks ICE is somebody else's business (`PhonePath`).
 */
export class DtlsSession {
  readonly #options: DtlsSessionOptions;
  readonly #connection: TrackConnection;
  readonly #socket: Socket = createSocket('udp4');
  readonly #ours = newIceCredentials();
  readonly #theirs = newIceCredentials();
  /** Packets of the phone until the loopback stands. */
  #waiting: Buffer[] | null = [];
  /** libdatachannel's half of the loopback. */
  #innerPort = 0;
  #nominations = 0;
  #timer: Timer | null = null;

  /** Begins at once. Throws MediaError `bad-request` for a fingerprint that is none. */
  constructor(options: DtlsSessionOptions) {
    if (!isFingerprint(options.fingerprint)) throw new MediaError('bad-request', 'the DTLS fingerprint is malformed');
    this.#options = options;
    const peer = new ndc.PeerConnection(options.id, {
      iceServers: [],
      disableAutoNegotiation: true,
      forceMediaTransport: true,
      bindAddress: LOOPBACK,
      certificatePemFile: options.identity.certificatePem,
      keyPemFile: options.identity.keyPem,
    });
    const { log, events } = options;
    this.#connection = new TrackConnection(peer, {
      name: 'DTLS',
      log,
      events: { packetReceived: (packet) => events.opened(packet), connected: () => events.connected(), closed: () => this.#closed(), failed: (reason) => events.failed(reason) },
    });
    const { guard } = this.#connection;
    peer.onLocalCandidate(guard((candidate: string) => this.#candidateFound(candidate)));
    this.#socket.on('error', () => {});
    this.#socket.on('message', guard((packet: Buffer, from: RemoteInfo) => this.#innerReceived(packet, from)));
    this.#socket.bind({ port: 0, address: LOOPBACK }, guard(() => this.#negotiate()));
  }

  /** DTLS, SRTP or SRTCP of the phone. */
  received(packet: Buffer): void {
    if (this.#connection.ended) return;
    if (!this.#waiting) this.#socket.send(packet, this.#innerPort, LOOPBACK);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(packet);
  }

  /** Encrypts an RTP or RTCP packet, which is copied; nothing goes before the handshake is over. */
  send(packet: Buffer): void {
    this.#connection.send(packet);
  }

  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /** No event follows. Idempotent. */
  close(): void {
    this.#connection.close();
  }

  #closed(): void {
    this.#waiting = null;
    this.#timer?.cancel();
    this.#socket.close();
  }

  #negotiate(): void {
    try {
      const offer = phoneOffer({ ...this.#theirs, port: this.#socket.address().port, fingerprint: this.#options.fingerprint, setup: this.#options.role === 'active' ? 'passive' : 'active' });
      this.#connection.peer.setRemoteDescription(offer, 'offer');
      this.#connection.peer.setLocalDescription('answer', this.#ours);
    } catch (error) {
      this.#connection.fail(messageOf(error));
    }
  }

  #candidateFound(candidate: string): void {
    const [, , protocol = '', , address, port] = candidate.replace(/^a=/, '').split(' ');
    if (this.#innerPort !== 0 || protocol.toLowerCase() !== 'udp' || address !== LOOPBACK) return;
    this.#innerPort = Number(port);
    this.#nominate();
  }

  /** Until it answers: then media may pass. */
  #nominate(): void {
    if (!this.#waiting) return;
    if (++this.#nominations > MAX_NOMINATIONS) return this.#connection.fail('no way to libdatachannel over the loopback');
    this.#socket.send(writeNomination(randomBytes(12), `${this.#ours.iceUfrag}:${this.#theirs.iceUfrag}`, this.#ours.icePwd), this.#innerPort, LOOPBACK);
    this.#timer = this.#options.clock.after(NOMINATION_INTERVAL_MS, () => this.#nominate());
  }

  /** Its first check may be here before we are told of its candidate: it is answered where it came from. */
  #innerReceived(packet: Buffer, { port }: RemoteInfo): void {
    if (!isStun(packet)) return this.#options.events.sealed(packet);
    if (isBindingSuccess(packet)) return this.#flush();
    const request = readBindingRequest(packet, this.#theirs.icePwd);
    if (request) this.#socket.send(writeBindingSuccess(request.transactionId, { address: LOOPBACK, port }, this.#theirs.icePwd), port, LOOPBACK);
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    this.#timer?.cancel();
    for (const packet of waiting ?? []) this.received(packet);
  }
}

/** What libdatachannel is told of the phone. */
function phoneOffer(phone: { iceUfrag: string; icePwd: string; port: number; fingerprint: string; setup: 'active' | 'passive' }): string {
  return [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    `a=ice-ufrag:${phone.iceUfrag}`,
    `a=ice-pwd:${phone.icePwd}`,
    `a=fingerprint:${phone.fingerprint}`,
    `a=setup:${phone.setup}`,
    'm=audio 9 UDP/TLS/RTP/SAVPF 0',
    'c=IN IP4 127.0.0.1',
    'a=mid:0',
    'a=sendrecv',
    'a=rtcp-mux',
    'a=rtpmap:0 PCMU/8000',
    `a=candidate:1 1 UDP 2130706431 ${LOOPBACK} ${phone.port} typ host`,
    'a=end-of-candidates',
    '',
  ].join('\r\n');
}
