import type { IncomingSipRegister, SipAuthentication, SipParty, SipSecretLookup, SipSource } from '../contract.ts';
import type { SipCore } from '../core.ts';
import { partyOf } from '../call/party.ts';
import { authenticate } from '../digest/authenticate.ts';
import { newTag } from '../identity.ts';
import { buildResponse } from '../message/build.ts';
import { parseSipUri } from '../message/uri.ts';
import type { Refusal } from '../refusals.ts';
import type { ServerTransaction } from '../transaction/layer.ts';
import type { Binding, RegisterOutcome, RegisterRequest, Registrar } from './registrar.ts';

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
    this.#answer(answerOf(this.#registrar.register(address, requestOf(this.#transaction), nowMs), nowMs));
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
  return { callId: core.callId, cseq: core.cseq.number, contacts: headers.list('contact'), expires: headers.get('expires'), source };
}

function answerOf(outcome: RegisterOutcome, nowMs: number): Refusal {
  switch (outcome.statusCode) {
    case 200:
      return { statusCode: 200, headers: outcome.bindings.map((binding): [string, string] => ['Contact', contactOf(binding, nowMs)]) };
    case 423:
      return { statusCode: 423, headers: [['Min-Expires', String(outcome.minExpiresS)]] };
    case 503:
      return { statusCode: 503, headers: [['Retry-After', '60']] };
    case 400:
    case 500:
      return { statusCode: outcome.statusCode, reasonPhrase: outcome.reasonPhrase };
  }
}

function contactOf({ uri, expiresAtMs, q }: Binding, nowMs: number): string {
  return `<${uri}>;expires=${Math.max(0, Math.round((expiresAtMs - nowMs) / 1000))}${q === 1 ? '' : `;q=${q}`}`;
}
