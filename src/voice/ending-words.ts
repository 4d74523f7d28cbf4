import type { TerminationReason } from './termination.ts';

/** What we say to a phone that we cancel because another one took the call. */
export const ANSWERED_ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"';

/** Why we end a call, for those whom we tell (RFC 3326): the SIP code, where there is one, and the cause of Q.850 that goes with it. */
const CAUSES: Partial<Record<TerminationReason, { q850: number; sip?: number }>> = {
  'rejected-busy': { q850: 17, sip: 486 },
  rejected: { q850: 1, sip: 404 },
  'no-answer': { q850: 19, sip: 480 },
  'ack-timeout': { q850: 102, sip: 408 },
  'dialog-lost': { q850: 41, sip: 481 },
  'no-common-codec': { q850: 65, sip: 488 },
  'application-error': { q850: 41, sip: 500 },
  'media-lost': { q850: 41, sip: 503 },
  'media-unavailable': { q850: 34, sip: 503 },
  'media-timeout': { q850: 102, sip: 408 },
  'media-insecure': { q850: 41, sip: 488 },
  'time-limit': { q850: 16 },
  'server-stopped': { q850: 41, sip: 503 },
  'internal-error': { q850: 41, sip: 500 },
};

/** Value of the Reason header of our BYE, CANCEL or refusal. */
export function reasonHeader(reason: TerminationReason): string {
  const { q850, sip } = CAUSES[reason] ?? { q850: 16 };
  const text = reason.replaceAll('-', ' ');
  return `${sip === undefined ? '' : `SIP;cause=${sip};text="${text}", `}Q.850;cause=${q850};text="${text}"`;
}
