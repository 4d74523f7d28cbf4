import type { Emitter } from '../base/emitter.ts';
import type { AccountSid, ParticipantSid, RoomSid, TrackSid } from '../base/sid.ts';
import type { PhoneMediaStats, RoomMedia } from '../media/protocol.ts';
import type { LeaveReason, ParticipantCall, ParticipantRecord, RoomEndReason, RoomRecord, SubscribeRules, TrackKind, TrackPriority, TrackRecord, TrackRule } from './model.ts';

/**
 * What bridge/, signaling/ and api/ see of rooms/: live rooms in progress, synchronous and in memory. Each change is saved
 * through RoomRepository and told to the room's StatusCallback by rooms/ itself. Refusals are thrown as TwilioError with
 * the number of contract §12.1.
 */
export interface Rooms {
  /** In-progress room of the account by RM sid or by unique name (exact, case-sensitive), else null. */
  find(accountSid: AccountSid, nameOrSid: string): Room | null;
  /** REST create: checks every parameter (53100 … 53127), name taken → 53113. */
  create(accountSid: AccountSid, options: CreateRoomOptions): Promise<Room>;
  /**
   * The room an SDK connects to: found, or made ad hoc when the account allows it; else 53106 (53103 when creation is off
   * is told by contract §7.2: we use 53106 for a missing room with creation off).
   */
  findOrCreateForSdk(accountSid: AccountSid, nameOrSid: string | null): Promise<Room>;
  /** Called with each room that opens from now on, however it came about; until the returned function is called. */
  onOpened(listener: (room: Room) => void): () => void;
  /** All in-progress rooms. */
  all(): Room[];
  /** Ends everything; called at stop. */
  stop(reason: RoomEndReason): Promise<void>;
}

/** Create parameters as read from REST, already typed; absent means Twilio's default. */
export interface CreateRoomOptions {
  uniqueName?: string;
  type?: string;
  statusCallback?: string;
  statusCallbackMethod?: string;
  maxParticipants?: number;
  recordParticipantsOnConnect?: boolean;
  videoCodecs?: string[];
  mediaRegion?: string;
  emptyRoomTimeout?: number;
  unusedRoomTimeout?: number;
  maxParticipantDuration?: number;
  audioOnly?: boolean;
  largeRoom?: boolean;
  /** JSON text, as REST carries it. */
  recordingRules?: string;
  /** As in the record. */
  transcribeOnConnect?: Record<string, unknown>;
}

export interface JoinOptions {
  identity: string | null;
  medium: 'browser' | 'phone';
  /** What everybody may know of a phone's call. Default: nothing. */
  call?: ParticipantCall | null;
}

export interface RoomEvents {
  participantConnected: [participant: Participant];
  /** Its tracks have been unpublished before. */
  participantDisconnected: [participant: Participant, reason: LeaveReason];
  participantReconnecting: [participant: Participant];
  participantReconnected: [participant: Participant];
  trackPublished: [participant: Participant, track: Publication];
  trackUnpublished: [participant: Participant, track: Publication];
  /** enabled or priority changed. */
  trackUpdated: [participant: Participant, track: Publication];
  /** Something that was said, or a better guess at it. */
  transcribed: [transcription: Transcription];
  /** Last event. All participants were disconnected before, with reason `room-completed` or the like. */
  ended: [reason: RoomEndReason];
}

/** Words of one track. */
export interface Transcription {
  participantSid: ParticipantSid;
  trackSid: TrackSid;
  text: string;
  /** More or other words may follow for the same utterance. */
  partial: boolean;
  /** BCP 47, `en-US`. */
  languageCode: string;
  /** 0–1, of a partial one: how little it will change. */
  stability?: number;
  /** When it was said, ISO 8601. */
  timestamp: string;
  /** Grows by 1 with each of a track. */
  sequenceNumber: number;
}

/** What hears the room and writes down what is said. */
export interface TranscriptionSource extends Emitter<{ transcribed: [transcription: Transcription] }> {
  /** The room ended, or has another source now. Nothing that follows is told. */
  stop(): void;
}

