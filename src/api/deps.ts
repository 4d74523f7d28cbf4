import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { CompositionHooks, Compositions } from '../recording/composition/contract.ts';
import type { CompositionRepository } from '../recording/composition/model.ts';
import type { RoomRecordingRepository, RoomRecordings } from '../recording/contract.ts';
import type { TranscriptionsRepository } from '../recording/transcription/model.ts';
import type { RoomTranscriptions } from '../recording/transcription/transcriptions.ts';
import type { Rooms } from '../rooms/contract.ts';
import type { RoomRepository } from '../rooms/model.ts';
import type { CallerIdValidator } from '../voice/caller-id-validation.ts';
import type { Trunks } from '../voice/carrier/trunks.ts';
import type { Explainer } from '../voice/explain.ts';
import type { Calls } from '../voice/contract.ts';
import type { ConferenceRepository } from '../voice/conference/model.ts';
import type { Gatherings } from '../voice/gatherings.ts';
import type { CallRecordings } from '../voice/recording/call-recordings.ts';
import type { RecordingRepository } from '../voice/recording/model.ts';
import type { RecordingMedia } from '../voice/recording/recording-media.ts';
import type { Recordings } from '../voice/recording/recordings.ts';
import type { CallRepository, KeyDirectory, SipDirectory } from '../voice/model.ts';

/** What the REST API stands on. */
export interface ApiDeps {
  log: Log;
  clock: Clock;
  calls: Calls;
  callerIds: CallerIdValidator;
  callRepository: CallRepository;
  directory: KeyDirectory;
  voiceRecordings: VoiceRecordings;
  sip: SipDirectory;
  trunks: Trunks;
  explainer: Explainer;
  /** What every SIP domain name ends with, without the dot before it. */
  sipDomainSuffix: string;
  gatherings: Gatherings;
  conferenceRepository: ConferenceRepository;
  rooms: Rooms;
  roomRepository: RoomRepository;
  compositions: Compositions;
  compositionHooks: CompositionHooks;
  compositionRepository: CompositionRepository;
  transcriptions: { service: RoomTranscriptions; repository: TranscriptionsRepository };
  roomRecordings: { recordings: RoomRecordings; repository: RoomRecordingRepository };
  /** What URLs in answers begin with; null: what the request was sent to (Host, X-Forwarded-Proto). */
  publicUrl: () => string | null;
  /** False while starting and stopping: `/healthz` says so. */
  ready: () => boolean;
}

/** Recordings of calls and conferences. */
export interface VoiceRecordings {
  recordings: Recordings;
  recordingRepository: RecordingRepository;
  recordingMedia: RecordingMedia;
  callRecordings: CallRecordings;
  /** Whether sound is downloaded without credentials, as from Twilio. */
  publicRecordings: boolean;
}
