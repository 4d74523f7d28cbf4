import type { Page, PageRequest } from '../base/paging.ts';
import type { AccountSid, ParticipantSid, RoomRecordingSid, RoomSid, TrackSid } from '../base/sid.ts';

/**
 * `processing`: media still comes, or the file is being completed. `deleted`: the file is gone, the row stays (contract §7.7).
 * `failed`: nothing could be written.
 */
export type RoomRecordingStatus = 'processing' | 'completed' | 'deleted' | 'failed';
export type RoomRecordingType = 'audio' | 'video';
export type RoomRecordingCodec = 'OPUS' | 'PCMU' | 'VP8' | 'H264' | 'VP9';
export type RoomRecordingContainer = 'mka' | 'mkv';

/** One track of a room, recorded into a file of its own (RT…). Dates are milliseconds since 1970, UTC. */
export interface RoomRecordingRecord {
  sid: RoomRecordingSid;
  accountSid: AccountSid;
  roomSid: RoomSid;
  participantSid: ParticipantSid;
  /** `source_sid`. */
  trackSid: TrackSid;
  trackName: string;
  type: RoomRecordingType;
  status: RoomRecordingStatus;
  container: RoomRecordingContainer;
  codec: RoomRecordingCodec;
  /** Of the file; null until it is complete. */
  bytes: number | null;
  durationMs: number | null;
  /** When the file's media begins, on a clock that all recordings share (milliseconds since 1970): what they are put in step by. */
  offsetMs: number;
  statusCallback: string | null;
  statusCallbackMethod: 'GET' | 'POST';
  createdAtMs: number;
  updatedAtMs: number;
}

export interface RoomRecordingFilter {
  accountSid: AccountSid;
  roomSid?: RoomSid;
  status?: RoomRecordingStatus;
  /** `data` finds nothing: data tracks are not recorded. */
  type?: RoomRecordingType | 'data';
  sourceSid?: string;
  /** Each a room's or a participant's; all have to fit. */
  groupingSids?: string[];
  createdAfterMs?: number;
  createdBeforeMs?: number;
}

/** What an account says about where its room recordings, or its compositions, are stored (contract §7.8). */
export interface StorageSettings {
  accountSid: AccountSid;
  friendlyName: string;
  /** Kept and given back; nothing is stored elsewhere or encrypted. */
  awsCredentialsSid: string | null;
  awsS3Url: string | null;
  encryptionKeySid: string | null;
}

/** Where room recordings are kept, their files aside. Writes as with `RoomRepository`. */
export interface RoomRecordingRepository {
  saveRecording(record: RoomRecordingRecord): void;
  findRecording(accountSid: AccountSid, sid: RoomRecordingSid): Promise<RoomRecordingRecord | null>;
  /** Newest first. */
  listRecordings(filter: RoomRecordingFilter, page: PageRequest): Promise<Page<RoomRecordingRecord>>;
  /** All of a room in any status, oldest first. */
  listOfRoom(roomSid: RoomSid): Promise<RoomRecordingRecord[]>;
  /** Those in `processing`: after a start, what a crash left. */
  unfinishedRecordings(): Promise<RoomRecordingRecord[]>;
  saveSettings(record: StorageSettings): void;
  findSettings(accountSid: AccountSid): Promise<StorageSettings | null>;
}
