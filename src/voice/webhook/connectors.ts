import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { Agent, buildConnector, errors } from 'undici';
import type { Clock } from '../../base/clock.ts';
import { ALLOW_ALL, type NetworkPolicy } from './network-policy.ts';

/** How a connection to a receiver is made. */
export interface ConnectionWishes {
  /** For DNS, TCP and TLS together. */
  connectTimeoutMs: number;
  /** False: the TLS handshake names no host. */
  serverName: boolean;
  policy: NetworkPolicy;
}

const { ConnectTimeoutError } = errors;

/** A connection that the policy forbids. */
export class ForbiddenAddressError extends Error {
  readonly code = 'PARTYLINE_PRIVATE_ADDRESS';
}

/** Pools kept at a time, of which most servers ever need one. */
const MAX_POOLS = 16;

/** Connection pools by what undici fixes per pool. A client has one policy beside `ALLOW_ALL`. The longest unused goes first. */
export class ConnectionPools {
  readonly #clock: Clock;
  readonly #authorities: string[] | undefined;
  readonly #pools = new Map<string, Agent>();

  /** `authorities`: PEM certificates trusted instead of the system's. */
  constructor(clock: Clock, authorities?: string[]) {
    this.#clock = clock;
    this.#authorities = authorities;
  }

  for(wishes: ConnectionWishes): Agent {
    const key = `${wishes.connectTimeoutMs} ${wishes.serverName} ${wishes.policy === ALLOW_ALL}`;
    const agent = this.#pools.get(key) ?? this.#open(wishes);
    this.#pools.delete(key);
    this.#pools.set(key, agent);
    if (this.#pools.size > MAX_POOLS) this.#closeOldest();
    return agent;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((agent) => agent.destroy()));
  }

  /** Requests under way go on to their end. */
  #closeOldest(): void {
    const [oldest] = this.#pools;
    if (!oldest) return;
    this.#pools.delete(oldest[0]);
    void oldest[1].close().catch(() => undefined);
  }

  #open(wishes: ConnectionWishes): Agent {
    const connect = buildConnector({ timeout: 0, lookup: guardedLookup(wishes.policy), ...(this.#authorities ? { ca: this.#authorities } : {}) });
    return new Agent({ connect: guarded(connect, wishes, this.#clock), pipelining: 1, maxHeaderSize: 32_768 });
  }
}

/**
 * Refuses an address that stands in the URL, looks once more at the one that was connected to, and keeps the time: undici's own
 * connect time-out counts in whole seconds.
 */
function guarded(connect: buildConnector.connector, { connectTimeoutMs, serverName, policy }: ConnectionWishes, clock: Clock): buildConnector.connector {
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !policy.allows(host)) return callback(forbidden(host), null);
    const timer = clock.after(connectTimeoutMs, () => connecting?.destroy(new ConnectTimeoutError(`no connection within ${connectTimeoutMs} ms`)));
    const connected: buildConnector.Callback = (...[error, socket]) => {
      timer.cancel();
      if (error !== null) return callback(error, null);
      if (policy.allows(socket.remoteAddress ?? '')) return callback(null, socket);
      socket.destroy();
      callback(forbidden(socket.remoteAddress ?? host), null);
    };
    // It returns its socket, which its type does not say.
    const connecting = connect(serverName ? options : { ...options, host: '', servername: '' }, connected) as unknown as Socket | undefined;
  };
}

/** DNS whose answers leave out what the policy forbids. */
function guardedLookup(policy: NetworkPolicy): LookupFunction {
  return (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0);
      const allowed = addresses.filter(({ address }) => policy.allows(address));
      const [first] = allowed;
      if (!first) return callback(forbidden(hostname), '', 0);
      if (options.all) (callback as (error: null, addresses: LookupAddress[]) => void)(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function forbidden(host: string): ForbiddenAddressError {
  return new ForbiddenAddressError(`'${host}' is in a private network`);
}
