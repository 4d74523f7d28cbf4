import { describe, expect, it } from 'vitest';
import { cellsOf, placeInGrid } from './grid.ts';
import { matches, chosen } from './source-pattern.ts';
import { layoutBody, parseResolution, parseVideoLayout, type Region } from './video-layout.ts';

const VGA = { width: 640, height: 480 };
const area = { x: 0, y: 0, ...VGA };
const rules = (more: Partial<Region> = {}): Pick<Region, 'maxColumns' | 'maxRows' | 'cellsExcluded' | 'reuse'> => ({ maxColumns: 0, maxRows: 0, cellsExcluded: [], reuse: 'show_oldest', ...more });
const shape = (count: number, more: Partial<Region> = {}): string => {
  const cells = cellsOf(count, { area, rules: rules(more) });
  return `${new Set(cells.map(({ x }) => x)).size}x${new Set(cells.map(({ y }) => y)).size}:${cells.length}`;
};

describe('the grid of a region', () => {
  it('is as square as may be, wider than high', () => {
    expect([1, 2, 3, 4, 5, 7, 9, 10].map((count) => shape(count))).toEqual(['1x1:1', '2x1:2', '2x2:4', '2x2:4', '3x2:6', '3x3:9', '3x3:9', '4x3:12']);
  });

  it('keeps to max_columns and max_rows', () => {
    expect(shape(5, { maxRows: 1 })).toBe('5x1:5');
    expect(shape(5, { maxColumns: 1 })).toBe('1x5:5');
    expect(shape(3, { maxColumns: 5 })).toBe('3x1:3');
    expect(shape(20, { maxColumns: 3, maxRows: 3 })).toBe('3x3:9');
    expect(shape(2, { maxColumns: 3, maxRows: 3 })).toBe('2x1:2');
    expect(shape(7, { maxColumns: 2, maxRows: 5 })).toBe('2x4:8');
    expect(shape(7, { maxColumns: 5, maxRows: 2 })).toBe('4x2:8');
  });

  it('grows around excluded cells', () => {
    const ring = cellsOf(8, { area: { x: 0, y: 0, width: 300, height: 300 }, rules: rules({ maxColumns: 3, maxRows: 3, cellsExcluded: [4] }) });
    expect(ring).toHaveLength(8);
    expect(ring.some(({ x, y }) => x === 100 && y === 100)).toBe(false);
    expect(cellsOf(1, { area, rules: rules({ cellsExcluded: [0] }) })).toEqual([{ x: 320, y: 0, width: 320, height: 480 }]);
  });

  it('has no cells that no picture fits into', () => {
    expect(cellsOf(1000, { area: { x: 0, y: 0, width: 16, height: 16 }, rules: rules() })).toEqual([]);
  });
});

const source = (name: string, startMs: number, endMs: number) => ({ name, startMs, endMs });
const seen = (sources: ReturnType<typeof source>[], more: Partial<Region> = {}): string[] =>
  placeInGrid(sources, { area, rules: rules(more) }).map(({ source: { name }, cell, fromMs, toMs }) => `${name}@${cell.x},${cell.y} ${fromMs}-${toMs}`);

describe('who is seen where and when', () => {
  it('a grid for the most that come together; who is there keeps the cell, who comes later takes a free one', () => {
    expect(seen([source('a', 0, 1000), source('b', 200, 500), source('c', 600, 900)])).toEqual(['a@0,0 0-1000', 'b@320,0 200-500', 'c@320,0 600-900']);
  });

  it('show_oldest: newcomers wait for a cell', () => {
    const more = { maxColumns: 1, maxRows: 1 };
    expect(seen([source('a', 0, 400), source('b', 100, 300), source('c', 200, 900)], more)).toEqual(['a@0,0 0-400', 'c@0,0 400-900']);
  });

  it('show_newest: newcomers take the cell of the oldest, who comes back when there is room', () => {
    const more = { maxColumns: 1, maxRows: 1, reuse: 'show_newest' as const };
    expect(seen([source('a', 0, 1000), source('b', 300, 600)], more)).toEqual(['a@0,0 0-300', 'b@0,0 300-600', 'a@0,0 600-1000']);
  });

  it('none: a cell is filled once, and there is one for each', () => {
    expect(seen([source('a', 0, 400), source('b', 500, 900)], { reuse: 'none' })).toEqual(['a@0,0 0-400', 'b@320,0 500-900']);
    expect(seen([source('a', 0, 400), source('b', 500, 900)], { reuse: 'none', maxColumns: 1, maxRows: 1 })).toEqual(['a@0,0 0-400']);
  });

  it('what has no duration is not seen', () => {
    expect(seen([source('a', 100, 100)])).toEqual([]);
  });
});

