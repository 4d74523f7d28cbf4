import { randomInt } from 'node:crypto';
import type { Clock, Timer } from '../../base/clock.ts';
import type { SipBody } from '../contract.ts';
import { ALLOW } from '../identity.ts';
import { parseCSeq } from '../message/cseq.ts';
import type { SipRequest, SipResponse } from '../message/message.ts';
import { SUPPORTED } from '../message/option-tags.ts';
import { retryAfterS } from '../resolve/routed-request.ts';
import { GIVE_UP_MS } from '../transaction/timers.ts';
import { credentialsOf, type DialogRequests, type RequestHandle } from './dialog-requests.ts';

/** How often one is sent in all when it is put off. */
const MAX_TRIES = 6;
/** Longest wait that a Retry-After may ask of us. */
const MAX_RETRY_AFTER_S = 32;
/** A re-INVITE that is only ever answered with 1xx is given up. */
const INVITE_LIMIT_MS = 60_000;
const MAX_QUEUED = 8;

export interface OurOffer {
  readonly method: 'INVITE' | 'UPDATE';
  /** The offer; null for an UPDATE that only refreshes. */
  readonly body: SipBody | null;
  /** Once: the 2xx, or why there is none. 408: silence, 503: not sent. */
  readonly done: (result: OfferResult) => void;
}

export type OfferResult = { response: SipResponse } | { statusCode: number };

export interface OurOffersParts {
  clock: Clock;
  requests: DialogRequests;
  /** The Call-ID is ours: we wait longer than the other side when both offer at once. */
  ownsCallId: boolean;
  /** Whether the turn is ours. */
  ready: () => boolean;
  /** Of the session timer. */
  headers: () => [string, string][];
  /** A 422 wants longer sessions; false: nothing to be done. */
  raise: (refusal: SipResponse) => boolean;
}

interface Job extends OurOffer {
  tries: number;
}

/**
 * INVITEs and UPDATEs of ours within a dialog, one after the other (RFC 3261 §14.1, RFC 3311 §5.1).
 *
 *     idle ──send──▶ sent ──2xx, refusal──▶ idle
 *                    sent ──491, 500 with Retry-After──▶ waiting ──▶ sent
 */
export class OurOffers {
  readonly #parts: OurOffersParts;
  readonly #queue: Job[] = [];
  #current: Job | null = null;
  #sent: RequestHandle | null = null;
  #timer: Timer | null = null;
  #closed = false;

  constructor(parts: OurOffersParts) {
    this.#parts = parts;
  }

  /** Whether one that asks for a description has no answer yet: an offer of theirs gets 491. */
  get open(): boolean {
    return this.#sent !== null && (this.#current?.body ?? null) !== null;
  }

  send(offer: OurOffer): void {
    if (this.#closed || this.#queue.length >= MAX_QUEUED) return offer.done({ statusCode: 481 });
    this.#queue.push({ ...offer, tries: 0 });
    if (!this.#current) this.#next();
  }

  /** The dialog is being ended: nothing more is sent, or told. An INVITE under way is still acknowledged. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.length = 0;
    this.#timer?.cancel();
    const sent = this.#sent;
    if (sent) this.#timer = this.#parts.clock.after(GIVE_UP_MS, () => sent.abandon());
  }

  #next(): void {
    this.#current = this.#queue.shift() ?? null;
    if (this.#current) this.#try(this.#current);
  }

  #try(job: Job): void {
    if (!this.#parts.ready()) return this.#later(job, glareWaitMs(false));
    job.tries++;
    const { clock, requests, headers } = this.#parts;
    const sent = requests.send({
      ...{ method: job.method, headers: [['Allow', ALLOW], SUPPORTED, ...headers()], body: job.body, contact: true, wanted: () => !this.#closed },
      answered: (response, request) => this.#answered(job, response, request),
      failed: (reason) => this.#finish(job, { statusCode: reason === 'timeout' ? 408 : 503 }),
    });
    if (this.#current !== job) return;
    this.#sent = sent;
    if (job.method === 'INVITE') this.#timer = clock.after(INVITE_LIMIT_MS, () => this.#tooLong(job, sent));
  }

  #tooLong(job: Job, sent: RequestHandle): void {
    sent.abandon();
    this.#finish(job, { statusCode: 408 });
  }

  #answered(job: Job, response: SipResponse, request: SipRequest): void {
    const success = response.statusCode < 300;
    if (success && job.method === 'INVITE') this.#parts.requests.acknowledge(parseCSeq(request.headers.get('cseq') ?? '')?.number ?? 0, credentialsOf(request));
    if (this.#current !== job || !this.#sent) return;
    const waitMs = success || this.#closed ? null : this.#waitMs(job, response);
    if (waitMs !== null) return this.#later(job, waitMs);
    this.#finish(job, success ? { response } : { statusCode: response.statusCode });
  }

  /** How long until it is sent again; null: never. */
  #waitMs(job: Job, refusal: SipResponse): number | null {
    if (job.tries >= MAX_TRIES) return null;
    if (refusal.statusCode === 491) return glareWaitMs(this.#parts.ownsCallId);
    if (refusal.statusCode === 422) return this.#parts.raise(refusal) ? 0 : null;
    const afterS = refusal.statusCode === 500 || refusal.statusCode === 503 ? retryAfterS(refusal) : null;
    return afterS === null || afterS > MAX_RETRY_AFTER_S ? null : afterS * 1000;
  }

  #later(job: Job, waitMs: number): void {
    this.#sent = null;
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(waitMs, () => this.#try(job));
  }

  #finish(job: Job, result: OfferResult): void {
    if (this.#current !== job) return;
    this.#timer?.cancel();
    this.#sent = null;
    this.#current = null;
    if (this.#closed) return;
    job.done(result);
    if (!this.#current && !this.#closed) this.#next();
  }
}

/** RFC 3261 §14.1: 2.1 to 4 s for the side that owns the Call-ID, up to 2 s for the other, in steps of 10 ms. */
export function glareWaitMs(ownsCallId: boolean): number {
  return ownsCallId ? 2_100 + randomInt(191) * 10 : randomInt(201) * 10;
}
