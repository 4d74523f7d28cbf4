/**
 * Offer and answer of one peer connection (rsp §4.1): who may speak, and which revision is whose. Knows descriptions as opaque
 * text. Both sides share one counter; when both offer at once, ours wins and the browser offers again.
 *
 *     stable ──offerReceived──▶ answering ──answered──▶ stable
 *     stable ──offered────────▶ offering ───answerReceived──▶ stable
 *     offering ──offerReceived (a later revision)──▶ answering        our offer is void
 */
export class Negotiation {
  state: 'stable' | 'answering' | 'offering' = 'stable';
  /** Revision of the last description both sides have. 0 before the first answer. */
  stableRevision = 0;
  #revision = 0;
  #lastAnswer: Description | null = null;
  #offer: Description | null = null;

  /**
   * `answer`: make one and call `answered`. `repeat`: it is the one answered last, whose answer may have been lost.
   * `ignore`: an old one, or one that loses to ours.
   */
  offerReceived(revision: number): 'answer' | 'repeat' | 'ignore' {
    if (this.state === 'answering') return 'ignore';
    if (this.#lastAnswer?.revision === revision && this.stableRevision === revision) return 'repeat';
    if (revision <= this.stableRevision || (this.#offer && revision <= this.#offer.revision)) return 'ignore';
    this.#offer = null;
    this.state = 'answering';
    this.#revision = revision;
    return 'answer';
  }

  answered(sdp: string): Description {
    const answer: Description = { type: 'answer', revision: this.#revision, sdp };
    this.#lastAnswer = answer;
    this.stableRevision = this.#revision;
    this.state = 'stable';
    return answer;
  }

  /** Whether a server offer may go out now. Never before the first answer: the browser would only queue it. */
  get mayOffer(): boolean {
    return this.state === 'stable' && this.stableRevision > 0;
  }

  offered(sdp: string): Description {
    this.#revision++;
    this.#offer = { type: 'offer', revision: this.#revision, sdp };
    this.state = 'offering';
    return this.#offer;
  }

  /** True when it answers our offer. */
  answerReceived(revision: number): boolean {
    if (this.#offer?.revision !== revision) return false;
    this.#offer = null;
    this.stableRevision = revision;
    this.state = 'stable';
    return true;
  }

  /** Our offer that waits for its answer. */
  get pendingOffer(): Description | null {
    return this.#offer;
  }

  /** The answer to repeat. */
  get lastAnswer(): Description | null {
    return this.#lastAnswer;
  }
}

/** A description as it goes to the browser. */
export interface Description {
  type: 'offer' | 'answer';
  revision: number;
  sdp: string;
}