describe('names of sources', () => {
  it('asterisks stand for any characters', () => {
    expect(['', 'student', 'studentTeam', 'a student'].map((name) => matches('student*', name))).toEqual([false, true, true, false]);
    expect([matches('*', ''), matches('a*b*c', 'aXbYc'), matches('a*b*c', 'acb'), matches('a*a', 'a'), matches('*cam*', 'my-cam-2'), matches('a.c', 'abc')]).toEqual([true, true, false, false, true, false]);
    expect(matches(`${'a*'.repeat(60)}b`, 'a'.repeat(5000))).toBe(false);
  });

  it('SIDs of track, recording and participant name a source too; exclusion wins', () => {
    const tracks = [
      { name: 'cam', sids: ['RT1', 'MT1', 'PA1'] },
      { name: 'screen', sids: ['RT2', 'MT2', 'PA1'] },
      { name: 'cam-2', sids: ['RT3', 'MT3', 'PA2'] },
    ];
    const names = (included: string[], excluded: string[] = []) => chosen(tracks, { included, excluded }).map(({ name }) => name);
    expect(names(['PA1'])).toEqual(['cam', 'screen']);
    expect(names(['MT2', 'RT3'])).toEqual(['screen', 'cam-2']);
    expect(names(['*'], ['cam*'])).toEqual(['screen']);
    expect(names([])).toEqual([]);
  });
});

describe('VideoLayout', () => {
  it('is given back with everything that was left out', () => {
    const regions = parseVideoLayout('{"grid":{"video_sources":["*"]},"pip":{"z_pos":2,"x_pos":400,"y_pos":30,"width":240,"height":180,"video_sources":["MTx"],"reuse":"none","cells_excluded":[2,3]}}', VGA);
    expect(layoutBody(regions)).toEqual({
      grid: { x_pos: 0, y_pos: 0, z_pos: 0, width: 0, height: 0, max_columns: 0, max_rows: 0, cells_excluded: [], reuse: 'show_oldest', video_sources: ['*'], video_sources_excluded: [] },
      pip: { x_pos: 400, y_pos: 30, z_pos: 2, width: 240, height: 180, max_columns: 0, max_rows: 0, cells_excluded: [2, 3], reuse: 'none', video_sources: ['MTx'], video_sources_excluded: [] },
    });
    expect(parseVideoLayout(JSON.stringify(layoutBody(regions)), VGA)).toEqual(regions);
  });

  it.each([
    ['not JSON', '{grid'],
    ['an array', '[]'],
    ['no sources', '{"g":{}}'],
    ['outside the picture', '{"g":{"video_sources":["*"],"x_pos":630}}'],
    ['wider than the picture', '{"g":{"video_sources":["*"],"width":641}}'],
    ['overlaps the edge', '{"g":{"video_sources":["*"],"width":600,"x_pos":41}}'],
    ['too small', '{"g":{"video_sources":["*"],"height":15}}'],
    ['z_pos', '{"g":{"video_sources":["*"],"z_pos":100}}'],
    ['a fraction', '{"g":{"video_sources":["*"],"x_pos":1.5}}'],
    ['reuse', '{"g":{"video_sources":["*"],"reuse":"all"}}'],
    ['cells', '{"g":{"video_sources":["*"],"cells_excluded":["1"]}}'],
    ['sources that are no texts', '{"g":{"video_sources":[{"a":1}]}}'],
    ['an unknown member', '{"g":{"video_sources":["*"],"colour":"red"}}'],
  ])('refuses %s', (_what, text) => {
    expect(() => parseVideoLayout(text, VGA)).toThrow(expect.objectContaining({ code: 20001 }));
  });

  it('reads resolutions as large as Twilio allows', () => {
    expect(parseResolution('1280x720')).toEqual({ width: 1280, height: 720 });
    for (const text of ['640', '15x400', '1281x16', '1280x721', '1280X720', '', '-640x480']) expect(() => parseResolution(text), text).toThrow(expect.objectContaining({ code: 20001 }));
  });
});
