import { expect, it } from 'vitest';
import { orAborted } from './abort.ts';

it('gives what the work gives, null when the signal aborts first, and hears a failure that nobody waits for', async () => {
  const controller = new AbortController();
  expect(await orAborted(Promise.resolve(7), controller.signal)).toBe(7);
  await expect(orAborted(Promise.reject(new RangeError('no')), controller.signal)).rejects.toThrow(RangeError);
  const waiting = orAborted(new Promise<number>(() => undefined), controller.signal);
  controller.abort();
  expect(await waiting).toBeNull();
  expect(await orAborted(Promise.reject(new RangeError('late')), controller.signal)).toBeNull();
});
