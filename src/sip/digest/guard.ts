import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { SipSource } from '../contract.ts';
import { quote } from '../message/grammar.ts';
import { parseSipUri } from '../message/uri.ts';
import { digestHash } from './answer.ts';
import { parseCredentials, type DigestCredentials } from './credentials.ts';
import { Failures } from './failures.ts';
import type { DigestSecret } from './secret.ts';

/** How long a nonce may be answered; an older one is called stale and the phone answers the next without asking its user. */
const NONCE_LIFE_MS = 300_000;
/** Nonces in use whose last count is remembered. */
const MAX_NONCES = 50_000;

/** One request that should prove who sent it. */
export interface GuardedRequest {
  method: string;
  requestUri: string;
  /** Lines of Authorization or Proxy-Authorization. */
  credentials: readonly string[];
  source: SipSource;
}

export interface GuardedRealm {
  realm: string;
  /** What is kept of the passwords of that user; several when the user stands in several lists, none for a stranger. */
  secretsOf: (username: string) => readonly DigestSecret[];
}

export type GuardVerdict =
  | { kind: 'verified'; username: string }
  /** No usable answer yet: ask (again). */
  | { kind: 'challenge'; stale: boolean }
  /** Wrong name or password, or too many of them; the two look the same from outside. */
  | { kind: 'refused'; username: string; limited: boolean };

/** Algorithms that are offered, the most wanted first (RFC 8760 §2.4). */
export type OfferedAlgorithm = DigestCredentials['algorithm'];

/**
 * Digest on the side that asks (RFC 7616, RFC 3261 §22). A nonce carries its time, whom it was made for and a MAC of ours, so
 * that a challenge costs no memory; only nonces that were answered well are kept, with their last count, against replay. An
 * answer that was overheard serves nobody at another address; the phone itself, once its address is another, is asked anew. Pure.
 */
export class DigestGuard {
  readonly #key: Uint8Array;
  readonly #offered: readonly OfferedAlgorithm[];
  readonly #failures = new Failures();
  /** Last nonce count by nonce, in the order of first use. */
  readonly #counts = new Map<string, { nonceCount: number; issuedMs: number }>();
  /** Nonces as old as this may have been used and forgotten: they are stale. */
  #forgottenMs = Number.NEGATIVE_INFINITY;

  constructor(offered: readonly OfferedAlgorithm[] = ['MD5'], key: Uint8Array = randomBytes(32)) {
    this.#offered = offered;
    this.#key = key;
  }

  /** Values of WWW-Authenticate or Proxy-Authenticate, one a line. */
  challenges(realm: string, { nowMs, stale, source }: { nowMs: number; stale: boolean; source: SipSource }): string[] {
    const nonce = this.#nonce(realm, source, nowMs);
    return this.#offered.map((algorithm) => `Digest realm=${quote(realm)}, nonce="${nonce}", algorithm=${algorithm}, qop="auth"${stale ? ', stale=true' : ''}`);
  }

