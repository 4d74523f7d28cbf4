import type { Page, PageRequest } from '../../base/paging.ts';
import type { AccountSid, CallSid, ConferenceSid } from '../../base/sid.ts';

export type ConferenceStatus = 'init' | 'in-progress' | 'completed';

/** Twilio's words for why a conference is over (OpenAPI, `reason_conference_ended`). */
export type ConferenceEndReason =
  | 'conference-ended-via-api'
  | 'participant-with-end-conference-on-exit-left'
  | 'participant-with-end-conference-on-exit-kicked'
  | 'last-participant-kicked'
  | 'last-participant-left';

/** A conference as it is kept. Dates are milliseconds since 1970, UTC. Its participants live only as long as they are in it. */
export interface ConferenceRecord {
  sid: ConferenceSid;
  accountSid: AccountSid;
  /** Unique per account while the conference lives. */
  friendlyName: string;
  status: ConferenceStatus;
  region: string;
  createdAtMs: number;
  updatedAtMs: number;
  endedAtMs: number | null;
  /** Null while it lives, and when the server or its media was lost. */
  reasonEnded: ConferenceEndReason | null;
  callSidEnding: CallSid | null;
}

export interface ConferenceFilter {
  accountSid: AccountSid;
  friendlyName?: string;
  status?: ConferenceStatus;
  createdAfterMs?: number;
  createdBeforeMs?: number;
  updatedAfterMs?: number;
  updatedBeforeMs?: number;
}

/** Same write rules as `CallRepository`: saves return at once and in order, reads see them. */
export interface ConferenceRepository {
  saveConference(record: ConferenceRecord): void;
  findConference(accountSid: AccountSid, sid: ConferenceSid): Promise<ConferenceRecord | null>;
  listConferences(filter: ConferenceFilter, page: PageRequest): Promise<Page<ConferenceRecord>>;
  /** Ends conferences that a crash left live. */
  closeLeftovers(endedAtMs: number): Promise<void>;
}
