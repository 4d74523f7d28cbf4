import { SlidingMinimum } from './sliding-minimum.ts';

/** For so long the beginning of the file is still being found; it moves then, not what has been written. */
const SETTLING_MS = 10_000;
const BUCKET_MS = 10_000;
/** How much the time line gives way to the publisher's clock per ms of media: half a percent, which nobody hears. */
const SLEW = 0.005;
/** During the first seconds of a later stream, or after a step: its first packet may have been a slow one. */
const FAST_SLEW = 0.1;
/** No packet can come before it was made: this much too early and the publisher's time stamps have jumped. */
const EARLY_MS = 500;
/** This late for a second without an exception, and time stamps stood still while time went on. */
const LATE_MS = 2000;
/** As much after a pause, when a phone's time stamps often stand still. */
const LATE_AFTER_PAUSE_MS = 100;
const PAUSE_MS = 500;
const LATE_FOR_MS = 1000;
/** A sender report that is further than this from what the packets say is not believed. */
const REPORT_TOLERANCE_MS = 1000;

/** One packet's time, as its sender and as we see it. */
export interface PacketTime {
  ssrc: number;
  timestamp: number;
  /** `Clock.nowMs`. */
  arrivalMs: number;
  /** Length of the sound in it, 0 for video: what it took to be made before it could be sent. */
  durationMs: number;
}

/** A sender report: at `receivedMs` the sender's clock stood at `rtpTimestamp`, or was a network delay further. */
export interface TimeReport {
  ssrc: number;
  rtpTimestamp: number;
  receivedMs: number;
}

/**
 * Where in the file a packet's media belongs, from RTP time stamps (RFC 3550 §5.1). The line between them and our clock is found
 * from below: media is as old as the fastest packet or sender report of the last half minute says, so that sound and picture of
 * one publisher, and the files of all publishers of a server, lie on one line. Pure. Times in ms of `Clock.nowMs`.
 */
export class TrackTimeline {
  readonly #rateHz: number;
  readonly #least = new SlidingMinimum(BUCKET_MS);
  #ssrc = -1;
  #streams = 0;
  #lastTimestamp = 0;
  /** Of the last packet, since the stream's first. */
  #mediaMs = 0;
  /** Our time of the stream's first sample, as used. */
  #baseMs = 0;
  /** Up to where the base has given way. */
  #slewedMs = 0;
  /** When the base was last taken anew. */
  #anchoredMs = 0;
  #startMs = 0;
  #firstArrivalMs = -1;
  #lastArrivalMs = 0;
  #pausedAtMs = -Infinity;
  #lateSinceMs = -1;
  #leastLateMs = Infinity;
  #reportMs = -Infinity;
  #lastFileMs = 0;

  constructor(rateHz: number) {
    this.#rateHz = rateHz;
  }

  /** Our time of the file's beginning; it moves a little during the first seconds. */
  get startMs(): number {
    return this.#startMs;
  }

  /** Ms from the beginning of the file; never less than before. `report`: the latest of this stream, null before the first. */
  place(packet: PacketTime, report: TimeReport | null): number {
    if (packet.ssrc !== this.#ssrc) this.#newStream(packet, report);
    this.#mediaMs += this.#ms(packet.timestamp - this.#lastTimestamp);
    this.#lastTimestamp = packet.timestamp;
    if (report && report.ssrc === this.#ssrc && report.receivedMs !== this.#reportMs) this.#reportReceived(report);
    this.#arrived(packet);
    const fileMs = this.#baseMs + this.#mediaMs - this.#startMs;
    this.#lastFileMs = Math.max(this.#lastFileMs, fileMs);
    return this.#lastFileMs;
  }

  /** 32-bit serial numbers: the shorter way round. */
  #ms(timestampStep: number): number {
    return ((timestampStep | 0) * 1000) / this.#rateHz;
  }

  #newStream({ ssrc, timestamp, arrivalMs, durationMs }: PacketTime, report: TimeReport | null): void {
    this.#ssrc = ssrc;
    this.#lastTimestamp = timestamp;
    this.#mediaMs = 0;
    this.#slewedMs = 0;
    this.#reportMs = -Infinity;
    this.#lastArrivalMs = arrivalMs;
    this.#anchor(arrivalMs - durationMs, arrivalMs);
    // A layer has reported before it is taken.
    if (report?.ssrc === ssrc) this.#reportReceived(report);
    this.#baseMs = this.#least.value;
    if (this.#streams++ > 0) return;
    this.#firstArrivalMs = arrivalMs;
    this.#startMs = this.#baseMs;
  }

  #anchor(baseMs: number, nowMs: number): void {
    this.#baseMs = baseMs;
    this.#least.reset();
    this.#least.add(baseMs, nowMs);
    this.#anchoredMs = nowMs;
    this.#lateSinceMs = -1;
  }

  #reportReceived(report: TimeReport): void {
    this.#reportMs = report.receivedMs;
    const candidateMs = report.receivedMs - this.#mediaMs - this.#ms(report.rtpTimestamp - this.#lastTimestamp);
    if (Math.abs(candidateMs - this.#baseMs) <= REPORT_TOLERANCE_MS) this.#least.add(candidateMs, report.receivedMs);
  }

  #arrived({ arrivalMs, durationMs }: PacketTime): void {
    const candidateMs = arrivalMs - durationMs - this.#mediaMs;
    if (arrivalMs - this.#lastArrivalMs > PAUSE_MS) this.#pausedAtMs = arrivalMs;
    this.#lastArrivalMs = arrivalMs;
    if (candidateMs < this.#baseMs - EARLY_MS) this.#anchor(candidateMs, arrivalMs);
    this.#least.add(candidateMs, arrivalMs);
    this.#watchLateness(candidateMs, arrivalMs);
    if (this.#streams === 1 && arrivalMs - this.#firstArrivalMs < SETTLING_MS) this.#settle();
    else this.#slew(arrivalMs - this.#anchoredMs < SETTLING_MS ? FAST_SLEW : SLEW);
  }

  #settle(): void {
    const stepMs = this.#least.value - this.#baseMs;
    this.#baseMs += stepMs;
    this.#startMs += stepMs;
    this.#slewedMs = this.#mediaMs;
  }

  #slew(share: number): void {
    const mayMs = Math.max(0, this.#mediaMs - this.#slewedMs) * share;
    this.#slewedMs = Math.max(this.#slewedMs, this.#mediaMs);
    const stepMs = this.#least.value - this.#baseMs;
    this.#baseMs += Math.max(-mayMs, Math.min(mayMs, stepMs));
  }

  #watchLateness(candidateMs: number, arrivalMs: number): void {
    const limitMs = arrivalMs - this.#pausedAtMs <= 2 * LATE_FOR_MS ? LATE_AFTER_PAUSE_MS : LATE_MS;
    if (candidateMs - this.#baseMs < limitMs) {
      this.#lateSinceMs = -1;
      return;
    }
    if (this.#lateSinceMs < 0) {
      this.#lateSinceMs = arrivalMs;
      this.#leastLateMs = Infinity;
    }
    this.#leastLateMs = Math.min(this.#leastLateMs, candidateMs);
    if (arrivalMs - this.#lateSinceMs >= LATE_FOR_MS) this.#anchor(this.#leastLateMs, arrivalMs);
  }
}
