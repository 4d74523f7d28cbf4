/** Keys as RTP events (RFC 4733). Both halves are pure. */

const KEYS = '0123456789*#ABCD';

/** Event code of a key, -1 when it is none. */
export function eventOfKey(key: string): number {
  return KEYS.indexOf(key.toUpperCase());
}

/** Turns event packets into presses: each key once, at the first packet of it that arrives. */
export class DtmfReceiver {
  #seen = false;
  #event = 0;
  #timestamp = 0;
  #duration = 0;
  #ended = true;

  reset(): void {
    this.#seen = false;
  }

  /** The key that this packet shows for the first time, else null. `payload` is 4 bytes at `offset` (RFC 4733 §2.3). */
  packetReceived(payload: Buffer, offset: number, packet: { length: number; timestamp: number }): string | null {
    if (packet.length < 4) return null;
    const event = payload[offset] as number;
    const ended = ((payload[offset + 1] as number) & 0x80) !== 0;
    const duration = payload.readUInt16BE(offset + 2);
    const key = KEYS[event];
    if (key === undefined) return null;
    if (this.#seen && !this.#isNews(event, packet.timestamp, duration, ended)) return null;
    this.#seen = true;
    this.#event = event;
    this.#timestamp = packet.timestamp;
    this.#duration = duration;
    this.#ended = ended;
    return key;
  }

  #isNews(event: number, timestamp: number, duration: number, ended: boolean): boolean {
    const later = (timestamp - this.#timestamp) | 0;
    if (later < 0) return false; // a straggler of an earlier press
    if (later === 0) {
      if (event !== this.#event) return true;
      if (duration > this.#duration) this.#duration = duration;
      this.#ended ||= ended;
      return false;
    }
    // RFC 4733 §2.5.1.3: a press longer than 65,535 units goes on in a segment that begins where the last one stopped.
    if (event === this.#event && !this.#ended && later <= this.#duration) {
      this.#timestamp = timestamp;
      this.#duration = duration;
      this.#ended = ended;
      return false;
    }
    return true;
  }
}

/** What the sender wants to put on the wire in this 20 ms step. */
export interface DtmfPacket {
  event: number;
  ended: boolean;
  /** In samples of 8 kHz since the beginning of the event. */
  duration: number;
  /** First packet of the event: marker bit, and its time is the event's timestamp. */
  first: boolean;
}

const STEP_SAMPLES = 160;
const PRESS_SAMPLES = 8 * 120;
const GAP_STEPS = 4;
const END_REPEATS = 3;

/** Plays a string of keys in steps of 20 ms: 120 ms a press, 80 ms between two, `w` 0.5 s, `W` 1 s. */
export class DtmfSender {
  readonly #packet: DtmfPacket = { event: 0, ended: false, duration: 0, first: false };
  readonly #keys: string;
  #index = 0;
  #pauseSteps = 0;
  #duration = 0;
  #endsLeft = 0;

  /** Characters that are no keys are left out. */
  constructor(keys: string) {
    this.#keys = keys;
  }

  /** True when the last packet has gone. */
  get done(): boolean {
    return this.#pauseSteps === 0 && this.#duration === 0 && this.#index >= this.#keys.length;
  }

  /** The packet of this step; null for a step in which voice goes out. The object is used again. */
  step(): DtmfPacket | null {
    if (this.#pauseSteps > 0) {
      this.#pauseSteps--;
      return null;
    }
    if (this.#duration === 0 && !this.#begin()) return null;
    return this.#press();
  }

  #begin(): boolean {
    for (; this.#index < this.#keys.length; this.#index++) {
      const key = this.#keys[this.#index] as string;
      if (key === 'w' || key === 'W') {
        this.#index++;
        this.#pauseSteps = key === 'w' ? 24 : 49;
        return false;
      }
      const event = eventOfKey(key);
      if (event < 0) continue;
      this.#index++;
      this.#packet.event = event;
      this.#endsLeft = END_REPEATS;
      return true;
    }
    return false;
  }

  #press(): DtmfPacket {
    const packet = this.#packet;
    packet.first = this.#duration === 0;
    if (this.#duration < PRESS_SAMPLES) this.#duration += STEP_SAMPLES;
    packet.duration = this.#duration;
    packet.ended = this.#duration >= PRESS_SAMPLES;
    if (packet.ended && --this.#endsLeft === 0) {
      this.#duration = 0;
      this.#pauseSteps = GAP_STEPS;
    }
    return packet;
  }
}
