import { expect, it } from 'vitest';
import { watchMedia, type WorkerSteps } from './media-lateness.ts';
import { Overload } from './overload.ts';
import { FakeClock } from './testing/fake-clock.ts';

it('calls are refused while the steps of a media worker are late, and when it does not answer, and taken again when they are in time', async () => {
  const clock = new FakeClock();
  const overload = new Overload(null);
  const told: boolean[] = [];
  const workers: WorkerSteps[] = [{ pid: 1, steps: 0, lateMs: 0 }, { pid: 2, steps: 0, lateMs: 0 }];
  let hangs = false;
  const watch = watchMedia(overload, { clock, workers: () => (hangs ? new Promise(() => undefined) : Promise.resolve(workers.map((worker) => ({ ...worker })))), changed: (late) => void told.push(late) });
  /** Seconds in which the second worker is late by so much on average; the first never is. */
  const pass = async (...latenessMs: number[]): Promise<void> => {
    for (const mean of latenessMs) {
      for (const [n, worker] of workers.entries()) Object.assign(worker, { steps: worker.steps + 200, lateMs: worker.lateMs + 200 * (n === 1 ? mean : 1) });
      await clock.advanceAsync(1_000);
      await clock.advanceAsync(0, 1);
    }
  };
  await pass(2, 80, 80, 2, 80, 80);
  expect(overload.refusal(3)).toBeNull();
  await pass(80);
  expect(overload.refusal(3)).toBe('media-late');
  await pass(2, 2, 30, 2, 2);
  expect(overload.refusal(3)).toBe('media-late');
  await pass(2);
  expect([overload.refusal(3), overload.late]).toEqual([null, false]);
  hangs = true;
  await pass(2, 2, 2, 2);
  expect(overload.refusal(3)).toBe('media-late');
  expect(told).toEqual([true, false, true]);
  expect(overload.refused).toEqual({ 'max-calls': 0, late: 0, 'media-late': 3 });
  watch.stop();
  expect(clock.pending).toBe(0);
});
