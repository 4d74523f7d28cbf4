import { newSid, type AccountSid } from '../base/sid.ts';
import type { CallRecord } from './model.ts';

/** What is known of a call when it begins. */
export type CallBeginning = Pick<CallRecord, 'to' | 'from' | 'direction' | 'phoneNumberSid'> & { accountSid: AccountSid; nowMs: number } & Partial<Pick<CallRecord, 'parentCallSid' | 'forwardedFrom' | 'startedAtMs' | 'callerName'>>;

/** A call as it is stored first: queued, with a fresh SID. */
export function newCallRecord({ nowMs, ...beginning }: CallBeginning): CallRecord {
  return {
    sid: newSid('CA'),
    parentCallSid: null,
    status: 'queued',
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    startedAtMs: null,
    answeredAtMs: null,
    endedAtMs: null,
    answeredBy: null,
    forwardedFrom: null,
    callerName: null,
    terminationReason: null,
    ...beginning,
  };
}
