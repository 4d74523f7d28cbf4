/** RFC 3550 §A.1: a gap of sequence numbers that is loss, and how late a packet may come; farther away the sender has begun anew. */
const MAX_DROPOUT = 3000;
const MAX_MISORDER = 100;

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
  /** What would follow a packet that was far away; -1 for none. */
  #afterJump = -1;

  /** Another SSRC took over; what was lost of the old one stays counted. */
  restart(ssrc: number): void {
    this.#lostBefore = this.lost;
    this.ssrc = ssrc;
    this.#started = false;
    this.#receivedOfSsrc = 0;
    this.#expectedAtReport = 0;
    this.#receivedAtReport = 0;
    this.#cycles = 0;
    this.#afterJump = -1;
  }

  /** `timestamp` in units of `clockRateHz`. */
  packetReceived(sequenceNumber: number, timestamp: number, at: { nowMs: number; clockRateHz: number }): void {
    this.received++;
    if (this.#jumped(sequenceNumber)) return;
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

  /** A sender that begins anew with its SSRC has lost nothing: two in a row from far away show it (§A.1). */
  #jumped(sequenceNumber: number): boolean {
    const step = (sequenceNumber - this.#highest) & 0xffff;
    if (!this.#started || step < MAX_DROPOUT || step > 0x10000 - MAX_MISORDER) return false;
    const isOneAlone = sequenceNumber !== this.#afterJump;
    this.#afterJump = (sequenceNumber + 1) & 0xffff;
    if (!isOneAlone) this.restart(this.ssrc);
    return isOneAlone;
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
