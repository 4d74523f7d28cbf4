import { randomInt } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { familyOf, type Destination } from '../transport/destination.ts';
import type { Dns } from './dns.ts';
import { DnsCache } from './dns-cache.ts';
import { findServers } from './find-servers.ts';
import { Resting } from './resting.ts';

/** All questions about one name together. */
const LIMIT_MS = 8_000;

export interface RoutesParts {
  clock: Clock;
  /** Null: names are left to whoever sends. */
  dns: Dns | null;
  /** Of the addresses that our sockets reach; 0: either. */
  family: () => 0 | 4 | 6;
  /** A whole number from 0 to max - 1. */
  random?: (max: number) => number;
}

/** Turns the name in a URI into the addresses of its servers, and remembers which of them did not answer (RFC 3263 §4). */
export class Routes {
  readonly #clock: Clock;
  readonly #dns: Dns | null;
  readonly #cache: DnsCache | null;
  readonly #family: () => 0 | 4 | 6;
  readonly #random: (max: number) => number;
  readonly #resting = new Resting();

  constructor({ clock, dns, family, random = (max) => randomInt(max) }: RoutesParts) {
    this.#clock = clock;
    this.#dns = dns;
    this.#cache = dns && new DnsCache(dns, clock);
    this.#family = family;
    this.#random = random;
  }

  /**
   * The places to try, in order; none for a name that leads nowhere. Called at once for an address and for a name of this
   * machine's own table of hosts, else later, once.
   */
  find(to: Destination, found: (places: Destination[]) => void): void {
    if (to.address !== null) return found([to]);
    if (familyOf(to.host) !== 0) return found([{ ...to, address: to.host }]);
    const local = this.#dns?.localAddresses(to.host);
    if (local) return found(this.#ordered(local.map((address) => ({ ...to, address }))));
    if (!this.#cache) return found([to]);
    // The names in Contacts of browsers are nobody's (RFC 7118 §5.2): no question is worth it.
    if (to.transport === 'ws' || to.host.endsWith('.invalid')) return found([]);
    this.#ask(this.#cache, to, found);
  }

  #ask(cache: DnsCache, to: Destination, found: (places: Destination[]) => void): void {
    let done = false;
    const finish = (places: Destination[]): void => {
      if (done) return;
      done = true;
      limit.cancel();
      found(this.#ordered(places));
    };
    const limit = this.#clock.after(LIMIT_MS, () => finish([]));
    void this.#walk(cache, to).then(finish);
  }

  async #walk(cache: DnsCache, to: Destination): Promise<Destination[]> {
    const way = findServers(to, this.#random);
    let step = way.next();
    while (!step.done) step = way.next(await Promise.all(step.value.map((question) => cache.ask(question))));
    return step.value;
  }

  #ordered(places: Destination[]): Destination[] {
    const family = this.#family();
    const reached = family === 0 ? places : places.filter(({ address }) => address === null || familyOf(address) === family);
    return this.#resting.order(reached, keyOf, this.#clock.nowMs());
  }

  /** No answer from there, or no way to it: others go first for a while. */
  failed(place: Destination): void {
    this.#resting.failed(keyOf(place), this.#clock.nowMs());
  }

  askedToRest(place: Destination, restMs: number): void {
    this.#resting.askedToRest(keyOf(place), restMs, this.#clock.nowMs());
  }

  succeeded(place: Destination): void {
    this.#resting.succeeded(keyOf(place));
  }

  isResting(place: Destination): boolean {
    return this.#resting.isResting(keyOf(place), this.#clock.nowMs());
  }
}

function keyOf({ transport, address, host, port }: Destination): string {
  return `${transport} ${address ?? host} ${port}`;
}
