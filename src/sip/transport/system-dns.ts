import { promises, lookup } from 'node:dns';
import { readFileSync } from 'node:fs';
import { isIP, isIPv4 } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import { SipError } from '../errors.ts';
import type { Dns, DnsAnswer, NaptrRecord, SrvRecord } from '../resolve/dns.ts';

/** Of NAPTR and SRV records, whose own time Node does not tell, and of names that the system looked up. */
const DEFAULT_TTL_MS = 60_000;
const TRY_TIMEOUT_MS = 1_000;
const TRIES = 2;
const HOSTS_FILE = '/etc/hosts';
/** The table of hosts is read again when it is older. */
const HOSTS_AGE_MS = 5_000;
/** There is no such name, or nothing of that kind: an answer. */
const NOTHING = new Set(['ENOTFOUND', 'ENODATA']);

export interface SystemDnsOptions {
  /** Name servers, `address:port`. Default: those of the system, and then the system's own lookup for what they do not know. */
  servers?: readonly string[];
  hostsFile?: string;
}

/** The name service of this machine. */
export class SystemDns implements Dns {
  readonly #resolver = new promises.Resolver({ timeout: TRY_TIMEOUT_MS, tries: TRIES });
  readonly #clock: Clock;
  readonly #ownServers: boolean;
  readonly #hostsFile: string;
  #hosts = new Map<string, string[]>();
  #hostsReadAtMs = -Infinity;

  constructor(clock: Clock, { servers, hostsFile = HOSTS_FILE }: SystemDnsOptions = {}) {
    this.#clock = clock;
    this.#ownServers = servers !== undefined;
    this.#hostsFile = hostsFile;
    if (servers) this.#resolver.setServers(servers);
  }

  localAddresses(name: string): readonly string[] | null {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#hostsReadAtMs > HOSTS_AGE_MS) {
      this.#hosts = readHosts(this.#hostsFile);
      this.#hostsReadAtMs = nowMs;
    }
    return this.#hosts.get(name.toLowerCase().replace(/\.$/, '')) ?? null;
  }

  naptr(name: string): Promise<DnsAnswer<NaptrRecord>> {
    return answerOf(this.#resolver.resolveNaptr(name));
  }

  srv(name: string): Promise<DnsAnswer<SrvRecord>> {
    return answerOf(this.#resolver.resolveSrv(name).then((records) => records.map(({ name: target, ...rest }) => ({ ...rest, target: target === '' ? '.' : target }))));
  }

  async addresses(name: string): Promise<DnsAnswer<string>> {
    const local = this.localAddresses(name);
    if (local) return { records: local, ttlMs: HOSTS_AGE_MS };
    const [v4, v6] = await Promise.all([settled(this.#resolver.resolve4(name, { ttl: true })), settled(this.#resolver.resolve6(name, { ttl: true }))]);
    const records = [...(v4 ?? []), ...(v6 ?? [])];
    if (records.length > 0) return { records: records.map(({ address }) => address), ttlMs: Math.min(...records.map(({ ttl }) => ttl)) * 1000 };
    if (!this.#ownServers) return lookedUp(name);
    if (v4 === null && v6 === null) throw new SipError(`no name server answered for ${name}`);
    return { records: [], ttlMs: DEFAULT_TTL_MS };
  }
}

async function answerOf<R>(asked: Promise<R[]>): Promise<DnsAnswer<R>> {
  return { records: await asked.catch(nothingOrThrow<R>), ttlMs: DEFAULT_TTL_MS };
}

function nothingOrThrow<R>(error: unknown): R[] {
  if (NOTHING.has((error as NodeJS.ErrnoException).code ?? '')) return [];
  throw new SipError(messageOf(error));
}

/** Null: nobody answered. */
function settled<R>(asked: Promise<R[]>): Promise<R[] | null> {
  return asked.catch((error: unknown) => (NOTHING.has((error as NodeJS.ErrnoException).code ?? '') ? [] : null));
}

/** What name servers do not know the system may: mDNS, NIS, a container's own. */
function lookedUp(name: string): Promise<DnsAnswer<string>> {
  return new Promise((resolve) => {
    lookup(name, { all: true }, (error, found) => {
      const records = error ? [] : found.map(({ address }) => address).sort((a, b) => Number(isIPv4(b)) - Number(isIPv4(a)));
      resolve({ records, ttlMs: DEFAULT_TTL_MS });
    });
  });
}

function readHosts(file: string): Map<string, string[]> {
  const table = new Map<string, string[]>();
  for (const line of textOf(file).split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names) table.set(name.toLowerCase(), [...(table.get(name.toLowerCase()) ?? []), address]);
  }
  for (const addresses of table.values()) addresses.sort((a, b) => Number(isIPv4(b)) - Number(isIPv4(a)));
  return table;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
