import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { tonePower } from '../../testing/tone.ts';
import { ComposeError, FfmpegComposer, ProgressReader } from './composer.ts';
import { filterGraph } from './ffmpeg-arguments.ts';
import type { CompositionSource, CompositionSpec } from './model.ts';
import { planComposition, type CompositionPlan } from './plan.ts';
import { parseVideoLayout } from './video-layout.ts';

vi.setConfig({ testTimeout: 60_000 });
const folder = mkdtempSync(join(tmpdir(), 'partyline-compose-'));
const at = (name: string): string => join(folder, name);
const ffmpeg = (...args: string[]): Buffer => execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...args], { maxBuffer: 64 << 20 });
const composer = new FfmpegComposer('ffmpeg', { clock: systemClock });
const T0 = Date.UTC(2026, 0, 1, 12);

beforeAll(() => {
  const vp8 = ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '200k'];
  const made = (filter: string, ...output: string[]): [input: string[], output: string[]] => [['-f', 'lavfi', '-i', filter], output];
  const files = [
    made('color=red:s=320x240:r=10:d=1', ...vp8, at('wide.ivf')),
    made('color=lime:s=180x320:r=10:d=1', ...vp8, at('high.ivf')),
    made('color=blue:s=320x240:r=10:d=2', ...vp8, at('blue.mkv')),
    // Sines of -15 dBov; the second is missing from 0.5 s to 1 s of its file.
    made('sine=440:d=2:r=8000,volume=1.42', '-c:a', 'pcm_mulaw', '-ac', '1', at('phone.mka')),
    made("sine=620:d=2:r=48000,volume=1.42,aselect='not(between(t,0.5,0.999))'", '-c:a', 'libopus', at('browser.mka')),
  ];
  ffmpeg(...files.flatMap(([input]) => input), ...files.flatMap(([, output], index) => ['-map', String(index), ...output]));
  writeFileSync(at('list'), 'file wide.ivf\nfile high.ivf\n');
  // The size of the picture changes after one second, as a browser's does when its phone is turned.
  ffmpeg('-f', 'concat', '-i', at('list'), '-c', 'copy', at('turned.mkv'));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const source = (name: string, kind: 'audio' | 'video', startMs: number, endMs: number): CompositionSource => ({ name, sids: [], kind, path: at(name), startMs: T0 + startMs, endMs: T0 + endMs });
const spec = (more: Partial<CompositionSpec>): CompositionSpec => ({ audioSources: ['*'], audioSourcesExcluded: [], regions: [], resolution: { width: 320, height: 240 }, format: 'mp4', trim: true, statusCallback: null, statusCallbackMethod: 'POST', ...more });
const grid = parseVideoLayout('{"grid":{"video_sources":["*"]}}', { width: 320, height: 240 });
const planned = (sources: CompositionSource[], more: Partial<CompositionSpec>, span = { startMs: T0 - 1000, endMs: T0 + 5000 }): CompositionPlan => {
  const plan = planComposition(spec(more), sources, span);
  if (!plan) throw new Error('nothing to compose');
  return plan;
};
const compose = async (plan: CompositionPlan, name: string) => await composer.compose(plan, { outputPath: at(name), signal: AbortSignal.timeout(50_000), onProgress: () => undefined });
const probe = (name: string): { codecs: string[]; size: string; seconds: number } => {
  const { streams, format } = JSON.parse(execFileSync('ffprobe', ['-v', 'error', '-of', 'json', '-show_streams', '-show_format', at(name)]).toString()) as { streams: { codec_name: string; width?: number; height?: number }[]; format: { duration: string } };
  const video = streams.find(({ width }) => width !== undefined);
  return { codecs: streams.map(({ codec_name }) => codec_name).sort(), size: `${video?.width}x${video?.height}`, seconds: Number(format.duration) };
};
/** Colours of single points at moments; `X` for a channel that is full, `.` for one that is empty. */
const colours = (name: string, points: [atMs: number, x: number, y: number][]): string[] => {
  const frames = ffmpeg('-i', at(name), '-vf', 'fps=10,format=rgb24', '-f', 'rawvideo', '-');
  return points.map(([atMs, x, y]) => {
    const offset = (Math.round(atMs / 100) * 320 * 240 + y * 320 + x) * 3;
    return [...frames.subarray(offset, offset + 3)].map((value) => (value > 200 ? 'X' : value < 50 ? '.' : '?')).join('');
  });
};
const sound = (name: string): Int16Array => {
  const bytes = ffmpeg('-i', at(name), '-ac', '1', '-ar', '8000', '-f', 's16le', '-');
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~1)));
};
const levelDb = (samples: Int16Array, hz: number, fromMs: number, toMs: number): number => 10 * Math.log10(tonePower(samples.subarray(fromMs * 8, toMs * 8), hz) + 1e-12);

