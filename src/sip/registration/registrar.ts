import type { SipSource } from '../contract.ts';
import { parseNumber } from '../message/grammar.ts';
import { parseNameAddr, type NameAddr } from '../message/name-addr.ts';
import { parseSipUri, type SipUri } from '../message/uri.ts';
import type { Binding } from './binding.ts';
import { livesOnItsFlow } from './contact-route.ts';
import type { SavedBinding } from './saved-bindings.ts';

export const DEFAULT_EXPIRES_S = 3600;
export const MIN_EXPIRES_S = 60;
export const MAX_EXPIRES_S = 3600;
const MAX_CONTACTS = 10;
const MAX_ADDRESSES = 50_000;
const MAX_PATH = 8;

/** What a REGISTER says, its sender verified. */
export interface RegisterRequest {
  callId: string;
  cseq: number;
  /** Values of Contact; none: only asks. */
  contacts: readonly string[];
  /** Expires header. */
  expires: string | undefined;
  source: SipSource;
  /** Values of Path, as they came. */
  path?: readonly string[];
  /** How many proxies it came through, and whether its sender knows outbound (Supported). Default: none, no. */
  outbound?: { offered: boolean; proxies: number };
}

export type RegisterOutcome =
  | { statusCode: 200; bindings: Binding[] }
  /** 400 too for a Path that leads nowhere. */
  | { statusCode: 400; reasonPhrase: string }
  | { statusCode: 423; minExpiresS: number }
  /** A REGISTER that was overtaken by a later one of the same phone. */
  | { statusCode: 500; reasonPhrase: string }
  | { statusCode: 503 };

interface Change {
  key: string;
  /** Null: taken away. */
  binding: Binding | null;
}

/** Bindings by address-of-record (RFC 3261 §10.3). The address is any text that the owner of the user agent chose. Pure. */
export class Registrar {
  readonly #byAddress = new Map<string, Map<string, Binding>>();

  /** Addresses with a binding, dead ones included until they are looked at. */
  get size(): number {
    return this.#byAddress.size;
  }

