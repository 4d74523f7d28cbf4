import type { Page, PageRequest } from '../../base/paging.ts';
import type { AccountSid, CallSid, RecordingSid } from '../../base/sid.ts';
import type { HttpMethod } from '../model.ts';

/** How a recording began (contract §4.3). */
export type RecordingSource = 'RecordVerb' | 'DialVerb' | 'Conference' | 'OutboundAPI' | 'StartCallRecordingAPI' | 'StartConferenceRecordingAPI';
/** `stopped`: its end was asked for, the file is being completed. `absent`: over, and nothing was recorded. */
export type RecordingStatus = 'in-progress' | 'paused' | 'stopped' | 'completed' | 'absent';
export type RecordingTrack = 'inbound' | 'outbound' | 'both';
/** Events of a recording status callback. */
export type RecordingEvent = 'in-progress' | 'completed' | 'absent';

export interface RecordingCallback {
  url: string;
  method: HttpMethod;
  events: readonly RecordingEvent[];
}

/** A sound file of a call or a conference (RE…). */
export interface RecordingRecord {
  sid: RecordingSid;
  accountSid: AccountSid;
  callSid: CallSid | null;
  conferenceSid: string | null;
  status: RecordingStatus;
  source: RecordingSource;
  channels: 1 | 2;
  track: RecordingTrack;
  /** Of the file; null while it grows, 0 when absent. */
  durationMs: number | null;
  bytes: number | null;
  /** Kept with it, so that it is told after a crash too. */
  callback: RecordingCallback | null;
  startedAtMs: number;
  createdAtMs: number;
  updatedAtMs: number;
}

export interface RecordingFilter {
  accountSid: AccountSid;
  callSid?: CallSid;
  conferenceSid?: string;
  createdAfterMs?: number;
  createdBeforeMs?: number;
}

/** Where recordings are kept, their files aside. Same write rules as `CallRepository`. */
export interface RecordingRepository {
  saveRecording(record: RecordingRecord): void;
  findRecording(accountSid: AccountSid, sid: RecordingSid): Promise<RecordingRecord | null>;
  listRecordings(filter: RecordingFilter, page: PageRequest): Promise<Page<RecordingRecord>>;
  deleteRecording(accountSid: AccountSid, sid: RecordingSid): Promise<void>;
  /** Those that are not over: after a start, what a crash left. */
  unfinishedRecordings(): Promise<RecordingRecord[]>;
}
