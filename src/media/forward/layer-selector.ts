import type { ReceiveStream } from './receive-stream.ts';

/** A higher layer must have come this long before it is taken: publishers probe. */
const STEADY_MS = 1000;

/**
 * Which of a video's layers somebody gets: the highest up to `limit` that arrives steadily; changed on a key frame of the new
 * one only. Where none up to the limit arrives, the lowest that does. Pure.
 */
export class LayerSelector {
  current: ReceiveStream | null = null;
  /** Index of the highest layer that is wanted, 0 the lowest. */
  limit = Infinity;
  /** The one that would be, had its subscriber all the bandwidth it can use. */
  desired = Infinity;
  #streams: readonly ReceiveStream[] = [];

  /** The streams of the track, lowest first. A current one that is not among them is left. */
  reset(streams: readonly ReceiveStream[]): void {
    this.#streams = streams;
    if (this.current && !streams.includes(this.current)) this.current = null;
  }

  /** -1 while there is none. */
  get currentIndex(): number {
    return this.current === null ? -1 : this.#streams.indexOf(this.current);
  }

  /** True when the packet is to be forwarded. */
  accept(stream: ReceiveStream, beginsKeyFrame: boolean, nowMs: number): boolean {
    if (stream === this.current) return true;
    if (this.#streams.length === 1) this.current = stream;
    else if (beginsKeyFrame && this.#mayTake(stream, nowMs)) this.current = stream;
    return stream === this.current;
  }

  /** The first picture may be any that is not too large: better than none. */
  #mayTake(stream: ReceiveStream, nowMs: number): boolean {
    if (this.current === null && this.#streams.indexOf(stream) <= this.limit) return true;
    return stream === this.candidate(nowMs);
  }

  /** The layer that should be forwarded, null when none has come within 1 s. */
  candidate(nowMs: number): ReceiveStream | null {
    const { current } = this;
    const alive = current !== null && current.isAlive(nowMs);
    const top = Math.min(this.limit, this.#streams.length - 1);
    for (let i = top; i >= 0; i--) {
      const stream = this.#streams[i] as ReceiveStream;
      if (!stream.isAlive(nowMs)) continue;
      // Down, and away from a layer that has ceased, at once.
      if (stream === current || !alive || this.#streams.indexOf(current) > top || nowMs - stream.steadySinceMs >= STEADY_MS) return stream;
    }
    return alive ? current : this.#lowestAlive(nowMs);
  }

  #lowestAlive(nowMs: number): ReceiveStream | null {
    for (const stream of this.#streams) if (stream.isAlive(nowMs)) return stream;
    return null;
  }

  /** The layer whose key frame is waited for, null when there is nothing to change. */
  awaited(nowMs: number): ReceiveStream | null {
    if (this.#streams.length < 2) return null;
    const wanted = this.candidate(nowMs);
    return wanted === this.current ? null : wanted;
  }
}
