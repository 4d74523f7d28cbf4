import { randomInt } from 'node:crypto';
import type { ReofferAnswer, SipBody } from '../contract.ts';
import { bodyOf } from '../message/body.ts';
import type { ResponseOptions } from '../message/build.ts';
import type { SipRequest } from '../message/message.ts';
import type { ServerTransaction } from '../transaction/layer.ts';
import type { AwaitedAcks } from './awaited-acks.ts';
import type { Descriptions } from './descriptions.ts';
import type { DialogPhase } from './dialog.ts';
import type { OurOffers } from './our-offers.ts';
import type { SessionKeeper } from './session-keeper.ts';
import { isTooBrief, MIN_SE_HEADER } from './session-timer.ts';

/** Who has the media that is negotiated. */
export interface OfferOwner {
  /** Returns false when nobody will answer. */
  reoffered(body: SipBody | null, respond: (answer: ReofferAnswer) => void): boolean;
  reofferAnswered(body: SipBody | null): void;
}

export interface TheirOffersParts {
  owner: OfferOwner;
  /** `called`: the other side invited us. */
  role: 'called' | 'calling';
  phase: () => DialogPhase;
  descriptions: Descriptions;
  keeper: SessionKeeper;
  acks: AwaitedAcks;
  ours: OurOffers;
  /** Answers, and returns how to say it again. */
  reply: (transaction: ServerTransaction, statusCode: number, options?: ResponseOptions) => () => void;
  contactFor: (transaction: ServerTransaction) => [string, string][];
  /** A request that moves the remote target was accepted. */
  accepted: (request: SipRequest) => void;
}

/** Re-INVITE, UPDATE and the offer of a PRACK, as they come: whose turn it is, and one answer to each (RFC 3261 §14.2, RFC 3311 §5.2). */
export class TheirOffers {
  readonly #parts: TheirOffersParts;
  #open: ServerTransaction | null = null;
  /** An offer of ours went in a 2xx, its answer comes with the ACK. */
  #answerComes = false;

  constructor(parts: TheirOffersParts) {
    this.#parts = parts;
  }

  /** Whether one waits for our answer, or we for theirs. */
  get open(): boolean {
    return this.#open !== null || this.#answerComes;
  }

  received(transaction: ServerTransaction): void {
    const { request } = transaction;
    const body = bodyOf(request);
    const { reply } = this.#parts;
    if (isTooBrief(request)) return void reply(transaction, 422, { headers: [MIN_SE_HEADER] });
    if (request.method === 'UPDATE' && !body) return void this.#accept(transaction, null);
    const refusal = this.#refusal(request);
    if (refusal) return void reply(transaction, refusal.statusCode, refusal);
    const again = this.#parts.descriptions.answerAgain(body);
    if (again) return this.#agreed(transaction, { offer: body, answer: again });
    this.#open = transaction;
    if (request.method === 'INVITE') reply(transaction, 100);
    this.#ask(transaction, body);
  }

  /** A PRACK that was expected. `answered` once it has its answer. */
  prackReceived(transaction: ServerTransaction, answered: () => void): void {
    const body = bodyOf(transaction.request);
    if (!body) this.#parts.reply(transaction, 200);
    // Its offer crossed one of ours, or of theirs (RFC 3311 §5.2): the provisional answer has arrived all the same.
    else if (this.#open || this.#parts.ours.open) this.#parts.reply(transaction, 491);
    else if (!this.#parts.descriptions.settled) this.#parts.reply(transaction, 488);
    else {
      this.#open = transaction;
      return this.#ask(transaction, body, answered);
    }
    answered();
  }

  /** The dialog is over: what is open is refused. */
  close(): void {
    const open = this.#open;
    this.#open = null;
    if (open) this.#parts.reply(open, 487);
  }

  #refusal(request: SipRequest): { statusCode: number; headers?: [string, string][] } | null {
    const phase = this.#parts.phase();
    if (this.#parts.ours.open || this.#answerComes) return { statusCode: 491 };
    const busy = { statusCode: 500, headers: [['Retry-After', String(randomInt(1, 11))] as [string, string]] };
    if (this.#open) return busy;
    if (phase === 'confirmed') return null;
    if (request.method === 'INVITE') return phase === 'early' && this.#parts.role === 'called' ? busy : { statusCode: 491 };
    if (this.#parts.descriptions.settled) return null;
    return this.#parts.role === 'called' ? busy : { statusCode: 491 };
  }

  #ask(transaction: ServerTransaction, body: SipBody | null, answered: () => void = () => {}): void {
    const respond = (answer: ReofferAnswer): void => {
      if (this.#open !== transaction) return;
      this.#open = null;
      if (answer.statusCode === 200) this.#agreed(transaction, { offer: body, answer: answer.body });
      else this.#parts.reply(transaction, answer.statusCode, answer.reasonPhrase === undefined ? {} : { reasonPhrase: answer.reasonPhrase });
      answered();
    };
    if (!this.#parts.owner.reoffered(body, respond)) respond({ statusCode: 488 });
  }

  /** An INVITE without an offer got ours. */
  #agreed(transaction: ServerTransaction, said: { offer: SipBody | null; answer: SipBody }): void {
    const { descriptions, acks, owner } = this.#parts;
    descriptions.answered(said.offer, said.answer);
    const again = this.#accept(transaction, said.answer);
    if (transaction.request.method !== 'INVITE') return;
    this.#answerComes = !said.offer;
    const acked = (body: SipBody | null): void => {
      this.#answerComes = false;
      if (said.offer) return;
      descriptions.taken(null, body);
      owner.reofferAnswered(body);
    };
    acks.add(transaction.core.cseq.number, { again, acked });
  }

  #accept(transaction: ServerTransaction, body: SipBody | null): () => void {
    const { request } = transaction;
    const { keeper, contactFor, reply, accepted, phase } = this.#parts;
    const moves = request.method !== 'PRACK';
    if (moves) accepted(request);
    // A session has no time to run out before it stands (RFC 4028 §7.4).
    const timed = moves && phase() !== 'early' ? keeper.answer(request) : [];
    return reply(transaction, 200, { headers: [...contactFor(transaction), ...timed], ...(body && { body }) });
  }
}
