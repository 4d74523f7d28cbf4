/**
 * Play-out buffer of one voice stream at 8,000 or 16,000 samples per second, in the unit of samples. It is a ring addressed by RTP
 * timestamp, so re-ordering, duplicates and every packet time fall out of the addressing: what arrives is written where
 * its timestamp says, what is played is read 20 ms at a time.
 *
 * The delay follows the network. Slack is how much later a sample is played than the fastest packet of late could have
 * brought it; it is to cover the lateness that packets have shown. A frame that is not there when its turn comes is held
 * back (the slack grows by 20 ms) while its packet may still come, and given up as lost otherwise. Slack that has not been
 * needed for two seconds is taken back frame by frame. A sender whose clock runs fast or slow is the same two cases.
 *
 * Entries are 16-bit samples, or codes of a sample-by-sample codec such as G.711 so that the silent need not be decoded.
 */
export const FRAME_SAMPLES = 160;
/** 20 ms at 16 kHz. */
export const WIDE_FRAME_SAMPLES = 320;
// Times below are in samples at 8 kHz.
const RING = 8192;
/** Marks an entry that never arrived; a sample of that value is written as -32767. */
const MISSING = -32768;
const MAX_DEPTH = 3200;
const MAX_LATENESS = 1600;
/** Timers of senders and ours are not exact: slack beyond what packets were late. */
const MARGIN = 16;
/** Packets that are no whole number of frames: a frame's second half may come 10 ms after its first. */
const UNEVEN_MARGIN = 80;
/** After a stall of the network more than this is too much to be taken back at leisure. */
const EXCESS = 4 * FRAME_SAMPLES;
const HASTY_SHRINK_FRAMES = 10;
const TIMESTAMPS = 0x1_0000_0000;
const MAX_HELD_FRAMES = 25;
const SHRINK_WINDOW_FRAMES = 100;
/** A window moves the base by this part of what its fastest packet was late. */
const BASE_STEPS = 4;
const LATE_BEFORE_RESET = 10;
const SAMPLES_PER_MS = 8;

/** `voice`: all there; `patched`: parts were missing and came from the frame before; `lost`: conceal; `idle`: no stream. */
export type PulledFrame = 'voice' | 'patched' | 'lost' | 'idle';

export class JitterBuffer {
  /** Packets that came too late, twice or too far ahead. */
  discarded = 0;
  /** 1: 8 kHz; 2: 16 kHz. */
  readonly #scale: 1 | 2;
  readonly #frame: number;
  readonly #ring: Int16Array;
  readonly #mask: number;
  #running = false;
  /** Timestamp of the next sample to be played, and of the sample after the newest one; 32-bit serial numbers. */
  #playAt = 0;
  #endAt = 0;
  #waiting = false;
  #uneven = false;
  #heldFrames = 0;
  #lateInARow = 0;
  #windowLeft = SHRINK_WINDOW_FRAMES;
  #baseTransit = 0;
  #peakLateness = 0;
  /** Of this window. */
  #leastLateness = Infinity;

  constructor(scale: 1 | 2 = 1) {
    this.#scale = scale;
    this.#frame = FRAME_SAMPLES * scale;
    this.#ring = new Int16Array(RING * scale).fill(MISSING);
    this.#mask = RING * scale - 1;
  }

  /** Samples that are buffered ahead of play-out. */
  get depth(): number {
    return this.#running ? (this.#endAt - this.#playAt) | 0 : 0;
  }

  /** Slack that the network of late asks for, in samples. */
  get #needed(): number {
    return Math.min(this.#peakLateness, MAX_LATENESS * this.#scale) + (this.#uneven ? MARGIN + UNEVEN_MARGIN : MARGIN) * this.#scale;
  }

  /** A new stream: other SSRC, other codec. */
  reset(): void {
    this.#running = false;
    this.#heldFrames = 0;
    this.#lateInARow = 0;
    this.#ring.fill(MISSING);
  }

