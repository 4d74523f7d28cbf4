import { TwilioError } from '../base/errors.ts';

/** `2015-07-30T20:00:00Z`, the dates of v1: seconds, no fraction. */
export function isoSeconds(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, 19)}Z`;
}

/** As the formatters above, null for a date that has not come yet. */
export function dateOrNull(format: (wallMs: number) => string, wallMs: number | null): string | null {
  return wallMs === null ? null : format(wallMs);
}

/** Whole seconds from one date to another, never negative; null while one of them has not come. */
export function secondsBetween(startMs: number | null, endMs: number | null): number | null {
  return startMs === null || endMs === null ? null : Math.max(0, Math.round((endMs - startMs) / 1000));
}

const DAY_MS = 86_400_000;
const SHAPE = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** A date or a date-time (UTC where it says nothing else) of a filter. Throws 20001. */
export function filterDate(name: string, text: string): { startMs: number; endMs: number } {
  const parts = SHAPE.exec(text.trim());
  const dateOnly = text.trim().length === 10;
  const iso = text.trim().replace(' ', 'T');
  const startMs = parts ? Date.parse(dateOnly || parts[1] !== undefined ? iso : `${iso}Z`) : Number.NaN;
  // 30 February is no date, though `Date` makes one of it.
  const asWritten = parts !== null && new Date(`${text.trim().slice(0, 10)}T00:00:00Z`).getUTCDate() === Number(text.trim().slice(8, 10));
  if (!Number.isFinite(startMs) || !asWritten) throw new TwilioError(20001, `${name} is not a date (YYYY-MM-DD) or date-time (YYYY-MM-DDThh:mm:ssZ)`);
  return { startMs, endMs: startMs + (dateOnly ? DAY_MS : 1000) - 1 };
}
