import type { RoomSid, TrackSid } from '../base/sid.ts';
import type { DtlsIdentity } from './transport/dtls-identity.ts';
import type {
  BrowserMediaStats,
  BrowserQuality,
  LayerDemand,
  DataTracks,
  LocalIceDtls,
  MediaError,
  PhoneMediaStats,
  PhoneRemote,
  PlayOutcome,
  PromptSource,
  ReceiveTrack,
  RecordingOptions,
  RecordingResult,
  RemoteIceDtls,
  RoomVoice,
  SendTrack,
  StreamEndReason,
  StreamOptions,
  StreamWarning,
  VideoPolicy,
  TrackRecordingCodec,
  TrackRecordingOptions,
  TrackRecordingResult,
  Utterance,
} from './protocol.ts';

/** What travels between the control process and one media worker. Private to `media/`; the wall itself is `protocol.ts`. */
export interface WorkerSettings {
  bindAddress: string;
  publicAddress?: string;
  /** This worker's share, both ends inclusive. */
  rtpPorts: { min: number; max: number };
  webrtcPort: number;
  mediaTimeoutMs: number;
  /** For DTLS with phones. */
  dtlsIdentity: DtlsIdentity;
}

/** Each request with its question and its answer. */
export interface WorkerRequests {
  configure: { in: WorkerSettings; out: null };
  createPhone: { in: { phoneId: string }; out: { localPort: number } };
  connectPhone: { in: { phoneId: string; remote: PhoneRemote }; out: null };
  play: { in: { phoneId: string; playId: number; source: PromptSource; loops: number }; out: PlayOutcome };
  stopPlay: { in: { phoneId: string; playId: number }; out: null };
  keySignaled: { in: { phoneId: string; digit: string; heldMs: number }; out: null };
  sendDigits: { in: { phoneId: string; digits: string }; out: null };
  joinRoom: { in: { phoneId: string; roomSid: RoomSid; trackSid: TrackSid; voice: RoomVoice }; out: null };
  /** Nothing happens when it is in no room. */
  setRoomVoice: { in: { phoneId: string; voice: RoomVoice }; out: null };
  watchVoice: { in: { phoneId: string; on: boolean }; out: null };
  leaveRoom: { in: { phoneId: string }; out: null };
  phoneStats: { in: { phoneId: string }; out: PhoneMediaStats };
  closePhone: { in: { phoneId: string }; out: null };
  /** At the phone's worker: a loopback socket that carries the phone's voice to a room of another worker and back. */
  openPipe: { in: { phoneId: string }; out: { localPort: number } };
  connectPipe: { in: { phoneId: string; port: number }; out: null };
  closePipe: { in: { phoneId: string }; out: null };
  /** At the room's worker: the pipe's other end, a phone without a phone: no time-out, loopback only. */
  createPipeEnd: { in: { phoneId: string }; out: { localPort: number } };
  createRoom: { in: { roomSid: RoomSid }; out: null };
  closeRoom: { in: { roomSid: RoomSid }; out: null };
  /** `playId` is unique in the worker. */
  playRoom: { in: { roomSid: RoomSid; playId: number; source: PromptSource; loops: number }; out: PlayOutcome };
  stopRoomPlay: { in: { roomSid: RoomSid; playId: number }; out: null };
  /** `recordingId` is unique in the worker. */
  record: { in: { phoneId: string; recordingId: string; options: RecordingOptions }; out: null };
  recordRoom: { in: { roomSid: RoomSid; recordingId: string; options: RecordingOptions }; out: null };
  pauseRecording: { in: { recordingId: string; mode: 'skip' | 'silence' }; out: null };
  resumeRecording: { in: { recordingId: string }; out: null };
  openStream: { in: { phoneId: string; options: StreamOptions }; out: null };
  stopStream: { in: { phoneId: string; streamSid: string }; out: null };
  stopRecording: { in: { recordingId: string }; out: RecordingResult };
  recordTrack: { in: { roomSid: RoomSid; trackSid: TrackSid; recordingId: string; options: TrackRecordingOptions }; out: null };
  /** `listeningId` is unique in the worker. */
  listen: { in: { roomSid: RoomSid; trackSid: TrackSid; listeningId: string; folder: string }; out: null };
  stopListening: { in: { listeningId: string }; out: null };
  stopTrackRecording: { in: { recordingId: string }; out: TrackRecordingResult };
  createBrowser: { in: { browserId: string; roomSid: RoomSid; remote: RemoteIceDtls }; out: LocalIceDtls };
  restartIce: { in: { browserId: string; remote: RemoteIceDtls }; out: LocalIceDtls };
  setReceiveTracks: { in: { browserId: string; tracks: ReceiveTrack[] }; out: null };
  setSendTracks: { in: { browserId: string; tracks: SendTrack[] }; out: null };
  setDataTracks: { in: { browserId: string; tracks: DataTracks }; out: null };
  openChannel: { in: { browserId: string; label: string }; out: null };
  sendOnChannel: { in: { browserId: string; label: string; text: string }; out: null };
  showState: { in: { browserId: string; label: string; text: string }; out: null };
  setVideoPolicy: { in: { browserId: string; policy: VideoPolicy }; out: null };
  browserQuality: { in: { browserId: string }; out: BrowserQuality };
  browserStats: { in: { browserId: string }; out: BrowserMediaStats };
  closeBrowser: { in: { browserId: string }; out: null };
  /** Since the start of the worker; `steps` and `lateMs`: how often its 20 ms steps were taken, and by how much they came too late, summed. */
  cpuUsage: { in: Record<string, never>; out: { userMs: number; systemMs: number; rssBytes: number; steps: number; lateMs: number } };
}

