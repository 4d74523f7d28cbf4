import { Emitter } from '../base/emitter.ts';
import { newSid, type RoomSid, type TrackSid } from '../base/sid.ts';
import {
  MediaError,
  type BrowserMedia,
  type MediaPlane,
  type MediaRecording,
  type MediaStream,
  type MediaStreamEvents,
  type PhoneMedia,
  type PhoneMediaEvents,
  type PhoneRemote,
  type PlayOutcome,
  type PromptSource,
  type RecordingOptions,
  type RecordingResult,
  type RoomMedia,
  type RoomMediaEvents,
  type RoomVoice,
  type StreamEndReason,
  type StreamOptions,
  type TrackListening,
  type TrackListeningEvents,
  type TrackRecording,
  type TrackRecordingCodec,
  type TrackRecordingEvents,
  type TrackRecordingOptions,
  type TrackRecordingResult,
} from '../media/protocol.ts';

export class FakePhone extends Emitter<PhoneMediaEvents> implements PhoneMedia {
  readonly id = 'phone';
  readonly localPort = 20_000;
  readonly remotes: PhoneRemote[] = [];
  readonly played: { source: PromptSource; loops: number }[] = [];
  readonly digits: string[] = [];
  near: RoomMedia | null = null;
  /** Where it is, and how. */
  room: RoomMedia | null = null;
  voice: RoomVoice | null = null;
  /** As what it publishes. */
  trackSid: TrackSid | null = null;
  readonly recordings: FakeRecording[] = [];
  readonly streams: FakeStream[] = [];
  watched = false;
  closed = false;
  /** What `stats` answers. */
  counted: Awaited<ReturnType<PhoneMedia['stats']>> = { packetsReceived: 0, packetsSent: 0, packetsLost: 0, packetsDiscarded: 0, jitterMs: 0 };
  /** On: prompts go on until they are stopped. */
  playsOn = false;

  connect(remote: PhoneRemote): Promise<void> {
    this.remotes.push(remote);
    return Promise.resolve();
  }

  play(source: PromptSource, options: { loops?: number; signal?: AbortSignal } = {}): Promise<PlayOutcome> {
    this.played.push({ source, loops: options.loops ?? 1 });
    if (!this.playsOn) return Promise.resolve('finished');
    return new Promise((resolve) => options.signal?.addEventListener('abort', () => resolve('stopped')));
  }

  keySignaled({ digit }: { digit: string }): Promise<void> {
    this.emit('digitReceived', digit);
    return Promise.resolve();
  }

  sendDigits(digits: string): Promise<void> {
    this.digits.push(digits);
    return Promise.resolve();
  }

  joinRoom(room: RoomMedia, { trackSid, voice = {} }: { trackSid: TrackSid; voice?: Partial<RoomVoice> }): Promise<void> {
    this.room = room;
    this.trackSid = trackSid;
    this.voice = { muted: false, held: false, heardBy: null, hears: null, ...voice };
    return Promise.resolve();
  }

  setRoomVoice(voice: Partial<RoomVoice>): Promise<void> {
    if (this.voice) this.voice = { ...this.voice, ...voice };
    return Promise.resolve();
  }

  record(options: RecordingOptions): Promise<MediaRecording> {
    const recording = new FakeRecording(options);
    this.recordings.push(recording);
    return Promise.resolve(recording);
  }

  openStream(options: StreamOptions): Promise<MediaStream> {
    const stream = new FakeStream(options);
    this.streams.push(stream);
    return Promise.resolve(stream);
  }

  watchVoice(on: boolean): Promise<void> {
    this.watched = on;
    return Promise.resolve();
  }

  leaveRoom(): Promise<void> {
    this.room = null;
    this.voice = null;
    return Promise.resolve();
  }

  stats(): ReturnType<PhoneMedia['stats']> {
    return Promise.resolve(this.counted);
  }

  close(): Promise<void> {
    this.closed = true;
    for (const recording of this.recordings) recording.end('phone-closed');
    return Promise.resolve();
  }
}

export class FakeRecording extends Emitter<{ ended: [result: RecordingResult] }> implements MediaRecording {
  readonly options: Partial<RecordingOptions> & { path: string };
  paused: 'skip' | 'silence' | null = null;
  result: RecordingResult | null = null;

  constructor(options: Partial<RecordingOptions> & { path: string }) {
    super();
    this.options = options;
  }

  pause(mode: 'skip' | 'silence'): Promise<void> {
    this.paused = mode;
    return Promise.resolve();
  }

  resume(): Promise<void> {
    this.paused = null;
    return Promise.resolve();
  }

  stop(): Promise<RecordingResult> {
    return Promise.resolve(this.end('stopped'));
  }

  /** Ends it as the media plane would. */
  end(reason: RecordingResult['reason'], durationMs = 2000): RecordingResult {
    if (this.result) return this.result;
    this.result = { reason, durationMs, bytes: 44 + durationMs * 16 };
    this.emit('ended', this.result);
    return this.result;
  }
}

