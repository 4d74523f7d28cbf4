const RING = 8192;

/**
 * What was sent to one browser under transport-wide sequence numbers (draft-holmer-rmcat-transport-wide-cc-extensions-01 §2),
 * until its feedback comes. Pure; nothing is allocated per packet.
 */
export class SentPackets {
  #next = 0x10000;
  #number = new Float64Array(RING);
  #sentMs = new Float64Array(RING);
  #bytes = new Uint16Array(RING);
  /** Probe it belongs to, 0 for none. */
  #probe = new Int32Array(RING);
  #told = new Uint8Array(RING);

  /** Results of the last `find` that returned true. */
  sentMs = 0;
  bytes = 0;
  probe = 0;
  #found = 0;

  /** The number to send it with, 16 bit. */
  add(bytes: number, nowMs: number, probe: number): number {
    const number = this.#next++;
    const slot = number % RING;
    this.#number[slot] = number;
    this.#sentMs[slot] = nowMs;
    this.#bytes[slot] = bytes;
    this.#probe[slot] = probe;
    this.#told[slot] = 0;
    return number & 0xffff;
  }

  /** False when it was never sent, too long ago, or its arrival is known already. */
  find(sequence16: number): boolean {
    const number = this.#next - 1 - ((this.#next - 1 - sequence16) & 0xffff);
    const slot = number % RING;
    if (number < 0x10000 || this.#number[slot] !== number || this.#told[slot] === ARRIVED) return false;
    this.#found = slot;
    this.sentMs = this.#sentMs[slot] as number;
    this.bytes = this.#bytes[slot] as number;
    this.probe = this.#probe[slot] as number;
    return true;
  }

  /** The packet found last has arrived. True when it had been told lost before. */
  arrived(): boolean {
    const before = this.#told[this.#found];
    this.#told[this.#found] = ARRIVED;
    return before === LOST;
  }

  /** The packet found last is missing. False when that was told before. */
  lost(): boolean {
    if (this.#told[this.#found] === LOST) return false;
    this.#told[this.#found] = LOST;
    return true;
  }
}

const LOST = 1;
const ARRIVED = 2;
