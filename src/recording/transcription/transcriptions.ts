import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { messageOf, TwilioError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Room, Rooms } from '../../rooms/contract.ts';
import type { SpeechRecognizer } from '../../voice/speech-recognition.ts';
import { wishesOf } from './configuration.ts';
import type { TranscriptionsConfiguration, TranscriptionsRecord, TranscriptionsRepository, TranscriptionsStatus } from './model.ts';
import { RoomTranscriber } from './room-transcriber.ts';

export interface TranscriptionsDeps {
  clock: Clock;
  log: Log;
  rooms: Rooms;
  repository: TranscriptionsRepository;
  /** Null: none is configured. */
  recognizer: SpeechRecognizer | null;
}

/** Transcriptions of rooms (contract §7.8): started over REST or by the room's own parameters, one at a time in a room. */
export interface RoomTranscriptions {
  /** Throws TwilioError 20001: no recognizer, or the room is being transcribed already. */
  start(room: Room, configuration: TranscriptionsConfiguration): Promise<TranscriptionsRecord>;
  /** Idempotent; throws TwilioError 20001 for a stopped one that is to be started while another one is. */
  setStatus(room: Room, record: TranscriptionsRecord, status: Exclude<TranscriptionsStatus, 'failed'>): Promise<TranscriptionsRecord>;
  stop(): void;
}

/** Rooms that ask for it themselves are transcribed from their beginning. */
export function createRoomTranscriptions(deps: TranscriptionsDeps): RoomTranscriptions {
  return new TranscriptionService(deps);
}

class TranscriptionService implements RoomTranscriptions {
  readonly #deps: TranscriptionsDeps;
  readonly #live = new Map<Room, TranscriptionsRecord>();
  readonly #forget: () => void;

  constructor(deps: TranscriptionsDeps) {
    this.#deps = deps;
    this.#forget = deps.rooms.onOpened((room) => this.#roomOpened(room));
  }

  #roomOpened(room: Room): void {
    const { transcribeOnConnect } = room.record;
    if (!transcribeOnConnect) return;
    this.start(room, transcribeOnConnect).catch((error: unknown) => this.#deps.log.warn({ roomSid: room.sid, error: messageOf(error) }, 'a room that should be transcribed is not'));
  }

  start(room: Room, configuration: TranscriptionsConfiguration): Promise<TranscriptionsRecord> {
    const nowMs = this.#deps.clock.wallMs();
    return this.#begin(room, {
      ttid: `video_extension_${randomUUID()}`,
      accountSid: room.accountSid,
      roomSid: room.sid,
      status: 'started',
      configuration,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      startedAtMs: nowMs,
      endedAtMs: null,
    });
  }

  async #begin(room: Room, record: TranscriptionsRecord): Promise<TranscriptionsRecord> {
    const { recognizer, log } = this.#deps;
    if (!recognizer) throw new TwilioError(20001, 'Transcriptions need a speech recognizer: set PARTYLINE_SPEECH_RECOGNIZER');
    if (this.#live.has(room)) throw new TwilioError(20001, 'The room is being transcribed already');
    const wishes = wishesOf(record.configuration);
    this.#live.set(room, record);
    room.once('ended', () => this.#over(room, record));
    try {
      const folder = dirname(await recognizer.newFile());
      if (this.#live.get(room) !== record) return record;
      room.setTranscriptionSource(new RoomTranscriber({ room, recognizer, folder, wishes, log: log.child({ roomSid: room.sid }) }));
    } catch (error) {
      this.#over(room, record, 'failed');
      throw error;
    }
    this.#deps.repository.saveTranscriptions({ ...record });
    return record;
  }

  async setStatus(room: Room, record: TranscriptionsRecord, status: Exclude<TranscriptionsStatus, 'failed'>): Promise<TranscriptionsRecord> {
    const live = this.#live.get(room);
    const isLive = live?.ttid === record.ttid;
    if (status === 'stopped') return live && isLive ? this.#stopped(room, live) : record;
    if (live && isLive) return live;
    return this.#begin(room, { ...record, status, endedAtMs: null, startedAtMs: this.#deps.clock.wallMs(), updatedAtMs: this.#deps.clock.wallMs() });
  }

  #stopped(room: Room, record: TranscriptionsRecord): TranscriptionsRecord {
    room.setTranscriptionSource(null);
    this.#over(room, record);
    return record;
  }

  #over(room: Room, record: TranscriptionsRecord, status: TranscriptionsStatus = 'stopped'): void {
    if (this.#live.get(room) !== record) return;
    this.#live.delete(room);
    const nowMs = this.#deps.clock.wallMs();
    Object.assign(record, { status, endedAtMs: nowMs, updatedAtMs: nowMs });
    this.#deps.repository.saveTranscriptions({ ...record });
  }

  stop(): void {
    this.#forget();
    for (const [room, record] of [...this.#live]) this.#stopped(room, record);
  }
}
