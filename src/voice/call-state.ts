import type { CallStatus } from './model.ts';
import type { FinalStatus } from './termination.ts';

/**
 * The machine of a call.
 *
 *     queued ──rang──▶ ringing ──answered──▶ in-progress ──ended──▶ completed
 *       │ └──────────answered──────────────────▲
 *       └──ended──▶ busy | failed | no-answer | canceled | completed ◀──ended── ringing
 *
 * There is no way back from a final state.
 */
export type CallInput = 'rang' | 'answered' | { ended: FinalStatus };

const NEXT: Record<CallStatus, { rang?: CallStatus; answered?: CallStatus; canEnd: boolean }> = {
  queued: { rang: 'ringing', answered: 'in-progress', canEnd: true },
  ringing: { rang: 'ringing', answered: 'in-progress', canEnd: true },
  'in-progress': { canEnd: true },
  completed: { canEnd: false },
  busy: { canEnd: false },
  failed: { canEnd: false },
  'no-answer': { canEnd: false },
  canceled: { canEnd: false },
};

/** The next status, or null for an input that this status does not know: the caller logs it. */
export function nextStatus(status: CallStatus, input: CallInput): CallStatus | null {
  const row = NEXT[status];
  if (typeof input === 'string') return row[input] ?? null;
  return row.canEnd ? input.ended : null;
}

export function isFinal(status: CallStatus): boolean {
  return !NEXT[status].canEnd;
}
