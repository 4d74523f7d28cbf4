import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { FfmpegComposer } from './composition/composer.ts';
import { mediaOfFile } from './media-of-file.ts';

// A process that is out of file descriptors gets a child without pipes, and then its error (node:child_process).

vi.mock('node:child_process', () => ({
  spawn: (command: string) => {
    const child = new EventEmitter();
    process.nextTick(() => child.emit('error', new Error(`spawn ${command} EMFILE`)));
    return child;
  },
}));

const folder = mkdtempSync(join(tmpdir(), 'partyline-descriptors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('a composition fails when no child can be started, and nothing else does', async () => {
  const composer = new FfmpegComposer('ffmpeg', { clock: new FakeClock() });
  const plan = { format: 'mp4', durationMs: 1000, picture: null, videos: [], audios: [{ path: '/a.mka', atMs: 0 }] } as const;
  const composed = composer.compose({ ...plan, videos: [], audios: [...plan.audios] }, { outputPath: join(folder, 'a.mp4'), signal: new AbortController().signal, onProgress: () => undefined });
  await expect(composed).rejects.toMatchObject({ name: 'ComposeError', message: 'ffmpeg cannot be run (spawn ffmpeg EMFILE)' });
  expect(await composer.problem()).toMatch(/EMFILE/);
});

it('a recording that a crash left is taken to end at its last write when ffprobe cannot be started', async () => {
  const path = join(folder, 'left.mka');
  writeFileSync(path, 'media');
  const { bytes, durationMs } = await mediaOfFile(path, { offsetMs: Date.now() - 5000 });
  expect(bytes).toBe(5);
  expect(durationMs).toBeGreaterThanOrEqual(4900);
});
