import type { AccountSid, CallSid, ParticipantSid, RoomSid, TrackSid } from '../base/sid.ts';
import type { Page, PageRequest } from '../base/paging.ts';

/** The stored shapes of rooms/ and the repository it wants. Dates are milliseconds since 1970, UTC. */

export type RoomType = 'group' | 'group-small' | 'peer-to-peer' | 'go';
export type RoomStatus = 'in-progress' | 'completed' | 'failed';
export type ParticipantStatus = 'connected' | 'reconnecting' | 'disconnected';
export type TrackKind = 'audio' | 'video' | 'data';
export type TrackPriority = 'low' | 'standard' | 'high';

/** Why a room ended. */
export type RoomEndReason = 'completed-by-api' | 'empty' | 'unused' | 'max-duration' | 'media-lost' | 'server-stopped';

/** Why a participant left, from Twilio's view: the SDK sees `code` (53118, 53205 …) or no error at all. */
export type LeaveReason =
  | 'left'
  | 'connection-lost'
  | 'participant-removed'
  | 'room-completed'
  | 'duplicate-identity'
  | 'participant-duration'
  | 'media-lost'
  | 'server-stopped';

export interface RoomRecord {
  sid: RoomSid;
  accountSid: AccountSid;
  /** The SID itself when no name was given. */
  uniqueName: string;
  type: RoomType;
  status: RoomStatus;
  /** Made by an SDK connect, not by REST: ends at once when empty. */
  adHoc: boolean;
  maxParticipants: number;
  maxParticipantDurationS: number;
  emptyRoomTimeoutMin: number;
  unusedRoomTimeoutMin: number;
  recordParticipantsOnConnect: boolean;
  videoCodecs: string[];
  audioOnly: boolean;
  largeRoom: boolean;
  mediaRegion: string;
  statusCallback: string | null;
  statusCallbackMethod: 'GET' | 'POST';
  createdAtMs: number;
  updatedAtMs: number;
  endedAtMs: number | null;
  endReason: RoomEndReason | null;
  /** Given at its creation or over REST; null: all or nothing, as `recordParticipantsOnConnect` says. */
  recordingRules: RecordingRules | null;
  /** What is asked of the speech recognizer from the room's beginning on; null: it is not transcribed by itself. */
  transcribeOnConnect: Record<string, unknown> | null;
}

/** What is told of a phone's call to whoever looks at the room; numbers as its webhooks have them, null: kept from them. */
export interface ParticipantCall {
  sid: CallSid;
  from: string | null;
  to: string | null;
}

export interface ParticipantRecord {
  sid: ParticipantSid;
  roomSid: RoomSid;
  accountSid: AccountSid;
  identity: string;
  status: ParticipantStatus;
  /** Ours: the REST resource does not tell phones from browsers. */
  medium: 'browser' | 'phone';
  createdAtMs: number;
  updatedAtMs: number;
  startedAtMs: number;
  endedAtMs: number | null;
  leaveReason: LeaveReason | null;
  /** Set over REST, or by an SDK that subscribes to nothing; null: everything is received. */
  subscribeRules: SubscribeRules | null;
  /** Of a phone, where the server is set to tell; null otherwise. */
  call: ParticipantCall | null;
}

/** One rule over tracks (contract §7.5, §7.6). Its filters are joined by "and"; null: any. */
export interface TrackRule {
  type: 'include' | 'exclude';
  /** True: every track, whatever it is. */
  all: true | null;
  kind: TrackKind | null;
  /** Identity or SID of a participant. */
  publisher: string | null;
  /** Name or SID of a track. */
  track: string | null;
  /** Kept and given back; nothing is chosen by it. */
  priority: string | null;
}

/** What a participant receives (contract §7.5). */
export interface SubscribeRules {
  rules: TrackRule[];
  /** When REST first set them; null: it never did. */
  createdAtMs: number | null;
  updatedAtMs: number | null;
}

/** Which tracks of a room are recorded (contract §7.6). */
export interface RecordingRules {
  rules: TrackRule[];
  createdAtMs: number;
  updatedAtMs: number;
}

export interface TrackRecord {
  sid: TrackSid;
  roomSid: RoomSid;
  participantSid: ParticipantSid;
  name: string;
  kind: TrackKind;
  enabled: boolean;
  createdAtMs: number;
  updatedAtMs: number;
  endedAtMs: number | null;
}

export interface RoomFilter {
  accountSid: AccountSid;
  status?: RoomStatus;
  uniqueName?: string;
  createdAfterMs?: number;
  createdBeforeMs?: number;
}

export interface ParticipantFilter {
  roomSid: RoomSid;
  status?: ParticipantStatus;
  identity?: string;
  createdAfterMs?: number;
  createdBeforeMs?: number;
}

/**
 * Where rooms are kept. `save…` inserts or replaces and returns at once; writes are carried out in order, a failed one is
 * logged and retried by the store. Reads see all earlier writes.
 */
export interface RoomRepository {
  saveRoom(record: RoomRecord): void;
  saveParticipant(record: ParticipantRecord): void;
  saveTrack(record: TrackRecord): void;
  findRoom(accountSid: AccountSid, sid: RoomSid): Promise<RoomRecord | null>;
  listRooms(filter: RoomFilter, page: PageRequest): Promise<Page<RoomRecord>>;
  findParticipant(roomSid: RoomSid, sid: ParticipantSid): Promise<ParticipantRecord | null>;
  listParticipants(filter: ParticipantFilter, page: PageRequest): Promise<Page<ParticipantRecord>>;
  findTrack(participantSid: ParticipantSid, sid: TrackSid): Promise<TrackRecord | null>;
  /** Tracks still published, newest first. */
  listTracks(participantSid: ParticipantSid, page: PageRequest): Promise<Page<TrackRecord>>;
  /** Ends what a crash left open (rooms, participants, tracks without an end); called once at start. Resolves with the rooms. */
  closeLeftovers(endedAtMs: number): Promise<RoomRecord[]>;
}

/** Where room events are told to the customer; implemented over voice/webhook's sender, wired by main. */
export interface RoomCallbackSender {
  /** Signs and posts in the background; never throws, never delays the room. */
  send(callback: { accountSid: AccountSid; url: string; method: 'GET' | 'POST'; parameters: [name: string, value: string][] }): void;
}
