import { TwilioError } from '../../base/errors.ts';

/** How the cells of a region are filled again (contract §7.8): never, once the source in them has ended, or by any newer source. */
export type Reuse = 'none' | 'show_oldest' | 'show_newest';

/** One rectangle of a composition's picture, divided into a grid of cells. Numbers are pixels; 0: not given. */
export interface Region {
  name: string;
  xPos: number;
  yPos: number;
  /** -99 to 99; higher ones lie on top, equal ones in the order of the layout. */
  zPos: number;
  /** 0: up to the right edge of the picture. */
  width: number;
  /** 0: down to the lower edge of the picture. */
  height: number;
  /** 0: as many as are needed. */
  maxColumns: number;
  /** 0: as many as are needed. */
  maxRows: number;
  /** Cells that stay empty, counted from 0, left to right and top to bottom. */
  cellsExcluded: number[];
  reuse: Reuse;
  videoSources: string[];
  videoSourcesExcluded: string[];
}

export interface Size {
  width: number;
  height: number;
}

export interface Rectangle extends Size {
  x: number;
  y: number;
}

const MIN_SIDE = 16;
const MAX_SIDE = 1280;
const MAX_PIXELS = 921_600;
const MAX_LAYOUT_CHARS = 100_000;
const MAX_REGIONS = 100;
const MAX_SOURCES = 1000;
const MAX_SOURCE_CHARS = 256;
const MAX_GRID = 1000;
const MAX_CELL = 999_999;
const REUSES: readonly Reuse[] = ['none', 'show_oldest', 'show_newest'];
const MEMBERS = ['x_pos', 'y_pos', 'z_pos', 'width', 'height', 'max_columns', 'max_rows', 'cells_excluded', 'reuse', 'video_sources', 'video_sources_excluded'];

/** `640x480`. Throws 20001 for anything that is none, or larger than Twilio allows. */
export function parseResolution(text: string): Size {
  const [, width = '', height = ''] = /^(\d{1,5})x(\d{1,5})$/.exec(text) ?? [];
  const size = { width: Number(width), height: Number(height) };
  const fits = [size.width, size.height].every((side) => side >= MIN_SIDE && side <= MAX_SIDE) && size.width * size.height <= MAX_PIXELS;
  if (!fits) throw refusal(`Resolution must be {width}x{height}, each from ${MIN_SIDE} to ${MAX_SIDE} and at most ${MAX_PIXELS} pixels together`);
  return size;
}

/** Reads `VideoLayout`, a JSON object of regions by name. Throws 20001 with the member that is not valid. */
export function parseVideoLayout(text: string, picture: Size): Region[] {
  const layout = objectOf(text);
  const names = Object.keys(layout);
  if (names.length > MAX_REGIONS) throw refusal(`VideoLayout has more than ${MAX_REGIONS} regions`);
  return names.map((name) => regionOf(name, layout[name], picture));
}

/** The layout as REST shows it. */
export function layoutBody(regions: readonly Region[]): Record<string, object> {
  return Object.fromEntries(regions.map((region) => [region.name, regionBody(region)]));
}

/** Where a region lies in the picture. */
export function areaOf({ xPos, yPos, width, height }: Region, picture: Size): Rectangle {
  return { x: xPos, y: yPos, width: width || picture.width - xPos, height: height || picture.height - yPos };
}

function regionBody(region: Region): object {
  return {
    x_pos: region.xPos,
    y_pos: region.yPos,
    z_pos: region.zPos,
    width: region.width,
    height: region.height,
    max_columns: region.maxColumns,
    max_rows: region.maxRows,
    cells_excluded: region.cellsExcluded,
    reuse: region.reuse,
    video_sources: region.videoSources,
    video_sources_excluded: region.videoSourcesExcluded,
  };
}