export type WorkerRequestName = keyof WorkerRequests;
export type RequestBody<K extends WorkerRequestName> = WorkerRequests[K]['in'];
export type RequestResult<K extends WorkerRequestName> = WorkerRequests[K]['out'];

/** What a worker tells unasked. */
export type WorkerEvent =
  | { type: 'digitReceived'; phoneId: string; digit: string }
  | { type: 'firstPacketReceived'; phoneId: string }
  | { type: 'mediaTimedOut'; phoneId: string }
  | { type: 'securityFailed'; phoneId: string; why: string }
  | { type: 'voiceChanged'; phoneId: string; speaking: boolean }
  | { type: 'beepHeard'; phoneId: string }
  | { type: 'streamStarted'; phoneId: string; streamSid: string }
  | { type: 'streamWarned'; phoneId: string; streamSid: string; warning: StreamWarning; detail: string }
  | { type: 'streamEnded'; phoneId: string; streamSid: string; reason: StreamEndReason; detail: string }
  | { type: 'recordingEnded'; recordingId: string; result: RecordingResult }
  | { type: 'trackRecordingStarted'; recordingId: string; codec: TrackRecordingCodec; startedAtMs: number }
  | { type: 'trackRecordingEnded'; recordingId: string; result: TrackRecordingResult }
  /** No packet for 10 s, or packets again. */
  | { type: 'trackMediaChanged'; recordingId: string; lost: boolean }
  | { type: 'spoken'; listeningId: string; utterance: Utterance }
  | { type: 'listeningEnded'; listeningId: string }
  | { type: 'activeSpeakerChanged'; roomSid: RoomSid; trackSid: TrackSid | null }
  | { type: 'layersWanted'; roomSid: RoomSid; demand: LayerDemand }
  | { type: 'videoSwitched'; browserId: string; off: TrackSid[]; on: TrackSid[] }
  | { type: 'browserConnected'; browserId: string }
  | { type: 'browserFailed'; browserId: string }
  | { type: 'channelMessage'; browserId: string; label: string; text: string };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type ToWorker = { kind: 'request'; id: number; name: WorkerRequestName; body: unknown };

export type FromWorker =
  | { kind: 'answer'; id: number; result: unknown }
  | { kind: 'refusal'; id: number; reason: MediaError['reason']; message: string }
  | { kind: 'event'; event: WorkerEvent }
  | { kind: 'log'; level: LogLevel; fields: Record<string, unknown>; message: string };

/** One function per request, as the worker serves them. */
export type WorkerHandlers = { [K in WorkerRequestName]: (body: RequestBody<K>) => RequestResult<K> | Promise<RequestResult<K>> };
