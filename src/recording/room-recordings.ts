import { mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { InternalError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { TrackRecordingResult } from '../media/protocol.ts';
import type { Participant, Publication, Room, Rooms } from '../rooms/contract.ts';
import type { RoomCallbackSender, RoomRepository } from '../rooms/model.ts';
import { RoomCallbacks } from '../rooms/room-callbacks.ts';
import type { RoomRecordings } from './contract.ts';
import { mediaOfFile } from './media-of-file.ts';
import type { RoomRecordingRecord, RoomRecordingRepository } from './model.ts';
import { completedParameters, failedParameters, recordingParameters } from './recording-callbacks.ts';
import { RoomRecorder } from './room-recorder.ts';
import type { TrackRunDeps } from './track-run.ts';

/** Less free space than this, and no recording begins: the database lives on the same disk. */
const MIN_FREE_BYTES = 256 * 1024 * 1024;

export interface RoomRecordingsDeps {
  clock: Clock;
  log: Log;
  rooms: Rooms;
  repository: RoomRecordingRepository;
  roomRepository: Pick<RoomRepository, 'findRoom' | 'findParticipant'>;
  callbacks: RoomCallbackSender;
}

export interface RoomRecordingsOptions {
  /** Files lie below it, one folder an account, named by SID. */
  folder: string;
  /** Free space that a recording needs to begin, 256 MiB by default. */
  minFreeBytes?: number;
}

/** Records every room of `rooms` by its rules from now on. */
export function createRoomRecordings(options: RoomRecordingsOptions, deps: RoomRecordingsDeps): RoomRecordings {
  return new RecordingService(options, deps);
}

class RecordingService implements RoomRecordings {
  readonly #options: RoomRecordingsOptions;
  readonly #deps: RoomRecordingsDeps;
  readonly #recorders = new Map<Room, RoomRecorder>();
  readonly #forget: () => void;
  #leftovers: Promise<void> = Promise.resolve();

  constructor(options: RoomRecordingsOptions, deps: RoomRecordingsDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#forget = deps.rooms.onOpened((room) => this.#roomOpened(room));
  }

  pathOf({ sid, accountSid, container }: Pick<RoomRecordingRecord, 'sid' | 'accountSid' | 'container'>): string {
    return join(this.#options.folder, accountSid, `${sid}.${container}`);
  }

  async remove(record: Readonly<RoomRecordingRecord>): Promise<void> {
    const completed = await this.#stopped(record);
    await this.#removeFile(completed);
    this.#save({ ...completed, status: 'deleted' });
  }

  async #stopped(record: Readonly<RoomRecordingRecord>): Promise<Readonly<RoomRecordingRecord>> {
    for (const recorder of this.#recorders.values()) {
      const stopped = await recorder.stopRecording(record.sid);
      if (stopped) return stopped;
    }
    return record;
  }

  async closeLeftovers(): Promise<void> {
    const leftovers = await this.#deps.repository.unfinishedRecordings();
    this.#leftovers = (async () => {
      for (const record of leftovers) await this.#closeLeftover(record).catch((error: unknown) => this.#deps.log.error({ recordingSid: record.sid, error: messageOf(error) }, 'what a crash left of a recording could not be completed'));
    })();
  }

  async #closeLeftover(record: RoomRecordingRecord): Promise<void> {
    const { roomRepository, callbacks, clock } = this.#deps;
    const completed = await this.#complete(record, null);
    this.#ended(record, 'lost');
    const room = await roomRepository.findRoom(record.accountSid, record.roomSid);
    if (!room) return;
    const identity = (await roomRepository.findParticipant(record.roomSid, record.participantSid))?.identity ?? '';
    const [event, parameters] = completed ? (['recording-completed', completedParameters(record)] as const) : (['recording-failed', failedParameters('write')] as const);
    new RoomCallbacks(() => room, { callbacks, clock }).send(event, { parameters: [...recordingParameters(record, identity), ...parameters] });
  }

  async stop(): Promise<void> {
    this.#forget();
    await Promise.all([this.#leftovers, ...[...this.#recorders.values()].map((recorder) => recorder.close())]);
  }

  #roomOpened(room: Room): void {
    const recorder = new RoomRecorder(room, (publisher, track) => this.#depsOf(room, publisher, track));
    this.#recorders.set(room, recorder);
    room.once('ended', () => void recorder.close().finally(() => this.#recorders.delete(room)));
  }

  #depsOf(room: Room, publisher: Participant, track: Publication): TrackRunDeps {
    const parameters = (record: RoomRecordingRecord): [string, string][] => recordingParameters(record, publisher.identity);
    return {
      clock: this.#deps.clock,
      log: this.#deps.log,
      prepare: (file) => this.#prepare(file),
      started: (record) => {
        this.#save(record);
        room.tellRecording('recording-started', parameters(record));
      },
      ended: async (record, result) => {
        const completed = await this.#complete(record, result);
        this.#ended(record, result.reason);
        if (completed) room.tellRecording('recording-completed', [...parameters(record), ...completedParameters(record)]);
        else room.tellRecording('recording-failed', [...parameters(record), ...failedParameters('write')]);
      },
      failed: async (record, operation) => {
        await this.#fail(record);
        this.#ended(record, operation);
        room.tellRecording('recording-failed', [...parameters(record), ...failedParameters(operation)]);
      },
      nothing: (sid) => this.#deps.log.debug({ recordingSid: sid, trackSid: track.sid }, 'a track that was to be recorded sent nothing'),
      mediaChanged: (lacks) => room.recording.setLacksMedia(track.sid, lacks),
    };
  }

  async #prepare({ accountSid, sid }: Pick<RoomRecordingRecord, 'accountSid' | 'sid'>): Promise<string> {
    const folder = join(this.#options.folder, accountSid);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < (this.#options.minFreeBytes ?? MIN_FREE_BYTES)) throw new InternalError('the disk of the recordings is nearly full');
    return join(folder, sid);
  }

  /** What the file holds, by whoever wrote it or, when that is gone, by the file itself. False: nothing, and the row says so. */
  async #complete(record: RoomRecordingRecord, result: TrackRecordingResult | null): Promise<boolean> {
    const told = result && (result.reason !== 'lost' || result.durationMs > 0);
    const { bytes, durationMs } = told ? result : await mediaOfFile(this.pathOf(record), record);
    record.codec = result?.codec ?? record.codec;
    record.offsetMs = Math.round(result?.startedAtMs ?? record.offsetMs);
    if (bytes === 0 || durationMs <= 0) {
      await this.#fail(record);
      return false;
    }
    record.bytes = bytes;
    record.durationMs = Math.round(durationMs);
    record.status = 'completed';
    this.#save(record);
    return true;
  }

  async #fail(record: RoomRecordingRecord): Promise<void> {
    await this.#removeFile(record);
    record.bytes = 0;
    record.durationMs = 0;
    record.status = 'failed';
    this.#save(record);
  }

  async #removeFile(record: Readonly<RoomRecordingRecord>): Promise<void> {
    await rm(this.pathOf(record), { force: true }).catch((error: unknown) => this.#deps.log.warn({ recordingSid: record.sid, error: messageOf(error) }, 'the file of a recording cannot be removed'));
  }

  #save(record: RoomRecordingRecord): void {
    record.updatedAtMs = this.#deps.clock.wallMs();
    this.#deps.repository.saveRecording({ ...record });
  }

  #ended({ sid, roomSid, trackSid, status, durationMs }: Readonly<RoomRecordingRecord>, reason: string): void {
    this.#deps.log.info({ recordingSid: sid, roomSid, trackSid, status, durationMs, reason }, 'a recording of a track ended');
  }
}
