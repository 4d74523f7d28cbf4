import type { Termination } from '../termination.ts';

/** What the phone that transferred is told of a call that nobody took. */
export function statusOfEnding(ending: Termination | null): number {
  const { sipStatusCode, reason } = ending ?? {};
  if (sipStatusCode !== undefined && sipStatusCode >= 300) return sipStatusCode;
  return reason === 'unreachable' ? 503 : 480;
}