export interface Room extends Emitter<RoomEvents> {
  readonly sid: RoomSid;
  readonly accountSid: AccountSid;
  readonly uniqueName: string;
  readonly record: Readonly<RoomRecord>;
  readonly ended: boolean;
  /** Opened with the first participant; the same object for all of them. */
  media(): Promise<RoomMedia>;
  /** Connected and reconnecting participants, in order of arrival. */
  readonly participants: ReadonlyMap<ParticipantSid, Participant>;
  participantByIdentity(identity: string): Participant | null;
  readonly recording: RoomRecordingState;
  /** Tells the room's StatusCallback of a recording, also after the room has ended. */
  tellRecording(event: RecordingCallbackEvent, parameters: [name: string, value: string][]): void;
  /**
   * Adds a participant. Same identity connected → that one is disconnected with `duplicate-identity` first (contract §3.3).
   * Throws 53105 (room full), 53118 (ended), 53200–53202 (identity), and for phones 53105 past 35 phones in the room,
   * 53108-like refusal in peer-to-peer and go rooms. `identity` null → a random unique one.
   */
  join(options: JoinOptions): Participant;
  /** Its `transcribed` is the room's from now on; the source before is stopped. Null: none. */
  setTranscriptionSource(source: TranscriptionSource | null): void;
  /** Disconnects all, closes media, saves. Idempotent. */
  end(reason: RoomEndReason): void;
}

/** What happens to recordings, as the room's StatusCallback names it (contract §7.9). */
export type RecordingCallbackEvent = 'recording-started' | 'recording-completed' | 'recording-failed';

export interface RoomRecordingEvents {
  rulesChanged: [];
  activeChanged: [];
  /** The recording of this track has lost its media, or found it again. */
  mediaChanged: [sid: TrackSid];
}

/** What of a room is to be recorded (contract §7.6), and what is. Whoever records sets `active` and `lacksMedia`. */
export interface RoomRecordingState extends Emitter<RoomRecordingEvents> {
  /** As they are; all or nothing when nobody set any. */
  readonly rules: readonly TrackRule[];
  /** Replaces all rules; saved with the room. */
  setRules(rules: TrackRule[]): void;
  /** Whether the rules take this track in. */
  wants(publisher: Participant, track: Publication): boolean;
  /** Whether any track is being recorded: `room.isRecording` of an SDK. */
  readonly active: boolean;
  /** Rises with each change of `active`, from 1. */
  readonly revision: number;
  setActive(active: boolean): void;
  /** True while a recorded track sends nothing. */
  lacksMedia(sid: TrackSid): boolean;
  setLacksMedia(sid: TrackSid, lacks: boolean): void;
}

export interface ParticipantEvents {
  /** Final. Tells the owner of the connection (signaling session, phone participant) to let go. */
  disconnected: [reason: LeaveReason];
  /** Other tracks are to be received from now on. */
  subscribeRulesChanged: [];
}

export interface Participant extends Emitter<ParticipantEvents> {
  readonly sid: ParticipantSid;
  readonly identity: string;
  readonly medium: 'browser' | 'phone';
  readonly room: Room;
  readonly record: Readonly<ParticipantRecord>;
  readonly publications: ReadonlyMap<TrackSid, Publication>;
  /** Publishes a track; `name` empty → the SID. Throws 53203, 53300–53304, 53125 (video in an audio-only room). */
  publish(options: { kind: TrackKind; name: string; enabled?: boolean; priority?: TrackPriority }): Publication;
  unpublish(sid: TrackSid): void;
  /** Changes enabled or priority; tells only when something differs. */
  update(sid: TrackSid, change: { enabled?: boolean; priority?: TrackPriority }): void;
  /** The rules as they are; `[include all]` when nobody set any. */
  readonly subscribeRules: SubscribeRules;
  /** Replaces all rules; `byRest`: they get the dates of the REST resource. */
  setSubscribeRules(rules: TrackRule[], options: { byRest: boolean }): void;
  /** Whether this track of somebody else is to be received. */
  subscribesTo(publisher: Participant, track: Publication): boolean;
  /** Its identity becomes its SID in everything stored and shown from now on (contract §7.3). */
  anonymize(): void;
  /** Of a phone: its media's counters, as given by who owns its media. Null: not measured. */
  mediaStats: (() => Promise<PhoneMediaStats>) | null;
  /** Signaling lost / found its socket. */
  setReconnecting(reconnecting: boolean): void;
  /** Leaves, for whatever reason. Idempotent. */
  disconnect(reason: LeaveReason): void;
}

export interface Publication {
  readonly sid: TrackSid;
  readonly kind: TrackKind;
  readonly name: string;
  readonly enabled: boolean;
  readonly priority: TrackPriority;
  readonly record: Readonly<TrackRecord>;
}