export class FakeTrackRecording extends Emitter<TrackRecordingEvents> implements TrackRecording {
  readonly trackSid: TrackSid;
  readonly options: TrackRecordingOptions;
  begun: TrackRecordingEvents['started'] | null = null;
  result: TrackRecordingResult | null = null;

  constructor(trackSid: TrackSid, options: TrackRecordingOptions) {
    super();
    this.trackSid = trackSid;
    this.options = options;
  }

  /** The first media comes. */
  start(codec: TrackRecordingCodec = this.options.kind === 'audio' ? 'OPUS' : 'VP8', startedAtMs = 1_700_000_000_000): void {
    this.begun = [codec, startedAtMs];
    this.emit('started', codec, startedAtMs);
  }

  stop(): Promise<TrackRecordingResult> {
    return Promise.resolve(this.end('stopped'));
  }

  /** Ends it as the media plane would; writes no file. */
  end(reason: TrackRecordingResult['reason'], durationMs = 2000): TrackRecordingResult {
    if (this.result) return this.result;
    const container = this.options.kind === 'audio' ? 'mka' : 'mkv';
    const path = `${this.options.path}.${container}`;
    this.result = this.begun
      ? { reason, durationMs, bytes: 500 + durationMs, codec: this.begun[0], container, path, startedAtMs: this.begun[1] }
      : { reason: 'no-media', durationMs: 0, bytes: 0, codec: null, container, path, startedAtMs: null };
    this.emit('ended', this.result);
    return this.result;
  }
}

export class FakeStream extends Emitter<MediaStreamEvents> implements MediaStream {
  readonly options: StreamOptions;
  ending: MediaStreamEvents['ended'] | null = null;

  constructor(options: StreamOptions) {
    super();
    this.options = options;
  }

  get over(): boolean {
    return this.ending !== null;
  }

  get streamSid(): string {
    return this.options.streamSid;
  }

  stop(): Promise<void> {
    this.end('stopped');
    return Promise.resolve();
  }

  end(reason: StreamEndReason, detail = ''): void {
    if (this.ending) return;
    this.ending = [reason, detail];
    this.emit('ended', reason, detail);
  }
}

export class FakeMediaPlane implements MediaPlane {
  readonly dtlsFingerprint = `sha-256 ${Array(32).fill('AB').join(':')}`;
  readonly phones: FakePhone[] = [];
  readonly rooms: FakeRoomMedia[] = [];
  failure: MediaError | null = null;

  createPhone({ near }: { near?: RoomMedia }): Promise<PhoneMedia> {
    if (this.failure) return Promise.reject(this.failure);
    const phone = new FakePhone();
    phone.near = near ?? null;
    this.phones.push(phone);
    return Promise.resolve(phone);
  }

  createRoom({ roomSid }: { roomSid: RoomSid }): Promise<RoomMedia> {
    const room = new FakeRoomMedia(roomSid);
    this.rooms.push(room);
    return Promise.resolve(room);
  }
}

export class FakeListening extends Emitter<TrackListeningEvents> implements TrackListening {
  readonly trackSid: TrackSid;
  readonly folder: string;
  stopped = false;

  constructor(trackSid: TrackSid, folder: string) {
    super();
    this.trackSid = trackSid;
    this.folder = folder;
  }

  stop(): Promise<void> {
    this.stopped = true;
    return Promise.resolve();
  }
}

export class FakeRoomMedia extends Emitter<RoomMediaEvents> implements RoomMedia {
  readonly roomSid: RoomSid;
  readonly played: { source: PromptSource; loops: number }[] = [];
  readonly recordings: FakeRecording[] = [];
  readonly trackRecordings: FakeTrackRecording[] = [];
  readonly listenings: FakeListening[] = [];
  activeSpeaker: TrackSid | null = null;
  /** How often it was closed. */
  closed = 0;

  constructor(roomSid: RoomSid = newSid('RM')) {
    super();
    this.roomSid = roomSid;
  }

  createBrowser(): Promise<BrowserMedia> {
    return Promise.reject(new MediaError('closed', 'no browsers here'));
  }

  play(source: PromptSource, options: { loops?: number } = {}): Promise<PlayOutcome> {
    this.played.push({ source, loops: options.loops ?? 1 });
    return Promise.resolve('finished');
  }

  record(options: { path: string }): Promise<MediaRecording> {
    const recording = new FakeRecording(options);
    this.recordings.push(recording);
    return Promise.resolve(recording);
  }

  recordTrack(trackSid: TrackSid, options: TrackRecordingOptions): Promise<TrackRecording> {
    const recording = new FakeTrackRecording(trackSid, options);
    this.trackRecordings.push(recording);
    return Promise.resolve(recording);
  }

  listen(trackSid: TrackSid, options: { folder: string }): Promise<TrackListening> {
    const listening = new FakeListening(trackSid, options.folder);
    this.listenings.push(listening);
    return Promise.resolve(listening);
  }

  close(): Promise<void> {
    this.closed++;
    for (const recording of [...this.recordings, ...this.trackRecordings]) recording.end('phone-closed');
    return Promise.resolve();
  }
}

export function fakeRoomMedia(): FakeRoomMedia {
  return new FakeRoomMedia();
}
