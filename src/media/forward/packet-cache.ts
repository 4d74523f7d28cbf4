const SLOTS = 512;
const SLOT_BYTES = 1536;
/** A second request for the same packet within this time is the same one. */
const REPEAT_MS = 15;
const PADDING_WINDOW = 32;
const MIN_PADDING_BYTES = 200;

/** The last 512 packets one subscription was sent, by sequence number, for retransmission. Pure; one allocation. */
export class PacketCache {
  #arena: Buffer | null = null;
  #lengths = new Uint16Array(SLOTS);
  #sequences = new Int32Array(SLOTS).fill(-1);
  #latest = -1;
  #back = 0;
  #resentMs = new Float64Array(SLOTS);

  store(sequenceNumber: number, packet: Buffer): void {
    const slot = sequenceNumber % SLOTS;
    if (packet.length > SLOT_BYTES) {
      this.#sequences[slot] = -1;
      return;
    }
    this.#arena ??= Buffer.allocUnsafe(SLOTS * SLOT_BYTES);
    packet.copy(this.#arena, slot * SLOT_BYTES);
    this.#latest = sequenceNumber;
    this.#lengths[slot] = packet.length;
    this.#sequences[slot] = sequenceNumber;
    this.#resentMs[slot] = -Infinity;
  }

  /** One of the latest packets, in turn, as padding: a view into the cache. Null when there is none. */
  padding(): Buffer | null {
    if (!this.#arena || this.#latest < 0) return null;
    for (let tries = 0; tries < PADDING_WINDOW; tries++) {
      this.#back = (this.#back + 1) % PADDING_WINDOW;
      const sequenceNumber = (this.#latest - this.#back) & 0xffff;
      const slot = sequenceNumber % SLOTS;
      // Small ones are not worth their headers.
      if (this.#sequences[slot] === sequenceNumber && (this.#lengths[slot] as number) >= MIN_PADDING_BYTES) return this.#view(slot);
    }
    return null;
  }

  #view(slot: number): Buffer | null {
    const start = slot * SLOT_BYTES;
    return this.#arena?.subarray(start, start + (this.#lengths[slot] as number)) ?? null;
  }

  /** The packet to send again, a view into the cache; null when it is gone or was sent again just now. */
  take(sequenceNumber: number, nowMs: number): Buffer | null {
    const slot = sequenceNumber % SLOTS;
    if (!this.#arena || this.#sequences[slot] !== sequenceNumber) return null;
    if (nowMs - (this.#resentMs[slot] as number) < REPEAT_MS) return null;
    this.#resentMs[slot] = nowMs;
    return this.#view(slot);
  }
}
