import type { CallStatus } from '../../model.ts';
import type { TwimlElement } from '../document.ts';
import type { VerbContext } from '../verb.ts';

/** `DialCallStatus` of the action request (contract §3.4): `answered` is a conference's. */
export type DialCallStatus = Extract<CallStatus, 'completed' | 'busy' | 'no-answer' | 'failed' | 'canceled'> | 'answered';

/** How a `<Dial>` ended. */
export interface DialResult {
  status: DialCallStatus;
  /** Beside DialCallStatus, for the action request. */
  parameters: [name: string, value: string][];
}

/**
 * What one kind of noun does for `<Dial>`. `context.signal` aborts when the call leaves, and also when the caller presses `*`
 * under `hangupOnStar`: the noun lets go at once and resolves with its result.
 */
export type DialNoun = (noun: TwimlElement, dial: TwimlElement, context: VerbContext) => Promise<DialResult>;

const DEFAULT_TIME_LIMIT_S = 14_400;

/** `timeLimit` of `<Dial>`, counted from the bridge. */
export function timeLimitMs(dial: TwimlElement): number {
  return Number(dial.attributes['timeLimit'] ?? DEFAULT_TIME_LIMIT_S) * 1000;
}
