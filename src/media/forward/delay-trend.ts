/** Packets sent within this time count as one group. */
const GROUP_MS = 5;
const WINDOW = 20;
const SMOOTHING = 0.9;
const GAIN = 4;
const MAX_WEIGHT = 60;
const FIRST_THRESHOLD = 12.5;
const MIN_THRESHOLD = 6;
const MAX_THRESHOLD = 600;
/** How fast the threshold follows, per ms: slowly up, faster down. */
const RISE = 0.0087;
const FALL = 0.039;
/** Farther above than this, a sample is a spike that the threshold does not follow. */
const SPIKE = 15;
const OVERUSE_MS = 10;
/** A pause or jump of the receiver's clock begins anew. */
const RESTART_MS = 3000;

export type PathUse = 'normal' | 'overuse' | 'underuse';

/**
 * Whether a queue grows on the path: the slope of the one-way delay's changes over the last 20 groups of packets, against a
 * threshold that adapts (draft-ietf-rmcat-gcc-02 §5). Pure; allocates nothing per packet.
 */
export class DelayTrend {
  use: PathUse = 'normal';
  // The group being gathered and the one before.
  #firstSentMs = -1;
  #lastSentMs = 0;
  #lastArrivalMs = 0;
  #previousSentMs = 0;
  #previousArrivalMs = -1;
  #previousUpdateMs = 0;
  #count = 0;
  #accumulated = 0;
  #smoothed = 0;
  #times = new Float64Array(WINDOW);
  #delays = new Float64Array(WINDOW);
  #originMs = 0;
  #trend = 0;
  #threshold = FIRST_THRESHOLD;
  #overMs = 0;
  #overCount = 0;

  /** One packet that arrived, in the order of sending. The two clocks need not agree. */
  packet(sentMs: number, arrivalMs: number): void {
    if (this.#firstSentMs < 0) return this.#beginGroup(sentMs, arrivalMs);
    if (sentMs < this.#firstSentMs) return;
    if (sentMs - this.#firstSentMs <= GROUP_MS) {
      this.#lastSentMs = sentMs;
      this.#lastArrivalMs = Math.max(this.#lastArrivalMs, arrivalMs);
      return;
    }
    this.#endGroup();
    this.#beginGroup(sentMs, arrivalMs);
  }

  #beginGroup(sentMs: number, arrivalMs: number): void {
    this.#firstSentMs = sentMs;
    this.#lastSentMs = sentMs;
    this.#lastArrivalMs = arrivalMs;
  }

  #endGroup(): void {
    if (this.#previousArrivalMs >= 0) {
      const sentDelta = this.#lastSentMs - this.#previousSentMs;
      const arrivalDelta = this.#lastArrivalMs - this.#previousArrivalMs;
      if (Math.abs(arrivalDelta - sentDelta) > RESTART_MS) this.#restart();
      else this.#update(arrivalDelta - sentDelta);
    }
    this.#previousSentMs = this.#lastSentMs;
    this.#previousArrivalMs = this.#lastArrivalMs;
  }

  #restart(): void {
    this.#count = 0;
    this.#accumulated = 0;
    this.#smoothed = 0;
    this.#overMs = 0;
    this.#overCount = 0;
    this.use = 'normal';
  }

  #update(delta: number): void {
    const atMs = this.#lastArrivalMs;
    if (this.#count === 0) this.#originMs = atMs;
    this.#accumulated += delta;
    this.#smoothed = SMOOTHING * this.#smoothed + (1 - SMOOTHING) * this.#accumulated;
    this.#times[this.#count % WINDOW] = atMs - this.#originMs;
    this.#delays[this.#count % WINDOW] = this.#smoothed;
    this.#count++;
    const trend = this.#count >= WINDOW ? this.#slope() : 0;
    this.#judge(trend, Math.max(0, Math.min(100, atMs - this.#previousUpdateMs)));
    this.#previousUpdateMs = atMs;
  }

  /** Least squares: ms of delay per ms of time. */
  #slope(): number {
    let meanTime = 0;
    let meanDelay = 0;
    for (let i = 0; i < WINDOW; i++) {
      meanTime += (this.#times[i] as number) / WINDOW;
      meanDelay += (this.#delays[i] as number) / WINDOW;
    }
    let covariance = 0;
    let variance = 0;
    for (let i = 0; i < WINDOW; i++) {
      const time = (this.#times[i] as number) - meanTime;
      covariance += time * ((this.#delays[i] as number) - meanDelay);
      variance += time * time;
    }
    return variance === 0 ? this.#trend : covariance / variance;
  }

  #judge(trend: number, sinceMs: number): void {
    const weighted = Math.min(this.#count, MAX_WEIGHT) * trend * GAIN;
    if (weighted > this.#threshold) {
      this.#overMs += this.#overCount === 0 ? sinceMs / 2 : sinceMs;
      this.#overCount++;
      if (this.#overMs > OVERUSE_MS && this.#overCount > 1 && trend >= this.#trend) this.use = 'overuse';
    } else {
      this.#overMs = 0;
      this.#overCount = 0;
      this.use = weighted < -this.#threshold ? 'underuse' : 'normal';
    }
    this.#trend = trend;
    this.#adapt(Math.abs(weighted), sinceMs);
  }

  #adapt(weighted: number, sinceMs: number): void {
    if (weighted > this.#threshold + SPIKE) return;
    const speed = weighted < this.#threshold ? FALL : RISE;
    const next = this.#threshold + speed * (weighted - this.#threshold) * sinceMs;
    this.#threshold = Math.max(MIN_THRESHOLD, Math.min(MAX_THRESHOLD, next));
  }
}
