import { chosen } from './source-pattern.ts';
import { placeInGrid } from './grid.ts';
import type { CompositionFormat, CompositionSource, CompositionSpec } from './model.ts';
import { areaOf, type Rectangle, type Size } from './video-layout.ts';

/** A stretch of a video file that is seen in one cell. Times are milliseconds. */
export interface PlannedVideo {
  path: string;
  cell: Rectangle;
  /** Part of the file. */
  fromMs: number;
  toMs: number;
  /** Where the beginning of the file lies in the composition; negative when it was cut off. */
  fileAtMs: number;
}

/** An audio file that is heard from some moment on. */
export interface PlannedAudio {
  path: string;
  atMs: number;
}

/** Everything the composer needs to know. */
export interface CompositionPlan {
  format: CompositionFormat;
  durationMs: number;
  /** Null: sound only. */
  picture: Size | null;
  /** Lower ones first. */
  videos: PlannedVideo[];
  audios: PlannedAudio[];
}

/** Lays out what was chosen of a room's recordings. Null when nothing was. `span`: the life of the room. Pure. */
export function planComposition(spec: CompositionSpec, sources: readonly CompositionSource[], span: { startMs: number; endMs: number }): CompositionPlan | null {
  const whole = sources.filter(({ startMs, endMs }) => endMs > startMs);
  const audios = chosen(ofKind(whole, 'audio'), { included: spec.audioSources, excluded: spec.audioSourcesExcluded });
  const placements = [...spec.regions]
    .sort((a, b) => a.zPos - b.zPos)
    .flatMap((region) => placeInGrid(chosen(ofKind(whole, 'video'), { included: region.videoSources, excluded: region.videoSourcesExcluded }), { area: areaOf(region, spec.resolution), rules: region }));
  const spans = [...audios, ...placements.map(({ fromMs, toMs }) => ({ startMs: fromMs, endMs: toMs }))];
  if (spans.length === 0) return null;
  const line = new TimeLine(spec.trim ? spans : [span, ...spans]);
  return {
    format: spec.format,
    durationMs: line.durationMs,
    picture: spec.regions.length > 0 ? { width: even(spec.resolution.width), height: even(spec.resolution.height) } : null,
    videos: placements.map(({ source, cell, fromMs, toMs }) => ({
      path: source.path,
      cell,
      fromMs: fromMs - source.startMs,
      toMs: toMs - source.startMs,
      fileAtMs: line.at(fromMs) - (fromMs - source.startMs),
    })),
    audios: audios.map(({ path, startMs }) => ({ path, atMs: line.at(startMs) })),
  };
}

function ofKind(sources: readonly CompositionSource[], kind: CompositionSource['kind']): CompositionSource[] {
  return sources.filter((source) => source.kind === kind);
}

function even(pixels: number): number {
  return Math.floor(pixels / 2) * 2;
}

/** Time without the gaps between spans: what is inside one span keeps its distances. */
class TimeLine {
  /** Without overlaps, in order; `atMs`: where it begins on this line. */
  readonly #parts: { startMs: number; endMs: number; atMs: number }[] = [];
  durationMs = 0;

  constructor(spans: readonly { startMs: number; endMs: number }[]) {
    for (const { startMs, endMs } of [...spans].sort((a, b) => a.startMs - b.startMs)) {
      const last = this.#parts.at(-1);
      if (last && startMs <= last.endMs) {
        this.durationMs += Math.max(0, endMs - last.endMs);
        last.endMs = Math.max(last.endMs, endMs);
        continue;
      }
      this.#parts.push({ startMs, endMs, atMs: this.durationMs });
      this.durationMs += endMs - startMs;
    }
  }

  at(wallMs: number): number {
    const part = this.#parts.findLast(({ startMs }) => startMs <= wallMs);
    return part ? part.atMs + wallMs - part.startMs : 0;
  }
}