  /** `samples` entries of `data` from `offset` on, whose first has RTP time `timestamp`. */
  insert(timestamp: number, data: Uint8Array | Int16Array, options: { offset: number; samples: number; nowMs: number }): void {
    const { samples } = options;
    if (samples <= 0 || samples > MAX_DEPTH * this.#scale) {
      this.discarded++;
      return;
    }
    const at = timestamp | 0;
    if (!this.#running) this.#begin(at, options.nowMs);
    else if (!this.#inReach(at, samples, options.nowMs)) return;
    this.#uneven = samples % this.#frame !== 0;
    this.#measure(at, options.nowMs);
    this.#write(at, data, options);
    const end = (at + samples) | 0;
    if (((end - this.#endAt) | 0) > 0) this.#endAt = end;
  }

  #begin(at: number, nowMs: number): void {
    this.#running = true;
    this.#waiting = true;
    this.#playAt = at;
    this.#endAt = at;
    this.#heldFrames = 0;
    this.#lateInARow = 0;
    this.#baseTransit = nowMs * SAMPLES_PER_MS * this.#scale - at;
    this.#windowLeft = SHRINK_WINDOW_FRAMES;
    this.#leastLateness = Infinity;
  }

  /** False when the packet is too late. A stream that jumped (a restarted sender keeps its SSRC at times) begins anew. */
  #inReach(at: number, samples: number, nowMs: number): boolean {
    const ahead = (at + samples - this.#playAt) | 0;
    if (ahead > RING * this.#scale - this.#frame || ahead < -RING * this.#scale) {
      this.reset();
      this.#begin(at, nowMs);
      return true;
    }
    if (ahead > 0) {
      this.#lateInARow = 0;
      return true;
    }
    this.discarded++;
    this.#measure(at, nowMs);
    if (++this.#lateInARow < LATE_BEFORE_RESET) return false;
    this.reset();
    this.#begin(at, nowMs);
    return true;
  }

  /** How much later than the fastest packet of late something of time `at` is at `nowMs`, in samples. */
  #latenessOf(at: number, nowMs: number): number {
    const lateness = nowMs * SAMPLES_PER_MS * this.#scale - at - this.#baseTransit;
    return lateness - Math.round(lateness / TIMESTAMPS) * TIMESTAMPS;
  }

  /** Remembers the peak of lateness, which decays by 1/8 per window. */
  #measure(at: number, nowMs: number): void {
    const lateness = this.#latenessOf(at, nowMs);
    if (lateness < 0 || lateness > RING * this.#scale) {
      this.#baseTransit = nowMs * SAMPLES_PER_MS * this.#scale - at;
      return;
    }
    if (lateness < this.#leastLateness) this.#leastLateness = lateness;
    if (lateness > this.#peakLateness) this.#peakLateness = lateness;
  }

  #write(at: number, data: Uint8Array | Int16Array, options: { offset: number; samples: number }): void {
    const skip = Math.max(0, (this.#playAt - at) | 0);
    const offset = options.offset + skip;
    const count = options.samples - skip;
    if (data instanceof Int16Array) writeSamples(this.#ring, at + skip, { data, offset, count });
    else writeCodes(this.#ring, at + skip, { data, offset, count });
  }

  /**
   * Moves play-out on by one 20 ms frame into `out` (160 entries, 320 at 16 kHz). `out` is untouched for `lost` and `idle`, and keeps what it
   * held where samples are missing: hand in the frame before.
   */
  pull(out: Int16Array, nowMs: number): PulledFrame {
    if (!this.#running) return 'idle';
    const slack = this.#latenessOf(this.#playAt, nowMs);
    const isTight = slack < this.#needed;
    if (this.#waiting && isTight && slack >= 0) return 'idle';
    this.#waiting = false;
    let depth = this.depth;
    // Not whole yet, or missing while its packet may still come.
    if (depth < this.#frame || (isTight && this.#ring[this.#playAt & this.#mask] === MISSING)) return this.#hold();
    if (this.#heldFrames > 0) depth = this.#skipConcealed(depth);
    if (depth < this.#frame) return this.#hold();
    this.#shrink(depth, nowMs);
    return this.#read(out);
  }

  /** Stand still. A stream that stays away is over until its next packet. */
  #hold(): PulledFrame {
    if (++this.#heldFrames > MAX_HELD_FRAMES) {
      this.reset();
      return 'idle';
    }
    return 'lost';
  }

  /** Time that was concealed while standing still is not concealed again when its packets turn out to be lost. */
  #skipConcealed(depth: number): number {
    let gap = 0;
    const most = Math.min(this.#heldFrames * this.#frame, depth);
    while (gap < most && this.#ring[(this.#playAt + gap) & this.#mask] === MISSING) gap++;
    this.#playAt = (this.#playAt + gap) | 0;
    this.#heldFrames = 0;
    return depth - gap;
  }

  /** Gives back slack that has not been needed for a whole window, and at once what is far too much. */
  #shrink(depth: number, nowMs: number): void {
    const most = MAX_DEPTH * this.#scale;
    if (depth > most) this.#drop(depth - most / 2);
    else if (depth >= 2 * this.#frame) this.#shrinkFrame(this.#latenessOf(this.#playAt, nowMs) - this.#needed);
    if (--this.#windowLeft > 0) return;
    this.#peakLateness *= 7 / 8;
    this.#windowLeft = SHRINK_WINDOW_FRAMES;
    this.#followClock();
  }

  /** The base follows the fastest packet of each window, so that a sender with a slow clock is not taken for a late one. */
  #followClock(): void {
    if (this.#leastLateness !== Infinity) this.#baseTransit += this.#leastLateness / BASE_STEPS;
    this.#leastLateness = Infinity;
  }

  #shrinkFrame(excess: number): void {
    const isDue = this.#windowLeft === 1 || (excess >= EXCESS * this.#scale && this.#windowLeft % HASTY_SHRINK_FRAMES === 0);
    if (isDue && excess >= this.#frame) this.#drop(this.#frame);
  }

  #drop(samples: number): void {
    for (let i = 0; i < samples; i++) this.#ring[(this.#playAt + i) & this.#mask] = MISSING;
    this.#playAt = (this.#playAt + samples) | 0;
  }

  #read(out: Int16Array): PulledFrame {
    const ring = this.#ring;
    const mask = this.#mask;
    const frame = this.#frame;
    const start = this.#playAt;
    this.#playAt = (start + frame) | 0;
    let missing = 0;
    for (let i = 0; i < frame; i++) {
      const index = (start + i) & mask;
      const value = ring[index] as number;
      if (value === MISSING) missing++;
      else {
        out[i] = value;
        ring[index] = MISSING;
      }
    }
    if (missing === 0) return 'voice';
    return missing === frame ? 'lost' : 'patched';
  }
}

// Two loops of one shape each: one for both would test the kind of array at every sample.
function writeCodes(ring: Int16Array, at: number, from: { data: Uint8Array; offset: number; count: number }): void {
  const { data, offset, count } = from;
  const mask = ring.length - 1;
  for (let i = 0; i < count; i++) ring[(at + i) & mask] = data[offset + i] as number;
}

function writeSamples(ring: Int16Array, at: number, from: { data: Int16Array; offset: number; count: number }): void {
  const { data, offset, count } = from;
  const mask = ring.length - 1;
  for (let i = 0; i < count; i++) ring[(at + i) & mask] = Math.max(data[offset + i] as number, MISSING + 1);
}
