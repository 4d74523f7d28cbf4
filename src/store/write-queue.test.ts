import { DrizzleQueryError } from 'drizzle-orm';
import { expect, it } from 'vitest';
import type { Log } from '../base/log.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import type { Database } from './database.ts';
import { WriteQueue } from './write-queue.ts';

it('says in the log what the database said, and nothing of what was to be written', async () => {
  const lines: string[] = [];
  const keep = (fields: Record<string, unknown>, message: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log: Log = { debug: keep, info: keep, warn: keep, error: keep, child: () => log };
  const clock = new FakeClock();
  const refused = (): Promise<never> => Promise.reject(new DrizzleQueryError('insert into directory', ['AC1', '{"authToken":"very secret"}'], new TypeError('the connection was lost')));
  const queue = new WriteQueue({ transaction: refused } as unknown as Database, { log, clock });
  queue.push('AC1', refused);
  let settled = false;
  void queue.settled().then(() => (settled = true));
  while (!settled) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1000);
  }
  expect(lines).toHaveLength(5);
  for (const line of lines) {
    expect(line).toContain('the connection was lost');
    expect(line).not.toContain('secret');
  }
});
