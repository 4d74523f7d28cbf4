import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLog } from '../base/log.ts';
import { CacheFolder } from './cache-folder.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'partyline-cache-'));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (maxBytes: number): CacheFolder => new CacheFolder({ dir, maxBytes }, silentLog);
const write = (name: string, bytes: number): void => writeFileSync(join(dir, name), Buffer.alloc(bytes));
const files = (): string[] => readdirSync(dir).sort();

async function add(folder: CacheFolder, entry: string, bytes: number): Promise<void> {
  write(`${entry}.audio`, bytes);
  write(`${entry}.json`, 1);
  await folder.used(entry, bytes);
}

it('deletes what was not used for longest, all files of it', async () => {
  const folder = open(250);
  await add(folder, 'a', 100);
  await add(folder, 'b', 100);
  await folder.used('a');
  await add(folder, 'c', 100);
  expect(files()).toEqual(['a.audio', 'a.json', 'c.audio', 'c.json']);
  expect(folder.bytes).toBe(200);
});

it('keeps the newest however large it is, and counts what is written anew once', async () => {
  const folder = open(250);
  await add(folder, 'a', 100);
  await add(folder, 'a', 120);
  expect(folder.bytes).toBe(120);
  await add(folder, 'b', 400);
  expect(files()).toEqual(['b.audio', 'b.json']);
});

it('counts what an earlier run left, oldest first, and clears away its halves', async () => {
  for (const [entry, age] of [['new', 10], ['old', 100]] as const) {
    write(`${entry}.audio`, 100);
    utimesSync(join(dir, `${entry}.audio`), Date.now() / 1000 - age, Date.now() / 1000 - age);
  }
  write('x.1.2.part', 50);
  const folder = open(250);
  await add(folder, 'c', 100);
  expect(files()).toEqual(['c.audio', 'c.json', 'new.audio']);
});

it('knows nothing of what was never there', async () => {
  const folder = new CacheFolder({ dir: join(dir, 'not-there'), maxBytes: 1 }, silentLog);
  await folder.used('a');
  expect(folder.bytes).toBe(0);
});
