import { randomBytes } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import ndc from 'node-datachannel';
import type { PeerConnection, Track } from 'node-datachannel';
import type { Clock, Timer } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { MediaError } from '../protocol.ts';
import { isBindingSuccess, isStun, readBindingRequest, writeBindingSuccess, writeNomination } from '../rtp/stun.ts';
import type { DtlsIdentity } from './dtls-identity.ts';

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
  readonly #connection: PeerConnection;
  readonly #socket: Socket = createSocket('udp4');
  readonly #ours = iceCredentials();
  readonly #theirs = iceCredentials();
  /** Packets of the phone until the loopback stands. */
  #waiting: Buffer[] | null = [];
  /** libdatachannel's half of the loopback. */
  #innerPort = 0;
  // The wrapper closes what it wraps when collected.
  #track: Track | null = null;
  #nominations = 0;
  #timer: Timer | null = null;
  #open = false;
  #ended = false;

  /** Begins at once. Throws MediaError `bad-request` for a fingerprint that is none. */
  constructor(options: DtlsSessionOptions) {
    if (!isFingerprint(options.fingerprint)) throw new MediaError('bad-request', 'the DTLS fingerprint is malformed');
    this.#options = options;
    this.#connection = new ndc.PeerConnection(options.id, {
      iceServers: [],
      disableAutoNegotiation: true,
      forceMediaTransport: true,
      bindAddress: LOOPBACK,
      certificatePemFile: options.identity.certificatePem,
      keyPemFile: options.identity.keyPem,
    });
    this.#connection.onTrack(this.#guard((track: Track) => this.#trackOpened(track)));
    this.#connection.onStateChange(this.#guard((state: string) => this.#stateChanged(state)));
    this.#connection.onLocalCandidate(this.#guard((candidate: string) => this.#candidateFound(candidate)));
    this.#socket.on('error', () => {});
    this.#socket.on('message', this.#guard((packet: Buffer, from: RemoteInfo) => this.#innerReceived(packet, from)));
    this.#socket.bind({ port: 0, address: LOOPBACK }, this.#guard(() => this.#negotiate()));
  }

  /** DTLS, SRTP or SRTCP of the phone. */
  received(packet: Buffer): void {
    if (this.#ended) return;
    if (!this.#waiting) this.#socket.send(packet, this.#innerPort, LOOPBACK);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(packet);
  }

  /** Encrypts an RTP or RTCP packet, which is copied; nothing goes before the handshake is over. */
  send(packet: Buffer): void {
    if (!this.#open || !this.#track) return;
    try {
      this.#track.sendMessageBinary(packet);
    } catch {
      // Closed a moment ago, its event is on the way.
    }
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** No event follows. Idempotent. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#open = false;
    this.#waiting = null;
    this.#timer?.cancel();
    for (const closing of [() => this.#track?.close(), () => this.#connection.close(), () => this.#socket.close()]) {
      try {
        closing();
      } catch (error) {
        this.#options.log.debug({ error: messageOf(error) }, 'closing a DTLS session');
      }
    }
  }

  /** An exception that leaves a callback of node-datachannel aborts the whole process: none does. */
  #guard<A extends unknown[]>(fn: (...args: A) => unknown): (...args: A) => void {
    return (...args) => {
      if (this.#ended) return;
      try {
        fn(...args);
      } catch (error) {
        this.#options.log.error({ error: messageOf(error), stack: error instanceof Error ? error.stack : undefined }, 'handler of a DTLS event failed');
      }
    };
  }

  #negotiate(): void {
    try {
      const offer = phoneOffer({ ...this.#theirs, port: this.#socket.address().port, fingerprint: this.#options.fingerprint, setup: this.#options.role === 'active' ? 'passive' : 'active' });
      this.#connection.setRemoteDescription(offer, 'offer');
      this.#connection.setLocalDescription('answer', { iceUfrag: this.#ours.ufrag, icePwd: this.#ours.pwd });
    } catch (error) {
      this.#fail(messageOf(error));
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
    if (!this.#waiting || this.#ended) return;
    if (++this.#nominations > MAX_NOMINATIONS) return this.#fail('no way to libdatachannel over the loopback');
    this.#socket.send(writeNomination(randomBytes(12), `${this.#ours.ufrag}:${this.#theirs.ufrag}`, this.#ours.pwd), this.#innerPort, LOOPBACK);
    this.#timer = this.#options.clock.after(NOMINATION_INTERVAL_MS, () => this.#nominate());
  }

  /** Its first check may be here before we are told of its candidate: it is answered where it came from. */
  #innerReceived(packet: Buffer, { port }: RemoteInfo): void {
    if (!isStun(packet)) return this.#options.events.sealed(packet);
    if (isBindingSuccess(packet)) return this.#flush();
    const request = readBindingRequest(packet, this.#theirs.pwd);
    if (request) this.#socket.send(writeBindingSuccess(request.transactionId, { address: LOOPBACK, port }, this.#theirs.pwd), port, LOOPBACK);
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    this.#timer?.cancel();
    for (const packet of waiting ?? []) this.received(packet);
  }

  #trackOpened(track: Track): void {
    this.#track = track;
    track.onMessage(this.#guard((packet: Buffer) => this.#options.events.opened(packet)));
    track.onOpen(this.#guard(() => this.#connected()));
    track.onClosed(this.#guard(() => (this.#open = false)));
    track.onError(this.#guard((error: string) => this.#options.log.warn({ error }, 'DTLS track error')));
  }

  #connected(): void {
    if (this.#open) return;
    this.#open = true;
    this.#options.events.connected();
  }

  #stateChanged(state: string): void {
    if (state === 'connected' && this.#track?.isOpen()) this.#connected();
    if (state === 'failed' || state === 'disconnected' || state === 'closed') this.#fail(state);
  }

  #fail(reason: string): void {
    if (this.#ended) return;
    this.close();
    this.#options.events.failed(reason);
  }
}

/** RFC 8122 §5, with a hash that is still believed. */
export function isFingerprint(text: string): boolean {
  return /^sha-(1|224|256|384|512) [0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){19,63}$/i.test(text);
}

/** Base64 of 6 and 18 bytes: 8 and 24 ice-chars without padding (RFC 8839 §5.4). */
function iceCredentials(): { ufrag: string; pwd: string } {
  return { ufrag: randomBytes(6).toString('base64'), pwd: randomBytes(18).toString('base64') };
}

/** What libdatachannel is told of the phone. */
function phoneOffer(phone: { ufrag: string; pwd: string; port: number; fingerprint: string; setup: 'active' | 'passive' }): string {
  return [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    `a=ice-ufrag:${phone.ufrag}`,
    `a=ice-pwd:${phone.pwd}`,
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
