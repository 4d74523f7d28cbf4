import type { IncomingSipRegister, SipAuthentication, SipParty, SipSecretLookup, SipSource } from '../contract.ts';
import type { SipCore } from '../core.ts';
import { partyOf } from '../call/party.ts';
import { authenticate } from '../digest/authenticate.ts';
import { newTag } from '../identity.ts';
import { buildResponse } from '../message/build.ts';
import { quote } from '../message/grammar.ts';
import { parseSipUri } from '../message/uri.ts';
import type { Refusal } from '../refusals.ts';
import type { ServerTransaction } from '../transaction/layer.ts';
import type { Binding } from './binding.ts';
import type { RegisterOutcome, RegisterRequest, Registrar } from './registrar.ts';

/** One REGISTER until its answer (RFC 3261 §10.3). Answered exactly once; what comes after is ignored. */
export class IncomingRegister implements IncomingSipRegister {
  readonly requestUriHost: string;
  readonly to: SipParty;
  readonly source: SipSource;
  readonly #core: SipCore;
  readonly #transaction: ServerTransaction;
  readonly #registrar: Registrar;
  #answered = false;

  constructor(core: SipCore, transaction: ServerTransaction, registrar: Registrar) {
    this.#core = core;
    this.#transaction = transaction;
    this.#registrar = registrar;
    this.requestUriHost = parseSipUri(transaction.request.uri)?.host ?? '';
    this.to = partyOf(transaction.core.to);
    this.source = transaction.source;
  }

  get answered(): boolean {
    return this.#answered;
  }

  authenticate(secretsOf: SipSecretLookup): SipAuthentication {
    const { authentication, refusal } = authenticate(this.#core, this.#transaction, { proxy: false, secretsOf });
    if (refusal) this.#answer(refusal);
    return authentication;
  }

  accept(address: string): void {
    if (this.#answered) return;
    const nowMs = this.#core.clock.nowMs();
    const request = requestOf(this.#transaction);
    this.#answer(answerOf(this.#registrar.register(address, request, nowMs), { nowMs, request }));
  }

  reject(statusCode: number, reasonPhrase?: string): void {
    this.#answer({ statusCode, ...(reasonPhrase !== undefined && { reasonPhrase }) });
  }

  #answer({ statusCode, reasonPhrase, headers = [] }: Refusal): void {
    if (this.#answered) return;
    this.#answered = true;
    const all: [string, string][] = [...headers, ['Server', this.#core.identity.product]];
    this.#transaction.respond(buildResponse(this.#transaction.request, statusCode, { toTag: newTag(), headers: all, ...(reasonPhrase !== undefined && { reasonPhrase }) }));
  }
}

function requestOf({ request, core, source }: ServerTransaction): RegisterRequest {
  const { headers } = request;
  const outbound = { offered: headers.list('supported').includes('outbound'), proxies: headers.list('via').length - 1 };
  return { callId: core.callId, cseq: core.cseq.number, contacts: headers.list('contact'), expires: headers.get('expires'), source, path: headers.list('path'), outbound };
}

function answerOf(outcome: RegisterOutcome, { nowMs, request }: { nowMs: number; request: RegisterRequest }): Refusal {
  switch (outcome.statusCode) {
    case 200:
      return { statusCode: 200, headers: [...extensionsOf(outcome.bindings, request), ...outcome.bindings.map((binding): [string, string] => ['Contact', contactOf(binding, nowMs)])] };
    case 423:
      return { statusCode: 423, headers: [['Min-Expires', String(outcome.minExpiresS)]] };
    case 503:
      return { statusCode: 503, headers: [['Retry-After', '60']] };
    case 400:
    case 500:
      return { statusCode: outcome.statusCode, reasonPhrase: outcome.reasonPhrase };
  }
}

/** What of its wishes was done: the path is repeated (RFC 3327 §5.3), outbound is required when it is in force (RFC 5626 §6). */
function extensionsOf(bindings: readonly Binding[], { callId, path = [] }: RegisterRequest): [string, string][] {
  const inForce = bindings.some((binding) => binding.callId === callId && binding.outbound !== null);
  return [['Supported', 'outbound, path'], ...(inForce ? [['Require', 'outbound'] as [string, string]] : []), ...path.map((hop): [string, string] => ['Path', hop])];
}

function contactOf({ uri, expiresAtMs, q, outbound }: Binding, nowMs: number): string {
  const flow = outbound ? `;+sip.instance=${quote(outbound.instance)};reg-id=${outbound.regId}` : '';
  return `<${uri}>${flow};expires=${Math.max(0, Math.round((expiresAtMs - nowMs) / 1000))}${q === 1 ? '' : `;q=${q}`}`;
}