describe('a composition', () => {
  it('shows each video in its cell while it lasts, whatever its size, and adds up the sounds at their level', async () => {
    const plan = planned([source('turned.mkv', 'video', 0, 2000), source('blue.mkv', 'video', 1000, 2500), source('phone.mka', 'audio', 500, 2500), source('browser.mka', 'audio', 0, 2000)], { regions: grid });
    const { durationMs, bytes } = await compose(plan, 'a.mp4');
    expect(probe('a.mp4')).toMatchObject({ codecs: ['aac', 'h264'], size: '320x240' });
    expect(durationMs).toBeGreaterThan(2400);
    expect(durationMs).toBeLessThan(2600);
    expect(bytes).toBeGreaterThan(1000);
    const left = colours('a.mp4', [[400, 80, 120], [1400, 80, 120], [2300, 80, 120]]);
    const right = colours('a.mp4', [[400, 240, 120], [1400, 240, 120], [2300, 240, 120]]);
    expect([left, right]).toEqual([['X..', '.X.', '...'], ['...', '..X', '..X']]);
    // A wide picture leaves the upper edge of its cell black, a high one reaches it.
    expect(colours('a.mp4', [[400, 80, 10], [1400, 80, 10]])).toEqual(['...', '.X.']);
    const heard = sound('a.mp4');
    const browserAlone = levelDb(heard, 620, 100, 400);
    expect(levelDb(heard, 440, 100, 400)).toBeLessThan(-50);
    expect(levelDb(heard, 620, 600, 900)).toBeLessThan(-40);
    expect(Math.abs(levelDb(heard, 620, 1200, 1900) - browserAlone)).toBeLessThan(1);
    const alone = levelDb(sound('phone.mka'), 440, 200, 1000);
    for (const [from, to] of [[600, 900], [1200, 1900], [2100, 2400]] as const) expect(Math.abs(levelDb(heard, 440, from, to) - alone)).toBeLessThan(1);
  });

  it('as webm: VP8 and Opus; a region over another; what was displaced is cut', async () => {
    const regions = parseVideoLayout('{"pip":{"z_pos":2,"x_pos":240,"y_pos":0,"width":80,"height":60,"video_sources":["blue*"]},"main":{"z_pos":1,"video_sources":["turned*"]}}', { width: 320, height: 240 });
    await compose(planned([source('turned.mkv', 'video', 0, 900), source('blue.mkv', 'video', 0, 900), source('phone.mka', 'audio', 0, 900)], { regions, format: 'webm' }), 'b.webm');
    expect(probe('b.webm')).toMatchObject({ codecs: ['opus', 'vp8'], size: '320x240' });
    expect(colours('b.webm', [[500, 280, 30], [500, 50, 180]])).toEqual(['..X', 'X..']);
  });

  it('of sounds only; gaps without any media are left out, or kept with trim=false', async () => {
    const sources = [source('phone.mka', 'audio', 0, 500), source('browser.mka', 'audio', 3000, 3400)];
    const trimmed = planned(sources, { format: 'webm' });
    expect([trimmed.durationMs, planned(sources, { trim: false }).durationMs]).toEqual([900, 6000]);
    expect(trimmed.audios.map(({ atMs }) => atMs)).toEqual([0, 500]);
    expect(planned(sources, { trim: false }).audios.map(({ atMs }) => atMs)).toEqual([1000, 4000]);
    await compose(trimmed, 'c.webm');
    expect(probe('c.webm').codecs).toEqual(['opus']);
    await compose(planned(sources, { trim: false }), 'd.mp4');
    const heard = sound('d.mp4');
    expect([levelDb(heard, 440, 300, 900) < -50, levelDb(heard, 440, 1100, 1400) > -25, levelDb(heard, 620, 4100, 4300) > -25]).toEqual([true, true, true]);
  });

  it('that fails leaves no file and says why', async () => {
    writeFileSync(at('broken.mkv'), 'this is no video');
    const failed = compose(planned([source('broken.mkv', 'video', 0, 1000)], { regions: grid }), 'broken.mp4');
    await expect(failed).rejects.toThrow(ComposeError);
    await expect(failed).rejects.toThrow(/code 1: .*Invalid data/s);
    expect(readdirSync(folder).filter((name) => name.startsWith('broken.mp4'))).toEqual([]);
    const missing = new FfmpegComposer('no-such-program', { clock: systemClock });
    expect(await missing.problem()).toMatch(/apt-get install ffmpeg/);
    expect(await composer.problem()).toBeNull();
  });

  it('ends when it is told to', async () => {
    const plan = planned([source('blue.mkv', 'video', 0, 2000)], { regions: grid, trim: false }, { startMs: T0, endMs: T0 + 3_600_000 });
    const leaving = new AbortController();
    const composed = composer.compose(plan, { outputPath: at('e.mp4'), signal: leaving.signal, onProgress: () => leaving.abort(new ComposeError('deleted')) });
    await expect(composed).rejects.toThrow('deleted');
    expect(readdirSync(folder).filter((name) => name.startsWith('e.mp4'))).toEqual([]);
  });
});

it('a plan of nothing is none', () => {
  expect(planComposition(spec({ audioSources: ['other'] }), [source('phone.mka', 'audio', 0, 900)], { startMs: T0, endMs: T0 })).toBeNull();
  expect(planComposition(spec({}), [source('phone.mka', 'audio', 0, 0)], { startMs: T0, endMs: T0 })).toBeNull();
});

it('times in the filter graph are plain decimals', () => {
  const plan = planned([source('blue.mkv', 'video', 0, 0.0004), source('phone.mka', 'audio', 0.2, 7_200_000)], { regions: grid });
  expect(filterGraph(plan)).not.toMatch(/\de[-+]?\d/);
});

it('progress is read from pieces of lines', () => {
  const reader = new ProgressReader();
  expect([reader.read('frame=1\nout_time_us=12'), reader.read('00000\nout_time_us=N/A\n'), reader.read('progress=continue\n')]).toEqual([false, true, false]);
  expect(reader.doneMs).toBe(1200);
});
