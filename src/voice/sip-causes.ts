/** One value of a Reason header (RFC 3326). */
export interface SipReason {
  /** `SIP`, `Q.850` … in upper case. */
  protocol: string;
  cause: number;
  text: string;
}

const MAX_REASONS = 4;

/** Reads a Reason header, all its values; what is malformed is left out. */
export function readReasons(header: string | undefined): SipReason[] {
  const reasons: SipReason[] = [];
  for (const value of (header ?? '').match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []) {
    const match = /^\s*([\w.-]{1,20})\s*;/.exec(value);
    const cause = /;\s*cause\s*=\s*(\d{1,3})\s*(?:;|$)/i.exec(value)?.[1];
    if (!match?.[1] || cause === undefined || reasons.length === MAX_REASONS) continue;
    const text = /;\s*text\s*=\s*"((?:[^"\\]|\\.)*)"/i.exec(value)?.[1] ?? '';
    reasons.push({ protocol: match[1].toUpperCase(), cause: Number(cause), text: text.replace(/\\(.)/g, '$1') });
  }
  return reasons;
}

/** How a call ends that was not answered; as reasons of a termination. */
export type CauseMeaning = 'busy' | 'no-answer' | 'refused';

/** What a cause of Q.850 says of a call that was not answered; causes that say nothing by themselves (16, 31) are not here. */
const MEANINGS: Readonly<Record<number, CauseMeaning>> = {
  17: 'busy',
  21: 'busy',
  18: 'no-answer',
  19: 'no-answer',
  20: 'no-answer',
  ...Object.fromEntries([1, 2, 3, 22, 23, 25, 26, 27, 28, 29, 34, 38, 41, 42, 44, 47, 50, 55, 57, 58, 63, 65, 69, 70, 79, 87, 88, 102, 111, 127].map((cause) => [cause, 'refused'])),
};

/**
 * What the Q.850 cause beside a refusal makes of it: gateways put the network's own word there and choose the SIP code as they
 * like. Null: it says nothing more.
 */
export function meaningOf(reasons: readonly SipReason[]): CauseMeaning | null {
  const cause = reasons.find(({ protocol }) => protocol === 'Q.850')?.cause;
  return cause === undefined ? null : (MEANINGS[cause] ?? null);
}

/** A CANCEL that says so is no missed call (RFC 3326 §2). */
export function answeredElsewhere(reasons: readonly SipReason[]): boolean {
  return reasons.some(({ protocol, cause }) => protocol === 'SIP' && cause === 200);
}
