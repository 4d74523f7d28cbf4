import type { RemoteInfo } from 'node:dgram';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { PhoneDtls, PhoneIce, PhoneRemote } from '../protocol.ts';
import { IceLite } from '../rtp/ice-lite.ts';
import { SourceLatch } from '../rtp/source-latch.ts';
import { isStun } from '../rtp/stun.ts';
import type { DtlsIdentity } from './dtls-identity.ts';
import { DtlsSession } from './dtls-session.ts';

interface Ends {
  /** `from`: null where it is proven. */
  received(packet: Buffer, from: RemoteInfo | null): void;
  send(packet: Buffer, to: { address: string; port: number }): void;
}

/** One socket's share of a phone's path (a component, in ICE's words). */
export class PathComponent {
  readonly #id: string;
  readonly #deps: { identity?: DtlsIdentity | undefined; clock: Clock; log: Log };
  readonly #ends: Ends;
  /** Where DTLS without ICE goes. */
  readonly #latch = new SourceLatch();
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
  configure({ address, ice, dtls }: Pick<PhoneRemote, 'address' | 'ice' | 'dtls'>, port: number): void {
    if (address !== '0.0.0.0' && address !== '::') this.#latch.retarget(address, port);
    if (!sameIce(this.#iceSettled, ice ?? null)) this.#ice = ice ? new IceLite(ice) : null;
    this.#iceSettled = ice ?? null;
    if (!dtls || dtls.fingerprint !== this.#dtlsSettled?.fingerprint) this.#closeDtls();
    this.#dtlsSettled = dtls ?? null;
    this.#startDtls();
  }

  received(packet: Buffer, from: RemoteInfo): void {
    const ice = this.#ice;
    if (isStun(packet)) return this.#checkReceived(packet, from);
    if (ice && !ice.knows(from)) return;
    if (!this.#dtlsSettled) return this.#ends.received(packet, ice ? null : from);
    if (!ice && !this.#latch.tries(from.address, from.port, this.#deps.clock.nowMs())) return;
    this.#dtls?.received(packet);
  }

  #checkReceived(packet: Buffer, from: RemoteInfo): void {
    const answer = this.#ice?.checkReceived(packet, from, this.#deps.clock.nowMs());
    if (answer) this.#ends.send(answer, from);
    this.#startDtls();
  }

  send(packet: Buffer, to: { address: string; port: number }): void {
    if (this.#dtlsSettled) return this.#dtls?.send(packet);
    const target = this.#ice ? this.#ice.target : to;
    if (target) this.#ends.send(packet, target);
  }

  close(): void {
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
    this.#dtls = new DtlsSession({
      ...this.#deps,
      id: this.#id,
      identity,
      fingerprint: settled.fingerprint,
      role: settled.role,
      events: {
        opened: (packet) => this.#opened(packet),
        sealed: (packet) => this.#sealed(packet),
        connected: () => {},
        // A phone that hangs up closes it too.
        failed: (reason) => this.#deps.log.info({ path: this.#id, reason }, 'DTLS with a phone is over: nothing more of its media is believed'),
      },
    });
  }

  #closeDtls(): void {
    this.#dtls?.close();
    this.#dtls = null;
  }

  #opened(packet: Buffer): void {
    this.#latch.proven(this.#deps.clock.nowMs());
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
