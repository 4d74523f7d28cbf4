import type { SipBody } from '../contract.ts';

/** The session descriptions that one dialog has seen, as opaque bytes: whose is in force, and what was answered to what (RFC 3264). */
export class Descriptions {
  /** Ours in force. */
  local: SipBody | null;
  /** Theirs in force. */
  remote: SipBody | null;
  /** The first offer has its answer: UPDATE and PRACK may bring new ones (RFC 3311 §5.1). */
  settled = false;
  #lastAnswered: { offer: SipBody; answer: SipBody } | null = null;

  constructor(first: { local: SipBody | null; remote: SipBody | null }) {
    this.local = first.local;
    this.remote = first.remote;
  }

  /** Our answer to their offer; without one it was an offer of ours in a 2xx. */
  answered(offer: SipBody | null, answer: SipBody): void {
    this.local = answer;
    this.remote = offer ?? this.remote;
    this.#lastAnswered = offer && { offer, answer };
    this.settled = true;
  }

  /** Their answer to our offer. True when it says something new. */
  taken(offer: SipBody | null, answer: SipBody | null): boolean {
    const changed = answer !== null && !same(answer, this.remote);
    this.local = offer ?? this.local;
    this.remote = answer ?? this.remote;
    this.#lastAnswered = null;
    this.settled = true;
    return changed;
  }

  /** What was answered to the same offer, when nothing has come since: a refresh that changes nothing (RFC 4028 §7.4). */
  answerAgain(offer: SipBody | null): SipBody | null {
    return offer && this.#lastAnswered && same(offer, this.#lastAnswered.offer) ? this.#lastAnswered.answer : null;
  }
}

function same(a: SipBody, b: SipBody | null): boolean {
  return b !== null && a.contentType === b.contentType && Buffer.compare(a.bytes, b.bytes) === 0;
}
