import { readBindingRequest, writeBindingSuccess } from './stun.ts';

/** Credentials of one session (RFC 8839 §5.4). The passwords are secrets: never in a log. */
export interface IceCredentials {
  localUfrag: string;
  localPwd: string;
  remoteUfrag: string;
}

/** A pair that was nominated stays the phone's against one of lower priority for this long (RFC 5245 §2.6 nominates all that work). */
const HOLD_MS = 2000;
const MAX_SOURCES = 16;

/**
 * ICE of a server with an address that phones can reach (lite, RFC 8445 §2.5): answers the checks of who knows our password, remembers
 * where they came from, and sends to the pair that was nominated last. One component. Pure.
 */
export class IceLite {
  readonly #credentials: IceCredentials;
  readonly #sources: { address: string; port: number }[] = [];
  #nominated: { address: string; port: number; priority: number; atMs: number } | null = null;

  constructor(credentials: IceCredentials) {
    this.#credentials = credentials;
  }

  /** The answer to a check, or null: nobody who may ask, or no check. */
  checkReceived(packet: Buffer, from: { address: string; port: number }, nowMs: number): Buffer | null {
    const { localUfrag, localPwd, remoteUfrag } = this.#credentials;
    const request = readBindingRequest(packet, localPwd);
    if (request?.username !== `${localUfrag}:${remoteUfrag}`) return null;
    if (!this.knows(from)) this.#remember(from);
    if (request.useCandidate) this.#nominate(from, request.priority, nowMs);
    return writeBindingSuccess(request.transactionId, from, localPwd);
  }

  /** Did a check come from there? Nobody else's media is believed. */
  knows({ address, port }: { address: string; port: number }): boolean {
    for (const source of this.#sources) if (source.port === port && source.address === address) return true;
    return false;
  }

  /** Where media goes; null until the phone has chosen. */
  get target(): { address: string; port: number } | null {
    return this.#nominated;
  }

  #remember({ address, port }: { address: string; port: number }): void {
    if (this.#sources.length === MAX_SOURCES) this.#sources.shift();
    this.#sources.push({ address, port });
  }

  #nominate({ address, port }: { address: string; port: number }, priority: number, nowMs: number): void {
    const before = this.#nominated;
    if (before && priority < before.priority && nowMs - before.atMs < HOLD_MS) return;
    this.#nominated = { address, port, priority, atMs: nowMs };
  }
}
