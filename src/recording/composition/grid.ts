import type { Rectangle, Region } from './video-layout.ts';

/** A source on the time line of its room. */
export interface TimedSource {
  startMs: number;
  endMs: number;
}

/** A source that is seen in a cell for a while. */
export interface Placement<T extends TimedSource> {
  source: T;
  cell: Rectangle;
  fromMs: number;
  toMs: number;
}

type GridRules = Pick<Region, 'maxColumns' | 'maxRows' | 'cellsExcluded' | 'reuse'>;

/**
 * Who is seen where and when in a region. The grid is as large as the most sources that are ever to be seen at a time, and
 * keeps its shape for the whole composition (contract §7.8); a source that has a cell keeps it. When cells are short,
 * `show_oldest` lets newcomers wait for a cell, `show_newest` gives them the cell of the oldest, `none` fills each cell once.
 */
export function placeInGrid<T extends TimedSource>(sources: readonly T[], { area, rules }: { area: Rectangle; rules: GridRules }): Placement<T>[] {
  const inOrder = sources.filter(({ startMs, endMs }) => endMs > startMs).sort((a, b) => a.startMs - b.startMs);
  if (inOrder.length === 0) return [];
  const cells = cellsOf(rules.reuse === 'none' ? inOrder.length : mostAtOnce(inOrder), { area, rules });
  return new CellTable(cells, rules.reuse, inOrder).placements();
}

/** The cells that may be used for this many sources, left to right and top to bottom. */
export function cellsOf(count: number, { area, rules }: { area: Rectangle; rules: Omit<GridRules, 'reuse'> }): Rectangle[] {
  const { columns, rows } = shapeOf(count, rules);
  const width = even(area.width / columns);
  const height = even(area.height / rows);
  if (width < 2 || height < 2) return [];
  return usable(columns * rows, rules.cellsExcluded).map((index) => ({ x: area.x + width * (index % columns), y: area.y + height * Math.floor(index / columns), width, height }));
}

/** The smallest grid, as square as its limits allow, whose cells without the excluded ones suffice; else the largest there may be. */
function shapeOf(count: number, { maxColumns, maxRows, cellsExcluded }: Omit<GridRules, 'reuse'>): { columns: number; rows: number } {
  const most = maxColumns > 0 && maxRows > 0 ? maxColumns * maxRows : Number.POSITIVE_INFINITY;
  for (let cells = count; ; cells++) {
    const shape = squareOf(Math.min(cells, most), { maxColumns, maxRows });
    if (cells >= most || usableCount(shape.columns * shape.rows, cellsExcluded) >= count) return shape;
  }
}

function squareOf(cells: number, { maxColumns, maxRows }: { maxColumns: number; maxRows: number }): { columns: number; rows: number } {
  let columns = Math.ceil(Math.sqrt(cells));
  if (maxRows > 0) columns = maxColumns > 0 ? Math.max(columns, Math.ceil(cells / maxRows)) : Math.ceil(cells / maxRows);
  if (maxColumns > 0) columns = maxRows > 0 ? Math.min(columns, maxColumns) : Math.min(cells, maxColumns);
  return { columns, rows: Math.ceil(cells / columns) };
}

/** Asked for each size that is tried, so without a list of cells. `excluded` names each cell once. */
function usableCount(cells: number, excluded: readonly number[]): number {
  let count = cells;
  for (const cell of excluded) if (cell < cells) count--;
  return count;
}

function usable(cells: number, excluded: readonly number[]): number[] {
  const empty = new Set(excluded);
  return Array.from({ length: cells }, (_, index) => index).filter((index) => !empty.has(index));
}

/** Pictures with half the colour samples have even sides. */
function even(pixels: number): number {
  return Math.floor(pixels / 2) * 2;
}

function mostAtOnce(sources: readonly TimedSource[]): number {
  return Math.max(...sources.map(({ startMs }) => sources.filter((other) => other.startMs <= startMs && other.endMs > startMs).length));
}

/** Walks through time, giving cells to sources and taking them back. */
class CellTable<T extends TimedSource> {
  readonly #cells: readonly Rectangle[];
  readonly #reuse: Region['reuse'];
  readonly #sources: readonly T[];
  /** By cell: who is in it, since when. */
  readonly #seen = new Map<number, { source: T; fromMs: number }>();
  readonly #everUsed = new Set<number>();
  readonly #waiting: T[] = [];
  readonly #placements: Placement<T>[] = [];

  constructor(cells: readonly Rectangle[], reuse: Region['reuse'], sources: readonly T[]) {
    this.#cells = cells;
    this.#reuse = reuse;
    this.#sources = sources;
  }

  placements(): Placement<T>[] {
    const moments = new Set(this.#sources.flatMap(({ startMs, endMs }) => [startMs, endMs]));
    for (const nowMs of [...moments].sort((a, b) => a - b)) {
      for (const [cell, { source }] of this.#seen) if (source.endMs <= nowMs) this.#leave(cell, nowMs);
      this.#waiting.push(...this.#sources.filter(({ startMs }) => startMs === nowMs));
      this.#fill(nowMs);
    }
    return this.#placements.sort((a, b) => a.fromMs - b.fromMs);
  }

  #fill(nowMs: number): void {
    for (;;) {
      this.#forgetEnded(nowMs);
      const next = this.#reuse === 'show_newest' ? this.#waiting.at(-1) : this.#waiting[0];
      if (!next) return;
      const cell = this.#freeCell() ?? (this.#reuse === 'show_newest' ? this.#cellOfOlder(next) : undefined);
      if (cell === undefined) return;
      if (this.#seen.has(cell)) this.#displace(cell, nowMs);
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      this.#seen.set(cell, { source: next, fromMs: nowMs });
      this.#everUsed.add(cell);
    }
  }

  #forgetEnded(nowMs: number): void {
    this.#waiting.splice(0, this.#waiting.length, ...this.#waiting.filter(({ endMs }) => endMs > nowMs));
  }

  #freeCell(): number | undefined {
    const free = (cell: number): boolean => !this.#seen.has(cell) && !(this.#reuse === 'none' && this.#everUsed.has(cell));
    const index = this.#cells.findIndex((_, cell) => free(cell));
    return index < 0 ? undefined : index;
  }

  /** The cell of the source that has run longest, if it is older than this one. */
  #cellOfOlder({ startMs }: T): number | undefined {
    const [oldest] = [...this.#seen].sort(([, a], [, b]) => a.source.startMs - b.source.startMs);
    return oldest && oldest[1].source.startMs < startMs ? oldest[0] : undefined;
  }

  /** It may come back when a cell is free again. */
  #displace(cell: number, nowMs: number): void {
    const kept = this.#seen.get(cell);
    this.#leave(cell, nowMs);
    if (!kept) return;
    this.#waiting.push(kept.source);
    this.#waiting.sort((a, b) => a.startMs - b.startMs);
  }

  #leave(cell: number, nowMs: number): void {
    const seen = this.#seen.get(cell);
    const rectangle = this.#cells[cell];
    this.#seen.delete(cell);
    if (seen && rectangle && nowMs > seen.fromMs) this.#placements.push({ source: seen.source, cell: rectangle, fromMs: seen.fromMs, toMs: nowMs });
  }
}
