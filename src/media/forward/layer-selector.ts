import type { ReceiveStream } from './receive-stream.ts';

const SILENT_MS = 1000;
/** A higher layer must have come this long before it is taken: publishers probe. */
const STEADY_MS = 1000;

/**
 * Which of a video's layers is forwarded: the highest that arrives steadily; changed on a key frame of the new one only, and
 * downwards only when the current one has been silent for 1 s. Pure.
 */
export class LayerSelector {
  current: ReceiveStream | null = null;
  #streams: readonly ReceiveStream[] = [];

  /** The streams of the track, lowest first. A current one that is not among them is left. */
  reset(streams: readonly ReceiveStream[]): void {
    this.#streams = streams;
    if (this.current && !streams.includes(this.current)) this.current = null;
  }

  /** True when the packet is to be forwarded. */
  accept(stream: ReceiveStream, beginsKeyFrame: boolean, nowMs: number): boolean {
    if (stream === this.current) return true;
    if (this.#streams.length === 1) this.current = stream;
    else if (beginsKeyFrame && (!this.current || stream === this.candidate(nowMs))) this.current = stream;
    return stream === this.current;
  }

  /** The layer that should be forwarded, null when none has come within 1 s. */
  candidate(nowMs: number): ReceiveStream | null {
    const { current } = this;
    const alive = current !== null && nowMs - current.lastArrivalMs <= SILENT_MS;
    for (let i = this.#streams.length - 1; i >= 0; i--) {
      const stream = this.#streams[i] as ReceiveStream;
      if (stream === current && alive) return stream;
      if (nowMs - stream.lastArrivalMs > SILENT_MS) continue;
      if (!alive || nowMs - stream.steadySinceMs >= STEADY_MS) return stream;
    }
    return alive ? current : null;
  }

  /** Asks for the key frame a change waits for. */
  tick(nowMs: number): void {
    if (this.#streams.length < 2) return;
    const wanted = this.candidate(nowMs);
    if (wanted && wanted !== this.current && !wanted.keyFrames.pending) wanted.keyFrames.request();
  }
}
