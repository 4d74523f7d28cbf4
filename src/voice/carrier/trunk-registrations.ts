import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { SipRegistration, SipRegistrationOptions, SipUserAgent } from '../../sip/contract.ts';
import { parseSipUri } from '../../sip/message/uri.ts';
import { transportOf } from '../../sip/transport/destination.ts';
import { contactUserOf } from './inbound.ts';
import type { Trunk, TrunkDirectory } from './model.ts';

export interface TrunkRegistrationsDeps {
  sip: Pick<SipUserAgent, 'register'>;
  trunks: TrunkDirectory;
  log: Log;
}

/** Keeps this server registered at the carriers whose trunks want it. */
export class TrunkRegistrations {
  readonly #deps: TrunkRegistrationsDeps;
  /** By SID of the trunk. */
  readonly #kept = new Map<string, { options: SipRegistrationOptions; registration: SipRegistration }>();
  /** Trunks whose former registration is being taken away, by SID. A new one waits for it: the registrar may know both by one Contact. */
  readonly #leaving = new Map<string, Promise<void>>();
  #stopWatching: (() => void) | null = null;

  constructor(deps: TrunkRegistrationsDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#stopWatching ??= this.#deps.trunks.onChanged(() => this.#follow());
    this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopWatching?.();
    this.#stopWatching = null;
    for (const sid of [...this.#kept.keys()]) this.#leave(sid);
    await Promise.all(this.#leaving.values());
  }

  /** The carrier was away, and may have forgotten us. */
  refresh(trunk: Trunk): void {
    this.#kept.get(trunk.sid)?.registration.refresh();
  }

  /** The way that the registrar wants calls to `target` to take, null for none: only its own host's calls do, and none that is encrypted goes over a hop that is not. */
  serviceRoute({ sid }: Pick<Trunk, 'sid'>, target: string): string | null {
    const kept = this.#kept.get(sid);
    const route = kept?.registration.serviceRoute ?? null;
    const [to, registrar, first] = [target, kept?.options.registrar ?? '', /^<([^>]*)>/.exec(route ?? '')?.[1] ?? ''].map(parseSipUri);
    if (!to || !first || to.host !== registrar?.host) return null;
    return transportOf(to) === 'tls' && transportOf(first) !== 'tls' ? null : route;
  }

  counts(): Record<'registering' | 'registered' | 'failed', number> {
    const counts = { registering: 0, registered: 0, failed: 0 };
    for (const { registration } of this.#kept.values()) if (registration.state !== 'stopped') counts[registration.state]++;
    return counts;
  }

  #follow(): void {
    const wanted = new Map(this.#deps.trunks.all().flatMap((trunk) => (trunk.settings.register ? [[trunk.sid, optionsOf(trunk, trunk.settings.register)] as const] : [])));
    for (const [sid, { options }] of [...this.#kept]) if (!isDeepStrictEqual(wanted.get(sid as Trunk['sid']), options)) this.#leave(sid);
    for (const [sid, options] of wanted) if (!this.#kept.has(sid) && !this.#leaving.has(sid)) this.#begin(sid, options);
  }

  #leave(sid: string): void {
    const kept = this.#kept.get(sid);
    if (!kept) return;
    this.#kept.delete(sid);
    const left = kept.registration.stop().then(() => {
      this.#leaving.delete(sid);
      if (this.#stopWatching) this.#follow();
    });
    this.#leaving.set(sid, left);
  }

  #begin(sid: string, options: SipRegistrationOptions): void {
    try {
      this.#kept.set(sid, { options, registration: this.#deps.sip.register(options) });
    } catch (error) {
      this.#deps.log.error({ trunk: sid, registrar: options.registrar, reason: messageOf(error) }, 'a trunk cannot be registered');
    }
  }
}

function optionsOf(trunk: Trunk, { registrar, username, password, expiresS }: NonNullable<Trunk['settings']['register']>): SipRegistrationOptions {
  const { proxy } = trunk.settings.outbound;
  const contactUser = contactUserOf(trunk);
  return { registrar, credentials: { username, password }, expiresS, ...(contactUser !== null && { contactUser }), ...(proxy !== null && { outboundProxy: proxy }) };
}
