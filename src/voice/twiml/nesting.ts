import type { PhoneMedia } from '../../media/protocol.ts';
import type { Termination } from '../termination.ts';

/** Documents that run beside a verb: a whisper, a waiting room. */

/** How a run of documents ended. */
export type RunEnd =
  | { kind: 'ran-out' }
  /** No document could be had, and no fallback helped. It is in the journal. */
  | { kind: 'failed' }
  | { kind: 'aborted' }
  /** `<Leave>`. */
  | { kind: 'left' }
  | { kind: 'ended'; termination: Termination };

/** Verbs of a nested document; any other is skipped with a warning of number `code`. */
export interface NestingRule {
  verbs: readonly string[];
  code: number;
  /** Verbs with a number of their own. */
  codes?: Readonly<Record<string, number>>;
}

export interface NestedOptions {
  signal: AbortSignal;
  rule: NestingRule;
  /** Added to every request of these documents. When given, the call's fallback URL is not for them: they fail by themselves. */
  parameters?: () => readonly (readonly [name: string, value: string])[];
  /** What its verbs speak to instead of the call's phone. */
  phone?: PhoneMedia;
}
