const WINDOW = 1024;

/** Which of the last 1,024 sequence numbers of a stream have come: keeps duplicates out. Pure. */
export class SequenceWindow {
  #seen = new Int32Array(WINDOW).fill(-1);
  #highest = -1;

  /** True when `sequenceNumber` is new; false for a duplicate or one too old to tell. */
  accept(sequenceNumber: number): boolean {
    if (this.#highest >= 0) {
      const behind = (this.#highest - sequenceNumber) & 0xffff;
      if (behind >= WINDOW && behind < 0x8000) return this.#restart(sequenceNumber, behind);
      if (behind >= 0x8000) this.#highest = sequenceNumber;
    } else {
      this.#highest = sequenceNumber;
    }
    const slot = sequenceNumber & (WINDOW - 1);
    if (this.#seen[slot] === sequenceNumber) return false;
    this.#seen[slot] = sequenceNumber;
    return true;
  }

  /** A sender that jumps far back has begun anew; a straggler of 1,024 to 3,000 packets has not (RFC 3550 §A.1). */
  #restart(sequenceNumber: number, behind: number): boolean {
    if (behind < 3000) return false;
    this.#seen.fill(-1);
    this.#highest = sequenceNumber;
    this.#seen[sequenceNumber & (WINDOW - 1)] = sequenceNumber;
    return true;
  }
}
