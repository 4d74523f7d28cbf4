/** Media of the phone is believed to have moved when its old source has been silent for this long. */
const RELATCH_SILENCE_MS = 2000;

/**
 * Symmetric RTP (RFC 4961): media is taken from, and sent to, where the first valid packet came from, whatever the SDP
 * said; others are strangers until the source falls silent or a new offer/answer opens the latch. Pure.
 */
export class SourceLatch {
  /** Where we send to: the SDP's word until something came. */
  address = '';
  port = 0;
  #open = true;
  #heardMs = -Infinity;
  #sdp = '';
  /** Whose phone is not in the call any more. */
  #leftAddress = '';
  #leftPort = 0;

  /** Offer/answer gave a new target. The same one again (hold, session refresh) keeps sending where it did. */
  targetGiven(address: string, port: number): void {
    this.#open = true;
    const sdp = `${address} ${port}`;
    if (port === this.#leftPort && address === this.#leftAddress) this.#leftPort = 0;
    if (sdp === this.#sdp) return;
    this.#sdp = sdp;
    this.address = address;
    this.port = port;
  }

  /** The phone left the call to another one, whose target is given next: what it still sends is nobody's. */
  phoneLeft(): void {
    this.#leftAddress = this.address;
    this.#leftPort = this.port;
    this.#sdp = '';
  }

  /** As `targetGiven`, where packets prove themselves: the same target again opens nothing. */
  retarget(address: string, port: number): void {
    if (this.#sdp !== `${address} ${port}`) this.targetGiven(address, port);
  }

  /** Is a valid packet from there the phone's? Latches when it may. */
  accepts(address: string, port: number, nowMs: number): boolean {
    if (!this.tries(address, port, nowMs)) return false;
    this.#heardMs = nowMs;
    return true;
  }

  /** As `accepts`, for a packet that has yet to be proven: until `proven` it keeps nobody else away. */
  tries(address: string, port: number, nowMs: number): boolean {
    if (port !== this.port || address !== this.address) {
      if (port === this.#leftPort && address === this.#leftAddress) return false;
      if (!this.#open && nowMs - this.#heardMs < RELATCH_SILENCE_MS) return false;
      this.address = address;
      this.port = port;
    }
    this.#open = false;
    return true;
  }

  /** The phone has proven to be there. */
  moved(address: string, port: number, nowMs: number): void {
    if (port !== this.port || address !== this.address) {
      this.address = address;
      this.port = port;
    }
    this.#open = false;
    this.#heardMs = nowMs;
  }

  /** What came from where it sends to was the phone's. */
  proven(nowMs: number): void {
    this.#heardMs = nowMs;
  }
}