  register(address: string, request: RegisterRequest, nowMs: number): RegisterOutcome {
    const known = this.#live(address, nowMs);
    const changes = request.contacts.includes('*') ? removals(request, known) : updates(request, nowMs);
    if (!Array.isArray(changes)) return changes;
    // RFC 3261 §10.3 step 7: all or nothing.
    for (const { key } of changes) {
      const before = known.get(key);
      if (before?.callId === request.callId && request.cseq <= before.cseq) return { statusCode: 500, reasonPhrase: 'CSeq Out Of Order' };
    }
    if (known.size === 0 && changes.length > 0 && this.#byAddress.size >= MAX_ADDRESSES) return { statusCode: 503 };
    for (const change of changes) apply(known, change);
    if (known.size === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, known);
    return { statusCode: 200, bindings: ordered(known) };
  }

  /** Most wanted first: by q, then the newest. */
  bindings(address: string, nowMs: number): Binding[] {
    return ordered(this.#live(address, nowMs));
  }

  /** A call found nobody behind this contact: it is forgotten until it registers again. `path`: its hops, joined by commas. */
  contactDied({ uri, path }: { uri: string; path: string }): void {
    this.#forget((binding) => binding.uri === uri && binding.path.join() === path);
  }

  /** The connection of some REGISTERs is closed: whoever was reached on it alone is gone. */
  flowClosed({ transport, address, port }: SipSource): void {
    this.#forget((binding) => binding.source.port === port && binding.source.address === address && binding.source.transport === transport && livesOnItsFlow(binding));
  }

  #forget(dead: (binding: Binding) => boolean): void {
    for (const [address, all] of this.#byAddress) {
      for (const [key, binding] of all) if (dead(binding)) all.delete(key);
      if (all.size === 0) this.#byAddress.delete(address);
    }
  }

  /** All of them, to be restored after a restart. `wallMs`: the time of day that `nowMs` is. */
  saved(nowMs: number, wallMs: number): SavedBinding[] {
    const all: SavedBinding[] = [];
    for (const [address, bindings] of this.#byAddress) {
      for (const { expiresAtMs, updatedAtMs: _, ...binding } of bindings.values()) {
        if (expiresAtMs > nowMs) all.push({ ...binding, address, expiresAtWallMs: Math.round((wallMs + expiresAtMs - nowMs) / 1000) * 1000 });
      }
    }
    return all;
  }

  /** Takes those up that have not run out. Connections did not outlive the restart, nor do phones that were reached on them alone. */
  restore(saved: readonly SavedBinding[], nowMs: number, wallMs: number): void {
    for (const { address, expiresAtWallMs, ...rest } of saved) {
      const leftMs = Math.min(expiresAtWallMs - wallMs, MAX_EXPIRES_S * 1000);
      const binding: Binding = { ...rest, expiresAtMs: nowMs + leftMs, updatedAtMs: nowMs };
      if (leftMs <= 0 || livesOnItsFlow(binding) || (!this.#byAddress.has(address) && this.#byAddress.size >= MAX_ADDRESSES)) continue;
      const known = this.#byAddress.get(address) ?? new Map<string, Binding>();
      apply(known, { key: binding.key, binding });
      this.#byAddress.set(address, known);
    }
  }

  /** Every binding that has not run out. */
  *all(nowMs: number): Generator<Binding> {
    for (const bindings of this.#byAddress.values()) for (const binding of bindings.values()) if (binding.expiresAtMs > nowMs) yield binding;
  }

  /** Forgets what has run out; call now and then. */
  sweep(nowMs: number): void {
    for (const address of [...this.#byAddress.keys()]) this.#live(address, nowMs);
  }

  #live(address: string, nowMs: number): Map<string, Binding> {
    const all = this.#byAddress.get(address) ?? new Map<string, Binding>();
    for (const [key, binding] of all) if (binding.expiresAtMs <= nowMs) all.delete(key);
    if (all.size === 0) this.#byAddress.delete(address);
    return all;
  }
}

function ordered(bindings: ReadonlyMap<string, Binding>): Binding[] {
  return [...bindings.values()].sort((a, b) => b.q - a.q || b.updatedAtMs - a.updatedAtMs);
}

/** The newest contacts stay when there are too many: a phone that got a new address leaves its old one behind. */
function apply(known: Map<string, Binding>, { key, binding }: Change): void {
  known.delete(key);
  if (!binding) return;
  known.set(key, binding);
  const oldest = known.keys().next();
  if (known.size > MAX_CONTACTS && !oldest.done) known.delete(oldest.value);
}

/** `Contact: *` with `Expires: 0` (§10.2.2). */
function removals(request: RegisterRequest, known: ReadonlyMap<string, Binding>): Change[] | RegisterOutcome {
  if (request.contacts.length !== 1 || request.expires?.trim() !== '0') return { statusCode: 400, reasonPhrase: 'Contact * Goes With Expires 0 Alone' };
  return [...known.keys()].map((key) => ({ key, binding: null }));
}

function updates(request: RegisterRequest, nowMs: number): Change[] | RegisterOutcome {
  if ((request.path ?? []).length > MAX_PATH || !(request.path ?? []).every(isLooseHop)) return { statusCode: 400, reasonPhrase: 'Path Must Lead Over Loose Routers' };
  if (request.contacts.length > MAX_CONTACTS) return { statusCode: 400, reasonPhrase: 'Too Many Contacts' };
  const changes: Change[] = [];
  for (const text of request.contacts) {
    const contact = parseNameAddr(text);
    const uri = contact && parseSipUri(contact.uri);
    if (!contact || uri?.scheme !== 'sip' || uri.headers.length > 0) return { statusCode: 400, reasonPhrase: 'Contact Must Be A SIP URI' };
    const expiresS = secondsOf(contact.params.get('expires') ?? request.expires);
    if (expiresS > 0 && expiresS < MIN_EXPIRES_S) return { statusCode: 423, minExpiresS: MIN_EXPIRES_S };
    const { callId, cseq, source, path = [] } = request;
    const outbound = outboundOf(contact, request);
    const key = outbound ? `${outbound.instance} ${outbound.regId}` : keyOf(uri);
    const binding: Binding = { uri: contact.uri, key, outbound, path, callId, cseq, q: qOf(contact.params.get('q')), expiresAtMs: nowMs + Math.min(expiresS, MAX_EXPIRES_S) * 1000, updatedAtMs: nowMs, source };
    changes.push({ key, binding: expiresS === 0 ? null : binding });
  }
  return changes;
}

function isLooseHop(value: string): boolean {
  const uri = parseSipUri(parseNameAddr(value)?.uri ?? '');
  return uri !== null && uri.params.has('lr');
}

/**
 * RFC 5626 §6. Deviation: behind an edge proxy that keeps no flow (its Path has no `ob`) the phone is bound by its Contact as
 * any other, where the RFC has 439; the answer lacks `Require: outbound` and so tells.
 */
function outboundOf({ params }: NameAddr, { outbound, path = [] }: RegisterRequest): Binding['outbound'] {
  const instance = params.get('+sip.instance') ?? '';
  const regId = parseNumber(params.get('reg-id') ?? '', 2 ** 31 - 1);
  if (!outbound?.offered || regId === null || regId === 0 || !/^<[\w:.+-]{1,200}>$/.test(instance)) return null;
  const edge = parseSipUri(parseNameAddr(path.at(-1) ?? '')?.uri ?? '');
  return outbound.proxies === 0 || edge?.params.has('ob') ? { instance, regId } : null;
}

/** Malformed values count as the default (§10.2.1.1). */
function secondsOf(text: string | undefined): number {
  return parseNumber(text?.trim() ?? '', 2 ** 32 - 1) ?? DEFAULT_EXPIRES_S;
}

function qOf(text: string | undefined): number {
  return text !== undefined && /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(text) ? Number(text) : 1;
}

function keyOf(uri: SipUri): string {
  return `${uri.user}@${uri.host}:${uri.port ?? ''};${uri.params.get('transport')?.toLowerCase() ?? ''}`;
}
