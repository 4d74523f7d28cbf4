import type { RemoteInfo } from 'node:dgram';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { PhoneDtls, PhoneIce, PhoneRemote } from '../protocol.ts';
import { IceLite } from '../rtp/ice-lite.ts';
import { AssociationLatch } from '../rtp/association-latch.ts';
import { isStun } from '../rtp/stun.ts';
import type { DtlsIdentity } from './dtls-identity.ts';
import { DtlsSession } from './dtls-session.ts';

interface Ends {
  /** `from`: null where it is proven. */
  received(packet: Buffer, from: RemoteInfo | null): void;
  /** The phone's handshake failed. Nothing of it will ever be believed. */
  failed(why: string): void;
  send(packet: Buffer, to: { address: string; port: number }): void;
}

/** One socket's share of a phone's path (a component, in ICE's words). */
export class PathComponent {
  readonly #id: string;
  readonly #deps: { identity?: DtlsIdentity | undefined; clock: Clock; log: Log };
  readonly #ends: Ends;
  /** Where DTLS without ICE goes. */
  readonly #latch = new AssociationLatch();
  /** Not in use: what comes is nobody's. */
  #closed = false;
  #ice: IceLite | null = null;
  #iceSettled: PhoneIce | null = null;
  #dtls: DtlsSession | null = null;
  #dtlsSettled: PhoneDtls | null = null;

  constructor(id: string, deps: { identity?: DtlsIdentity | undefined; clock: Clock; log: Log }, ends: Ends) {
    this.#id = id;
    this.#deps = deps;
    this.#ends = ends;
  }

  /** Credentials that stay the same go on; new ones are an ICE restart, which moves the same DTLS association (RFC 8842 §5.5). */
  configure(remote: Pick<PhoneRemote, 'address' | 'awaited' | 'signalingAddress' | 'ice' | 'dtls'>, port: number): void {
    const { address, ice, dtls } = remote;
    this.#closed = false;
    if (remote.awaited || (address !== '0.0.0.0' && address !== '::')) this.#latch.targetGiven({ ...remote, port });
    if (!sameIce(this.#iceSettled, ice ?? null)) this.#ice = ice ? new IceLite(ice) : null;
    this.#iceSettled = ice ?? null;
    if (!dtls || dtls.fingerprint !== this.#dtlsSettled?.fingerprint) {
      this.#closeDtls();
      this.#latch.associationBegan(dtls?.role ?? 'passive');
    }
    this.#dtlsSettled = dtls ?? null;
    this.#startDtls();
  }

  /** Its media can be opened, or needs not be. */
  get secured(): boolean {
    return this.#dtlsSettled === null || this.#dtls?.isOpen === true;
  }

  received(packet: Buffer, from: RemoteInfo): void {
    const ice = this.#ice;
    if (this.#closed) return;
    if (isStun(packet)) return ice ? this.#checkReceived(ice, packet, from) : undefined;
    if (ice && !ice.knows(from)) return;
    if (!this.#dtlsSettled) return this.#ends.received(packet, ice ? null : from);
    if (!ice && !this.#admits(packet, from)) return;
    this.#dtls?.received(packet);
  }

  #admits(packet: Buffer, from: RemoteInfo): boolean {
    const admission = this.#latch.admits(packet, from, this.#deps.clock.nowMs());
    if (admission === 'anew') this.#closeDtls();
    if (admission === 'anew') this.#startDtls();
    return admission !== 'drop';
  }

  #checkReceived(ice: IceLite, packet: Buffer, from: RemoteInfo): void {
    const answer = ice.checkReceived(packet, from, this.#deps.clock.nowMs());
    if (answer) this.#ends.send(answer, from);
    this.#startDtls();
  }

  send(packet: Buffer, to: { address: string; port: number }): void {
    if (this.#dtlsSettled) return this.#dtls?.send(packet);
    const target = this.#ice ? this.#ice.target : to;
    if (target) this.#ends.send(packet, target);
  }

  close(): void {
    this.#closed = true;
    this.#closeDtls();
    this.#dtlsSettled = null;
    this.#ice = null;
    this.#iceSettled = null;
  }

  /** As soon as there is somewhere to speak to. */
  #startDtls(): void {
    const settled = this.#dtlsSettled;
    const { identity } = this.#deps;
    if (!settled || this.#dtls || !identity) return;
    if (this.#ice && !this.#ice.target) return;
    let stood = false;
    this.#dtls = new DtlsSession({
      ...this.#deps,
      id: this.#id,
      identity,
      fingerprint: settled.fingerprint,
      role: settled.role,
      events: {
        opened: (packet) => this.#opened(packet),
        sealed: (packet) => this.#sealed(packet),
        connected: () => {
          stood = true;
          this.#latch.connected(this.#deps.clock.nowMs());
        },
        failed: (reason) => (stood ? this.#ended(reason) : this.#failed(reason)),
      },
    });
  }

  /** A phone that hangs up closes it too. */
  #ended(reason: string): void {
    this.#deps.log.info({ path: this.#id, reason }, 'DTLS with a phone is over: nothing more of its media is believed');
  }

  /** Who is nowhere near where signaling says may have been a stranger: the phone itself still has its time. */
  #failed(reason: string): void {
    const isTheirs = this.#ice !== null || this.#latch.isExpected || this.#dtlsSettled?.role === 'active';
    this.#deps.log.info({ path: this.#id, reason, isTheirs }, 'a DTLS handshake failed: not the certificate that signaling told, or no handshake at all');
    if (isTheirs) return this.#ends.failed('the DTLS handshake failed');
    this.#closeDtls();
    if (this.#latch.failed()) this.#startDtls();
  }

  #closeDtls(): void {
    this.#dtls?.close();
    this.#dtls = null;
  }

  #opened(packet: Buffer): void {
    this.#latch.opened(this.#deps.clock.nowMs());
    this.#ends.received(packet, null);
  }

  #sealed(packet: Buffer): void {
    const target = this.#ice ? this.#ice.target : this.#latch;
    if (target && target.port !== 0) this.#ends.send(packet, target);
  }
}

function sameIce(a: PhoneIce | null, b: PhoneIce | null): boolean {
  return a?.localUfrag === b?.localUfrag && a?.localPwd === b?.localPwd && a?.remoteUfrag === b?.remoteUfrag;
}