  check(request: GuardedRequest, { realm, secretsOf }: GuardedRealm, nowMs: number): GuardVerdict {
    const credentials = request.credentials.map(parseCredentials).find((parsed) => parsed?.realm === realm);
    if (!credentials || !this.#offered.includes(credentials.algorithm)) return { kind: 'challenge', stale: false };
    const issued = this.#issued(credentials.nonce, realm);
    if (issued === null) return { kind: 'challenge', stale: false };
    const { username } = credentials;
    const suspect = `${request.source.address} ${username.slice(0, 100)}`;
    if (this.#failures.limited(suspect, nowMs)) return { kind: 'refused', username, limited: true };
    // Right or wrong is not looked at: it would tell.
    if (!sameText(issued.flow, this.#flow(request.source))) return { kind: 'challenge', stale: true };
    if (!sameTarget(credentials.uri, request.requestUri) || !answersRight(credentials, request.method, secretsOf(username))) {
      this.#failures.failed(suspect, nowMs);
      return { kind: 'refused', username, limited: false };
    }
    this.#failures.succeeded(suspect);
    return this.#fresh(credentials, { issuedMs: issued.atMs, nowMs }) ? { kind: 'verified', username } : { kind: 'challenge', stale: true };
  }

  #nonce(realm: string, source: SipSource, nowMs: number): string {
    const text = `${Math.floor(nowMs).toString(36)}.${randomBytes(8).toString('hex')}.${this.#flow(source)}`;
    return `${text}.${this.#mac(text, realm)}`;
  }

  /** Whom a nonce is for: an address, whose ports a NAT may change; a WebSocket, as all of them may come through one TLS proxy. */
  #flow({ transport, address, port }: SipSource): string {
    const text = transport === 'ws' ? `ws ${address} ${port}` : address;
    return createHmac('sha256', this.#key).update(`flow\n${text}`).digest('hex').slice(0, 16);
  }

  #mac(text: string, realm: string): string {
    return createHmac('sha256', this.#key).update(`${text}\n${realm}`).digest('hex').slice(0, 32);
  }

  /** When we made the nonce, and for whom; null when we did not. */
  #issued(nonce: string, realm: string): { atMs: number; flow: string } | null {
    const match = /^(([0-9a-z]{1,11})\.[0-9a-f]{16}\.([0-9a-f]{16}))\.([0-9a-f]{32})$/.exec(nonce);
    const [, text = '', time = '', flow = '', mac = ''] = match ?? [];
    return match && sameText(mac, this.#mac(text, realm)) ? { atMs: Number.parseInt(time, 36), flow } : null;
  }

  /** False for a nonce that is too old, and for a count that was seen (RFC 7616 §3.4.6). Without qop a nonce serves once. */
  #fresh({ nonce, qop }: DigestCredentials, { issuedMs, nowMs }: { issuedMs: number; nowMs: number }): boolean {
    if (nowMs - issuedMs > NONCE_LIFE_MS || issuedMs <= this.#forgottenMs) return false;
    const nonceCount = qop?.nonceCount ?? Number.POSITIVE_INFINITY;
    if (nonceCount <= (this.#counts.get(nonce)?.nonceCount ?? 0)) return false;
    this.#counts.set(nonce, { nonceCount, issuedMs });
    this.#forget(nowMs);
    return true;
  }

  #forget(nowMs: number): void {
    for (const [nonce, { issuedMs }] of this.#counts) {
      const dead = nowMs - issuedMs > NONCE_LIFE_MS;
      if (!dead && this.#counts.size <= MAX_NONCES) return;
      if (!dead) this.#forgottenMs = Math.max(this.#forgottenMs, issuedMs);
      this.#counts.delete(nonce);
    }
  }
}

/** Takes the same time for a stranger as for a wrong password. */
function answersRight({ username, realm, nonce, uri, response, algorithm, qop }: DigestCredentials, method: string, secrets: readonly DigestSecret[]): boolean {
  const candidates = secrets.length > 0 ? secrets : [NOBODY];
  const middle = qop ? `${nonce}:${qop.nc}:${qop.cnonce}:auth` : nonce;
  const request = digestHash(algorithm, `${method}:${uri}`);
  let right = false;
  for (const secret of candidates) {
    const expected = digestHash(algorithm, `${algorithm === 'MD5' ? secret.md5 : secret.sha256}:${middle}:${request}`);
    if (sameText(response, expected) && secret !== NOBODY) right = true;
  }
  return right && username !== '' && realm !== '';
}

const NOBODY: DigestSecret = { md5: '0'.repeat(32), sha256: '0'.repeat(64) };

/** The answer is for this request: the same address, whatever parameters were added on the way (RFC 3261 §22.1 no. 5). */
function sameTarget(answered: string, requestUri: string): boolean {
  if (answered === requestUri) return true;
  const [a, b] = [parseSipUri(answered), parseSipUri(requestUri)];
  return a !== null && b !== null && a.user === b.user && a.host === b.host;
}

function sameText(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
