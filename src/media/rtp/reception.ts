/** What RFC 3550 wants to be known of a received stream: extended sequence, loss, jitter (§A.1, §A.3, §A.8). Pure. */
export class Reception {
  ssrc = 0;
  received = 0;
  #started = false;
  #cycles = 0;
  #highest = 0;
  #base = 0;
  #receivedOfSsrc = 0;
  #lostBefore = 0;
  #jitter = 0;
  #transit = 0;
  #expectedAtReport = 0;
  #receivedAtReport = 0;

  /** Another SSRC took over; what was lost of the old one stays counted. */
  restart(ssrc: number): void {
    this.#lostBefore = this.lost;
    this.ssrc = ssrc;
    this.#started = false;
    this.#receivedOfSsrc = 0;
    this.#expectedAtReport = 0;
    this.#receivedAtReport = 0;
    this.#cycles = 0;
  }

  /** `timestamp` in units of `clockRateHz`. */
  packetReceived(sequenceNumber: number, timestamp: number, at: { nowMs: number; clockRateHz: number }): void {
    this.received++;
    this.#receivedOfSsrc++;
    const arrival = (at.nowMs * at.clockRateHz) / 1000;
    const transit = arrival - timestamp;
    if (!this.#started) {
      this.#started = true;
      this.#base = sequenceNumber;
      this.#highest = sequenceNumber;
    } else {
      this.#advance(sequenceNumber);
      const difference = Math.abs(transit - this.#transit);
      // A jump of the timestamp is no jitter.
      if (difference < at.clockRateHz) this.#jitter += (difference - this.#jitter) / 16;
    }
    this.#transit = transit;
  }

  #advance(sequenceNumber: number): void {
    const step = (sequenceNumber - this.#highest) & 0xffff;
    if (step === 0 || step >= 0x8000) return;
    if (sequenceNumber < this.#highest) this.#cycles += 0x10000;
    this.#highest = sequenceNumber;
  }

  get extendedHighest(): number {
    return this.#cycles + this.#highest;
  }

  get #expected(): number {
    return this.#started ? this.extendedHighest - this.#base + 1 : 0;
  }

  /** Packets of this SSRC that never came; negative when some came twice (RFC 3550 §6.4.1). */
  get lostOfSsrc(): number {
    return this.#expected - this.#receivedOfSsrc;
  }

  /** Packets that never came, of all SSRCs, 0 at least. */
  get lost(): number {
    return this.#lostBefore + Math.max(0, this.#expected - this.#receivedOfSsrc);
  }

  /** In timestamp units. */
  get jitter(): number {
    return this.#jitter;
  }

  /** Loss since the last call as a fraction of 256 (RFC 3550 §A.3). */
  fractionLost(): number {
    const expected = this.#expected - this.#expectedAtReport;
    const received = this.#receivedOfSsrc - this.#receivedAtReport;
    this.#expectedAtReport = this.#expected;
    this.#receivedAtReport = this.#receivedOfSsrc;
    const lost = expected - received;
    return expected <= 0 || lost <= 0 ? 0 : Math.min(255, Math.floor((lost * 256) / expected));
  }
}
