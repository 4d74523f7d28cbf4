import type { AccountSid, CallSid, StreamSid } from '../../base/sid.ts';
import type { CallRecord } from '../model.ts';

/** A stream as the REST resource shows it. Known while its call lives. */
export interface StreamRecord {
  sid: StreamSid;
  accountSid: AccountSid;
  callSid: CallSid;
  name: string | null;
  status: 'in-progress' | 'stopped';
  updatedAtMs: number;
}

/** Parameters as they came; `undefined` = not given. */
export interface StartStreamOptions {
  url?: string;
  name?: string;
  track?: string;
  statusCallback?: string;
  statusCallbackMethod?: string;
  parameters: [name: string, value: string][];
}

/** The REST side of streams. Refusals are thrown as TwilioError. */
export interface StreamControl {
  /** Opens a stream that listens; 21220 unless the call is in progress. */
  start(call: Pick<CallRecord, 'accountSid' | 'sid'>, options: StartStreamOptions): StreamRecord;
  /** Stops one by SID or name; null when there is none. One that is over already stays as it is. */
  stop(call: Pick<CallRecord, 'accountSid' | 'sid'>, sidOrName: string): StreamRecord | null;
}
