import type { Clock, Timer } from '../../base/clock.ts';
import type { SipPlace, SipUserAgent } from '../../sip/contract.ts';
import { parseSipUri, unbracket } from '../../sip/message/uri.ts';
import { destinationOf, familyOf } from '../../sip/transport/destination.ts';
import { isLoopback } from '../../sip/transport/own-address.ts';
import { canonicalAddress } from '../dial-plan/ip-range.ts';
import { calledUris } from './carrier-hosts.ts';
import type { Trunk, TrunkDirectory } from './model.ts';

const REFRESH_MS = 60_000;
/** An address that a name no longer has may be the carrier's still. */
const REMEMBERED_MS = 3_600_000;
/** More are not looked up; those of the operator's trunks come first. */
const MAX_NAMES = 1_000;
const MAX_ADDRESSES_OF_NAME = 64;
const AT_ONCE = 8;

export interface CarrierAddressesDeps {
  sip: Pick<SipUserAgent, 'locate'>;
  trunks: Pick<TrunkDirectory, 'all' | 'onChanged'>;
  clock: Clock;
}

/** The addresses behind the names of targets and outbound proxies, asked for every minute: a carrier has no other name there. */
export class CarrierAddresses {
  readonly #deps: CarrierAddressesDeps;
  /** By URI: until when each address counts. */
  readonly #known = new Map<string, Map<string, number>>();
  #timer: Timer | null = null;
  #stopWatching: (() => void) | null = null;
  #looking = false;
  #again = false;

  constructor(deps: CarrierAddressesDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#stopWatching ??= this.#deps.trunks.onChanged(() => void this.#look());
    void this.#look();
  }

  stop(): void {
    this.#stopWatching?.();
    this.#stopWatching = null;
    this.#timer?.cancel();
  }

  /** Trunks that call there. On loopback, where many servers share an address, the port counts too. */
  trunksAt(place: SipPlace): Trunk[] {
    return this.#deps.trunks.all().filter((trunk) => calledUris(trunk).some((uri) => this.#isAt(uri, place)));
  }

  #isAt(text: string, { address, port }: SipPlace): boolean {
    const uri = parseSipUri(text);
    if (!uri) return false;
    const plain = canonicalAddress(address);
    if (isLoopback(plain) && destinationOf(uri).port !== port) return false;
    return canonicalAddress(unbracket(uri.host)) === plain || (this.#known.get(text)?.get(plain) ?? 0) > this.#deps.clock.nowMs();
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    this.#again = this.#looking;
    if (this.#looking) return;
    this.#looking = true;
    this.#timer?.cancel();
    const names = this.#names();
    for (const uri of this.#known.keys()) if (!names.has(uri)) this.#known.delete(uri);
    const waiting = [...names];
    await Promise.all(Array.from({ length: AT_ONCE }, () => this.#lookUp(waiting)));
    this.#looking = false;
    if (!this.#stopWatching) return;
    if (this.#again) return this.#look();
    this.#timer = this.#deps.clock.after(REFRESH_MS, () => void this.#look());
  }

  #names(): Set<string> {
    const trunks = this.#deps.trunks.all();
    const ordered = [...trunks.filter(({ ofOperator }) => ofOperator), ...trunks.filter(({ ofOperator }) => !ofOperator)];
    const uris = ordered.flatMap(calledUris).filter((uri) => familyOf(unbracket(parseSipUri(uri)?.host ?? '')) === 0);
    return new Set([...new Set(uris)].slice(0, MAX_NAMES));
  }

  async #lookUp(waiting: string[]): Promise<void> {
    const { sip, clock } = this.#deps;
    for (let uri = waiting.shift(); uri !== undefined; uri = waiting.shift()) {
      const found = await sip.locate(uri).catch(() => []);
      const nowMs = clock.nowMs();
      const known = [...(this.#known.get(uri) ?? [])].filter(([, untilMs]) => untilMs > nowMs);
      const seen = found.map((address): [string, number] => [canonicalAddress(address), nowMs + REMEMBERED_MS]);
      this.#known.set(uri, new Map([...known, ...seen].slice(-MAX_ADDRESSES_OF_NAME)));
    }
  }
}
