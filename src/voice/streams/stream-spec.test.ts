import { expect, it } from 'vitest';
import { streamUrl } from './stream-spec.ts';

it('a URL that is far too long is refused in no time', () => {
  const startedMs = performance.now();
  expect(streamUrl('https://app.test/', `wss://app.test/${'#'.repeat(60_000)}\nx`)).toBeNull();
  expect(performance.now() - startedMs).toBeLessThan(100);
});
