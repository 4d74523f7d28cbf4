/** Media of the phone is believed to have moved when its old source has been silent for this long. */
export const RELATCH_SILENCE_MS = 2000;
/** After a second of sound a source is the phone's for good: silence of a phone that is muted, or listens only, gives nobody else its place. */
const SETTLED_PACKETS = 50;

/** Where signaling says that a phone's media is. */
export interface MediaTarget {
  address: string;
  port: number;
  /** It cannot be reached from here, so nothing is sent until the phone's own media shows where it is. Default false. */
  awaited?: boolean | undefined;
  /** Where its signaling comes from. */
  signalingAddress?: string | undefined;
}

/** How likely a source is to be the phone: 2 what its SDP says, 1 the same address or that of its signaling (RFC 7362 §3), 0 anywhere else. */
export type SourceRank = 0 | 1 | 2;

/** What the latest offer/answer lets expect. */
export class ExpectedSource {
  #address = '';
  #port = 0;
  #signaling = '';
  #awaited: boolean | null = null;

  /** False: the media is where it was said to be before (hold, session refresh). */
  given({ address, port, awaited = false, signalingAddress = '' }: MediaTarget): boolean {
    const isNew = address !== this.#address || port !== this.#port || awaited !== this.#awaited;
    this.#address = address;
    this.#port = port;
    this.#awaited = awaited;
    this.#signaling = signalingAddress;
    return isNew;
  }

  /** What is given next is new. */
  forget(): void {
    this.#awaited = null;
  }

  rankOf(address: string, port: number): SourceRank {
    if (address === this.#address) return port === this.#port ? 2 : 1;
    return address === this.#signaling ? 1 : 0;
  }
}

/**
 * Symmetric RTP (RFC 4961): media is taken from, and sent to, where the first valid packet came from, whatever the SDP said. Others are
 * strangers until signaling names another address, one speaks that is likelier to be the phone (who was faster than the phone does not
 * keep it out), or that source falls silent: then other ports of its address, and other addresses if it was not heard for a second.
 * Pure.
 */
export class SourceLatch {
  /** Where we send to: the SDP's word until something came; port 0 for nowhere. */
  address = '';
  port = 0;
  readonly #expected = new ExpectedSource();
  #rank: SourceRank = 0;
  #packets = 0;
  #open = true;
  #heardMs = -Infinity;
  /** Where it was before it moved: what is still on the way from there is heard. */
  readonly #former = { address: '', port: 0, untilMs: -Infinity };
  /** Whose phone is not in the call any more. */
  readonly #left = { address: '', port: 0 };

  /** Offer/answer gave a target. The same one again opens nothing, and sending goes on to where it did. */
  targetGiven(target: MediaTarget, nowMs: number): void {
    if (target.port === this.#left.port && target.address === this.#left.address) this.#left.port = 0;
    if (!this.#expected.given(target)) return;
    const wasHeard = this.#heardMs !== -Infinity;
    Object.assign(this.#former, { address: this.address, port: this.port, untilMs: wasHeard ? nowMs + RELATCH_SILENCE_MS : -Infinity });
    this.address = target.awaited ? '' : target.address;
    this.port = target.awaited ? 0 : target.port;
    this.#open = true;
  }

  /** The phone left the call to another one, whose target is given next: what it still sends is nobody's. */
  phoneLeft(): void {
    this.#left.address = this.address;
    this.#left.port = this.port;
    this.#heardMs = -Infinity;
    this.#expected.forget();
  }

  /** Is a valid packet from there the phone's? Latches when it may. */
  accepts(address: string, port: number, nowMs: number): boolean {
    if (this.#open || port !== this.port || address !== this.address) {
      const former = this.#former;
      const left = this.#left;
      if (port === left.port && address === left.address) return false;
      if (nowMs < former.untilMs && port === former.port && address === former.address) return true;
      if (!this.#takes(address, this.#expected.rankOf(address, port), nowMs)) return false;
    }
    this.moved(address, port, nowMs);
    return true;
  }

  #takes(address: string, rank: SourceRank, nowMs: number): boolean {
    if (this.#open || rank > this.#rank) return true;
    return nowMs - this.#heardMs >= RELATCH_SILENCE_MS && (address === this.address || this.#packets < SETTLED_PACKETS);
  }

  /** The phone has proven to be there. */
  moved(address: string, port: number, nowMs: number): void {
    if (this.#open || port !== this.port || address !== this.address) {
      if (this.#open || address !== this.address) this.#packets = 0;
      this.address = address;
      this.port = port;
      this.#rank = this.#expected.rankOf(address, port);
      this.#former.untilMs = -Infinity;
      this.#open = false;
    }
    this.#packets++;
    this.#heardMs = nowMs;
  }
}
