import type { Page, PageRequest } from '../../base/paging.ts';
import type { AccountSid, RoomSid } from '../../base/sid.ts';

export type TranscriptionsStatus = 'started' | 'stopped' | 'failed';

/** What is asked of the recognizer, as it was given: keys of Twilio's, in their own spelling. */
export type TranscriptionsConfiguration = Record<string, unknown>;

/** One Transcriptions resource of a room: that what is said there is written down, from when to when. */
export interface TranscriptionsRecord {
  /** `video_extension_` and a UUID. */
  ttid: string;
  accountSid: AccountSid;
  roomSid: RoomSid;
  status: TranscriptionsStatus;
  configuration: TranscriptionsConfiguration;
  createdAtMs: number;
  updatedAtMs: number;
  startedAtMs: number;
  endedAtMs: number | null;
}

export interface TranscriptionsRepository {
  saveTranscriptions(record: TranscriptionsRecord): void;
  findTranscriptions(roomSid: RoomSid, ttid: string): Promise<TranscriptionsRecord | null>;
  listTranscriptions(roomSid: RoomSid, page: PageRequest): Promise<Page<TranscriptionsRecord>>;
  /** Those that an earlier run of the server left started get `stopped`, with this time. */
  closeStarted(nowMs: number): Promise<void>;
}
