import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeClock } from '../../testing/fake-clock.ts';
import { PromptStore } from './prompt-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'partyline-store-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let store: PromptStore;
beforeEach(() => {
  store = new PromptStore({ maxBytes: 5000 });
});
afterEach(() => store.close());

/** µ-law codes: 0xff is silence, 0x80 the loudest. */
function file(name: string, code: number, length = 1000): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.alloc(length, code));
  return path;
}

describe('the store of prompts', () => {
  it('decodes a file once while it stays as it is', async () => {
    const path = file('a', 0x80);
    const [first, same] = await Promise.all([store.load(path, 'audio/basic'), store.load(path, 'audio/basic')]);
    expect(first[0]).toBe(32_124);
    expect(same).toBe(first);
    expect(await store.load(path, 'audio/basic')).toBe(first);
  });

  it('sees that a file has changed', async () => {
    const path = file('b', 0x80);
    await store.load(path, 'audio/basic');
    file('b', 0xff);
    utimesSync(path, 1_000_000, 1_000_000);
    expect((await store.load(path, 'audio/basic'))[0]).toBe(0);
  });

  it('forgets the longest unused when its memory is full', async () => {
    const [a, b, c] = [file('c', 1), file('d', 2), file('e', 3)];
    const first = await store.load(a, 'audio/basic');
    const second = await store.load(b, 'audio/basic');
    expect(await store.load(a, 'audio/basic')).toBe(first);
    await store.load(c, 'audio/basic'); // 6,000 bytes: one has to go
    expect(await store.load(a, 'audio/basic')).toBe(first);
    expect(await store.load(b, 'audio/basic')).not.toBe(second);
  });

  it('plays what is too big to be kept', async () => {
    expect((await store.load(file('f', 0xff, 4000), 'audio/basic')).length).toBe(4000);
  });

  it('tells what is wrong, and goes on after it', async () => {
    await expect(store.load(join(folder, 'none'), 'audio/wav')).rejects.toMatchObject({ name: 'MediaError', reason: 'prompt-unreadable' });
    await expect(store.load(folder, 'audio/wav')).rejects.toMatchObject({ reason: 'prompt-unreadable' });
    await expect(store.load(file('g', 0), 'audio/ogg')).rejects.toMatchObject({ reason: 'prompt-type' });
    await expect(store.load(file('h', 0), 'audio/wav')).rejects.toMatchObject({ reason: 'prompt-unreadable' });
    expect((await store.load(file('i', 0xff), 'audio/basic')).length).toBe(1000);
  });

  it('gives up on a file that its decoder does not come to the end of; the others are not lost with it', async () => {
    const clock = new FakeClock();
    const thread = `import { parentPort } from 'node:worker_threads';
      parentPort.on('message', ({ id, path }) => { if (path.endsWith('hangs')) for (;;); parentPort.postMessage({ id, pcm: new Int16Array(7) }); });`;
    const patient = new PromptStore({ clock, threadUrl: new URL(`data:text/javascript,${encodeURIComponent(thread)}`) });
    const hanging = patient.load(file('hangs', 0), 'audio/basic');
    const failure = expect(hanging).rejects.toMatchObject({ reason: 'prompt-unreadable' });
    await vi.waitFor(() => expect(clock.pending).toBe(1));
    const other = patient.load(file('k', 0), 'audio/basic');
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(60_000);
    await failure;
    expect(await other).toHaveLength(7);
    expect(clock.pending).toBe(0);
    patient.close();
  });

  it('rejects what is being read when it is closed', async () => {
    const loading = store.load(file('j', 0xff), 'audio/basic');
    loading.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 5));
    store.close();
    await loading.then(
      (pcm) => expect(pcm.length).toBe(1000), // it was faster
      (error) => expect(error).toMatchObject({ reason: 'prompt-unreadable' }),
    );
  });
});
