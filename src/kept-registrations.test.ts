import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLog } from './base/log.ts';
import { keepRegistrations } from './kept-registrations.ts';
import type { SipServer } from './sip/contract.ts';
import { FakeClock } from './testing/fake-clock.ts';

let folder: string;
let file: string;
beforeEach(() => (file = join((folder = mkdtempSync(join(tmpdir(), 'partyline-kept-'))), 'registrations.json')));
afterEach(() => rmSync(folder, { recursive: true }));

/** A user agent with these phones; `restored` is what it was given. */
function agent(phones: unknown[]) {
  const made = { phones, restored: undefined as unknown };
  return Object.assign(made, { savedRegistrations: () => made.phones, restoreRegistrations: (saved: unknown) => void (made.restored = saved) });
}
const keep = (sip: ReturnType<typeof agent>, clock = new FakeClock()) => keepRegistrations(sip as unknown as SipServer, file, { clock, log: silentLog });

it('saves what changed every half minute and at the end, and restores it', () => {
  const clock = new FakeClock();
  const first = agent(['alice']);
  const stop = keep(first, clock);
  expect(first.restored).toBeUndefined();
  clock.advance(30_000);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(['alice']);
  expect(statSync(file).mode & 0o077).toBe(0);
  first.phones = ['alice', 'bob'];
  stop();
  expect(clock.pending).toBe(0);
  const second = agent([]);
  keep(second)();
  expect(second.restored).toEqual(['alice', 'bob']);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual([]);
});

it('starts without them when the file is broken', () => {
  writeFileSync(file, '{"half');
  const sip = agent(['alice']);
  keep(sip)();
  expect(sip.restored).toBeUndefined();
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(['alice']);
});
