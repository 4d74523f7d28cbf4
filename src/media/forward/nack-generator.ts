/** More missing than this means an outage: a key frame is cheaper than asking for each. */
const MAX_MISSING = 300;
const MAX_TRIES = 10;
const GIVE_UP_MS = 1000;
/** A packet that was only overtaken gets this long to arrive. */
const REORDER_MS = 10;
const MIN_RETRY_MS = 20;

interface Missing {
  sinceMs: number;
  lastAskedMs: number;
  tries: number;
}

/** Finds the gaps of a video stream and says when to ask for them again (RFC 4585 §6.2.1). Pure. */
export class NackGenerator {
  #missing = new Map<number, Missing>();
  #highest = -1;
  /** How many sequence numbers were given up; whoever counts key-frame requests reads and clears it. */
  abandoned = 0;

  packetReceived(sequenceNumber: number, nowMs: number): void {
    if (this.#highest < 0) {
      this.#highest = sequenceNumber;
      return;
    }
    const step = (sequenceNumber - this.#highest) & 0xffff;
    if (step === 0 || step >= 0x8000) {
      this.#missing.delete(sequenceNumber);
      return;
    }
    if (step - 1 + this.#missing.size > MAX_MISSING) this.#outage(step - 1);
    else for (let i = 1; i < step; i++) this.#missing.set((this.#highest + i) & 0xffff, { sinceMs: nowMs, lastAskedMs: -Infinity, tries: 0 });
    this.#highest = sequenceNumber;
  }

  #outage(gap: number): void {
    this.abandoned += this.#missing.size + gap;
    this.#missing.clear();
  }

  /** A key frame has begun at `sequenceNumber`: nobody needs what was before it. */
  keyFrameReceived(sequenceNumber: number): void {
    for (const seq of this.#missing.keys()) if (((sequenceNumber - seq) & 0xffff) < 0x8000) this.#missing.delete(seq);
  }

  /** Sequence numbers to ask for now, ascending. Asks again after `rttMs`, at most 10 times within 1 s. */
  due(nowMs: number, rttMs: number): number[] {
    if (this.#missing.size === 0) return NONE;
    const retryMs = Math.max(MIN_RETRY_MS, rttMs);
    const out: number[] = [];
    for (const [seq, missing] of this.#missing) {
      if (missing.tries >= MAX_TRIES || nowMs - missing.sinceMs > GIVE_UP_MS) {
        this.#missing.delete(seq);
        this.abandoned++;
      } else if (nowMs - missing.sinceMs >= REORDER_MS && nowMs - missing.lastAskedMs >= retryMs) {
        missing.lastAskedMs = nowMs;
        missing.tries++;
        out.push(seq);
      }
    }
    return out;
  }

  /** True while something is missing. */
  get waiting(): boolean {
    return this.#missing.size > 0;
  }
}

const NONE: number[] = [];
