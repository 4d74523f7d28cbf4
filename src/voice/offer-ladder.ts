import type { PhoneSrtpPolicy, WantedEncryption } from '../sdp/phone-security.ts';

/** How an offer is encrypted; `usual`: as the policy says. */
export type OfferKind = 'usual' | WantedEncryption;

/**
 * After `usual`, what phones want that refuse it, most frequent first: keys in SDP (which those with DTLS take too where the offer has a
 * fingerprint), DTLS as browsers name it, keys in SDP with feedback (RFC 5124), which is a transport of its own and answered by nobody who did not ask for it.
 */
const AFTER_USUAL: readonly WantedEncryption[] = ['sdes', 'dtls', 'sdes-feedback'];

/** The offers that one phone is made, one after the other, until it takes one: four at most, each kind once. Pure. */
export class OfferLadder {
  #waiting: OfferKind[];
  #kind: OfferKind;

  /** `first`: what it took last time, null for nothing known. A kind that the policy forbids is passed over. */
  constructor({ policy, hasDtls, first = null }: { policy: PhoneSrtpPolicy; hasDtls: boolean; first?: OfferKind | null }) {
    const possible = kindsOf(policy).filter((kind) => kind !== 'dtls' || hasDtls);
    this.#kind = possible.find((kind) => kind === first) ?? 'usual';
    this.#waiting = possible.filter((kind) => kind !== this.#kind);
  }

  get kind(): OfferKind {
    return this.#kind;
  }

  /** The phone refused the offer. False: there is no other. */
  next(): boolean {
    const kind = this.#waiting.shift();
    if (kind === undefined) return false;
    this.#kind = kind;
    return true;
  }
}

/** Under `require` the usual offer is one of keys already. */
function kindsOf(policy: PhoneSrtpPolicy): OfferKind[] {
  if (policy === 'off') return ['usual'];
  return ['usual', ...AFTER_USUAL.filter((kind) => policy === 'allow' || kind !== 'sdes')];
}