function objectOf(text: string): Record<string, unknown> {
  if (text.length > MAX_LAYOUT_CHARS) throw refusal(`VideoLayout is longer than ${MAX_LAYOUT_CHARS} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refusal('VideoLayout is not JSON');
  }
  return record(value, 'VideoLayout');
}

function regionOf(name: string, value: unknown, picture: Size): Region {
  const what = `VideoLayout.${name.slice(0, 40)}`;
  if (name === '' || name.length > 128) throw refusal('The name of a region must have 1 to 128 characters');
  const given = record(value, what);
  const stranger = Object.keys(given).find((member) => !MEMBERS.includes(member));
  if (stranger !== undefined) throw refusal(`${what}.${stranger.slice(0, 40)} is not known: a region has ${MEMBERS.join(', ')}`);
  const number = (member: string, range: { min: number; max: number }): number => integer(given[member], { ...range, what: `${what}.${member}` });
  const size = { width: side(given['width'], { max: picture.width, what: `${what}.width` }), height: side(given['height'], { max: picture.height, what: `${what}.height` }) };
  const region: Region = {
    name,
    xPos: number('x_pos', { min: 0, max: picture.width - (size.width || MIN_SIDE) }),
    yPos: number('y_pos', { min: 0, max: picture.height - (size.height || MIN_SIDE) }),
    zPos: number('z_pos', { min: -99, max: 99 }),
    ...size,
    maxColumns: number('max_columns', { min: 0, max: MAX_GRID }),
    maxRows: number('max_rows', { min: 0, max: MAX_GRID }),
    cellsExcluded: cells(given['cells_excluded'], `${what}.cells_excluded`),
    reuse: reuse(given['reuse'], `${what}.reuse`),
    videoSources: sourceList(given['video_sources'], `${what}.video_sources`),
    videoSourcesExcluded: sourceList(given['video_sources_excluded'], `${what}.video_sources_excluded`),
  };
  if (region.videoSources.length === 0) throw refusal(`${what}.video_sources is missing or empty`);
  return region;
}

/** Width or height of a region: 0 where none is given. */
function side(value: unknown, { max, what }: { max: number; what: string }): number {
  const pixels = integer(value, { min: 0, max, what });
  if (pixels !== 0 && pixels < MIN_SIDE) throw refusal(`${what} must be from ${MIN_SIDE} to ${max}`);
  return pixels;
}

function integer(value: unknown, { min, max, what }: { min: number; max: number; what: string }): number {
  if (value === undefined || value === null) return 0;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) throw refusal(`${what} must be a whole number from ${min} to ${max}`);
  return value;
}

function cells(value: unknown, what: string): number[] {
  if (value === undefined || value === null) return [];
  const valid = Array.isArray(value) && value.length <= MAX_SOURCES && value.every((cell) => Number.isInteger(cell) && (cell as number) >= 0 && (cell as number) <= MAX_CELL);
  if (!valid) throw refusal(`${what} must be an array of cell numbers from 0 to ${MAX_CELL}`);
  return [...new Set(value as number[])];
}

function reuse(value: unknown, what: string): Reuse {
  if (value === undefined || value === null) return 'show_oldest';
  const known = REUSES.find((word) => word === value);
  if (!known) throw refusal(`${what} must be one of ${REUSES.join(', ')}`);
  return known;
}

function sourceList(value: unknown, what: string): string[] {
  if (value === undefined || value === null) return [];
  return checkedSources(value, what);
}

/** A list of track names and SIDs. Throws 20001. */
export function checkedSources(value: unknown, what: string): string[] {
  const valid = Array.isArray(value) && value.length <= MAX_SOURCES && value.every((name) => typeof name === 'string' && name !== '' && name.length <= MAX_SOURCE_CHARS);
  if (!valid) throw refusal(`${what} must be at most ${MAX_SOURCES} track names or SIDs of at most ${MAX_SOURCE_CHARS} characters`);
  return value as string[];
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal(`${what} must be a JSON object`);
  return value as Record<string, unknown>;
}

function refusal(message: string): TwilioError {
  return new TwilioError(20001, message);
}
