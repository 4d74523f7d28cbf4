import type { Timer } from '../../base/clock.ts';
import type { SipCore } from '../core.ts';
import { newBranch, newCallId, newTag } from '../identity.ts';
import { Headers } from '../message/headers.ts';
import { NO_BODY, type SipRequest } from '../message/message.ts';
import { parseSipUri, requestUriOf, unbracket } from '../message/uri.ts';
import type { Destination } from '../transport/destination.ts';
import { dressRequest, wayTo } from '../way.ts';
import type { Binding } from './binding.ts';
import type { Registrar } from './registrar.ts';

export const DEFAULT_NAT_KEEP_ALIVE_MS = 30_000;
/** So often it is looked who is due: phones are asked one after the other, not all at once. */
const LOOK_MS = 1_000;

/**
 * Keeps the NAT of registered phones open that are reached over UDP where their REGISTER came from: each gets an OPTIONS now and then, whose
 * answer opens the way from its side as well. Sent once and not waited for: a phone that does not answer is no worse than before.
 */
export class NatKeepAlive {
  readonly #core: SipCore;
  readonly #registrar: Registrar;
  readonly #intervalMs: number;
  /** A new REGISTER is a new binding, and opens the NAT itself. */
  readonly #sentMs = new WeakMap<Binding, number>();
  #timer: Timer | null = null;

  constructor(core: SipCore, options: { registrar: Registrar; intervalMs: number }) {
    this.#core = core;
    this.#registrar = options.registrar;
    this.#intervalMs = options.intervalMs;
  }

  /** To be called when somebody registered. Runs as long as there is anybody to be kept. */
  look(): void {
    if (this.#timer || this.#intervalMs === 0) return;
    const nowMs = this.#core.clock.nowMs();
    let anybody = false;
    for (const binding of this.#registrar.all(nowMs)) {
      if (!isBehindNat(binding)) continue;
      anybody = true;
      if (nowMs - (this.#sentMs.get(binding) ?? binding.updatedAtMs) >= this.#intervalMs) this.#ask(binding, nowMs);
    }
    if (anybody) this.#timer = this.#core.clock.after(LOOK_MS, () => this.#again());
  }

  #again(): void {
    this.#timer = null;
    this.look();
  }

  #ask(binding: Binding, nowMs: number): void {
    this.#sentMs.set(binding, nowMs);
    const { address, port } = binding.source;
    const destination: Destination = { transport: 'udp', host: address, port, address };
    const request = optionsFor(binding.uri, this.#core.identity.contact(wayTo(destination)));
    dressRequest(this.#core, request, { destination, branch: newBranch() });
    this.#core.layer.send(request, destination);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}

function optionsFor(uri: string, us: string): SipRequest {
  const target = requestUriOf(uri);
  const headers = new Headers().add('Max-Forwards', '70').add('From', `${us};tag=${newTag()}`).add('To', `<${target}>`);
  headers.add('Call-ID', newCallId()).add('CSeq', '1 OPTIONS').add('Contact', us).add('Accept', 'application/sdp');
  return { kind: 'request', method: 'OPTIONS', uri: target, headers, body: NO_BODY };
}

/** Its Contact names another address than its packets come from, and no proxy of its own stands between. */
function isBehindNat({ uri, source, path }: Binding): boolean {
  const host = parseSipUri(uri)?.host;
  return source.transport === 'udp' && path.length === 0 && host !== undefined && unbracket(host) !== source.address;
}
