import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { newSid, type RoomRecordingSid } from '../base/sid.ts';
import type { TrackRecording, TrackRecordingCodec, TrackRecordingResult } from '../media/protocol.ts';
import type { Participant, Publication, Room } from '../rooms/contract.ts';
import type { RoomRecordingRecord, RoomRecordingType } from './model.ts';

/** Longer than any room. */
const MAX_DURATION_MS = 86_400_000;

/** How a run reaches files, rows and whoever is told; all never throw, but for `prepare`. */
export interface TrackRunDeps {
  clock: Clock;
  log: Log;
  /** Makes the folder and the absolute path without extension. Rejects when nothing can be written there. */
  prepare: (file: Pick<RoomRecordingRecord, 'accountSid' | 'sid'>) => Promise<string>;
  started: (record: RoomRecordingRecord) => void;
  /** Completes row and file. */
  ended: (record: RoomRecordingRecord, result: TrackRecordingResult) => Promise<void>;
  failed: (record: RoomRecordingRecord, operation: FailedOperation) => Promise<void>;
  /** No media ever came: there is no recording. */
  nothing: (sid: RoomRecordingSid) => void;
  mediaChanged: (lacks: boolean) => void;
}

/** `FailedOperation` of a recording-failed callback. */
export type FailedOperation = 'start' | 'write';

/** One track's recording from the moment that rules want it. Its resource begins with the first media. */
export class TrackRun {
  readonly sid = newSid('RT');
  readonly #room: Room;
  readonly #publisher: Participant;
  readonly #track: Publication;
  readonly #deps: TrackRunDeps;
  #over = (): void => undefined;
  #media: TrackRecording | null = null;
  #record: RoomRecordingRecord | null = null;
  #stopping = false;
  /** Resolves when no more media is written, whoever ended it. */
  readonly written: Promise<void>;
  /** Resolves when the file is complete, or given up. Never rejects. */
  readonly done: Promise<void>;

  constructor(what: { room: Room; publisher: Participant; track: Publication }, deps: TrackRunDeps) {
    this.#room = what.room;
    this.#publisher = what.publisher;
    this.#track = what.track;
    this.#deps = deps;
    this.written = new Promise((resolve) => (this.#over = resolve));
    this.done = this.#run();
  }

  stop(): Promise<void> {
    this.#stopping = true;
    // One whose worker died says so by its end.
    this.#media?.stop().catch((error: unknown) => this.#deps.log.debug({ recordingSid: this.sid, error: messageOf(error) }, 'a recording was over before it was stopped'));
    return this.done;
  }

  async #run(): Promise<void> {
    try {
      const path = await this.#deps.prepare({ accountSid: this.#room.accountSid, sid: this.sid });
      if (this.#stopping) return this.#deps.nothing(this.sid);
      const media = await (await this.#room.media()).recordTrack(this.#track.sid, { path, kind: this.#type, maxDurationMs: MAX_DURATION_MS });
      await this.#follow(media);
    } catch (error) {
      await this.#fail(error);
    } finally {
      this.#deps.mediaChanged(false);
      this.#over();
    }
  }

  async #follow(media: TrackRecording): Promise<void> {
    this.#media = media;
    const ended = new Promise<TrackRecordingResult>((resolve) => {
      if (media.result) resolve(media.result);
      else media.once('ended', resolve);
    });
    media.on('mediaLost', () => this.#deps.mediaChanged(true));
    media.on('mediaReturned', () => this.#deps.mediaChanged(false));
    if (media.begun) this.#begin(...media.begun);
    else media.once('started', (codec, startedAtMs) => this.#begin(codec, startedAtMs));
    if (this.#stopping) void this.stop();
    const result = await ended;
    this.#over();
    if (!this.#record && result.codec !== null && result.startedAtMs !== null) this.#begin(result.codec, result.startedAtMs);
    if (this.#record) await this.#deps.ended(this.#record, result);
    else if (result.reason === 'lost') await this.#deps.failed(this.#newRecord(), 'write');
    else this.#deps.nothing(this.sid);
  }

  #begin(codec: TrackRecordingCodec, startedAtMs: number): void {
    if (this.#record) return;
    this.#record = { ...this.#newRecord(), codec, offsetMs: Math.round(startedAtMs) };
    this.#deps.started(this.#record);
  }

  /** A room that ended while its recording was to begin is no failure. */
  async #fail(error: unknown): Promise<void> {
    if (this.#room.ended || this.#stopping) return this.#deps.nothing(this.sid);
    this.#deps.log.error({ roomSid: this.#room.sid, trackSid: this.#track.sid, error: messageOf(error) }, 'a track could not be recorded');
    await this.#deps.failed(this.#record ?? this.#newRecord(), 'start');
  }

  /** Null until media came. */
  get record(): Readonly<RoomRecordingRecord> | null {
    return this.#record;
  }

  get #type(): RoomRecordingType {
    return this.#track.kind === 'video' ? 'video' : 'audio';
  }

  #newRecord(): RoomRecordingRecord {
    const nowMs = this.#deps.clock.wallMs();
    const { accountSid, sid: roomSid, record } = this.#room;
    return {
      sid: this.sid,
      accountSid,
      roomSid,
      participantSid: this.#publisher.sid,
      trackSid: this.#track.sid,
      trackName: this.#track.name,
      type: this.#type,
      status: 'processing',
      container: this.#type === 'audio' ? 'mka' : 'mkv',
      codec: this.#type === 'video' ? 'VP8' : this.#publisher.medium === 'phone' ? 'PCMU' : 'OPUS',
      bytes: null,
      durationMs: null,
      offsetMs: nowMs,
      statusCallback: record.statusCallback,
      statusCallbackMethod: record.statusCallbackMethod,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
    };
  }
}
