import type { Clock, Timer } from './base/clock.ts';
import type { Overload } from './overload.ts';

const SAMPLE_MS = 1_000;

/** What a media worker tells of its 20 ms steps, since its start. */
export interface WorkerSteps {
  pid: number;
  steps: number;
  /** By how much they came too late, summed. */
  lateMs: number;
}

export interface MediaWatchDeps {
  clock: Clock;
  workers: () => Promise<readonly WorkerSteps[]>;
  changed: (late: boolean, delayMs: number) => void;
}

/** Feeds `overload` each second with the lateness of the latest media worker; one that does not answer is late by that time. */
export function watchMedia(overload: Overload, { clock, workers, changed }: MediaWatchDeps): { stop: () => void } {
  let before = new Map<number, WorkerSteps>();
  let askedAtMs: number | null = null;
  let timer: Timer;
  const sampled = (delayMs: number): void => {
    const was = overload.mediaLate;
    overload.mediaSampled(delayMs);
    if (overload.mediaLate !== was) changed(overload.mediaLate, delayMs);
  };
  const heard = (now: readonly WorkerSteps[]): void => {
    askedAtMs = null;
    sampled(Math.max(0, ...now.map((worker) => meanLateness(worker, before.get(worker.pid)))));
    before = new Map(now.map((worker) => [worker.pid, worker]));
  };
  const sample = (): void => {
    timer = clock.after(SAMPLE_MS, sample);
    if (askedAtMs !== null) return sampled(clock.nowMs() - askedAtMs);
    askedAtMs = clock.nowMs();
    // A worker that dies meanwhile is told of by its owner.
    workers().then(heard, () => (askedAtMs = null));
  };
  timer = clock.after(SAMPLE_MS, sample);
  return { stop: () => timer.cancel() };
}

function meanLateness({ steps, lateMs }: WorkerSteps, before: WorkerSteps = { pid: 0, steps: 0, lateMs: 0 }): number {
  return steps > before.steps ? (lateMs - before.lateMs) / (steps - before.steps) : 0;
}
