import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { Emitter } from '../../base/emitter.ts';
import { TwilioError, messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { newSid } from '../../base/sid.ts';
import { MediaError, type MediaRecording, type RecordingResult } from '../../media/protocol.ts';
import type { CallbackSender } from '../contract.ts';
import type { CallRepository } from '../model.ts';
import type { RecordingRecord, RecordingRepository } from './model.ts';
import { tellRecording } from './recording-callbacks.ts';
import { recordingSeconds, type LiveRecording, type Recordings, type StartRecording } from './recordings.ts';
import { soundOfFile } from './sound-of-file.ts';

export interface RecordingServiceDeps {
  clock: Clock;
  log: Log;
  repository: RecordingRepository;
  calls: CallRepository;
  callbacks: CallbackSender;
}

export interface RecordingServiceOptions {
  /** Files lie below it, one folder an account. */
  folder: string;
  /** What RecordingUrl begins with: scheme, host and port. */
  origin: () => string;
}

export function createRecordings(options: RecordingServiceOptions, deps: RecordingServiceDeps): Recordings {
  return new RecordingService(options, deps);
}

class RecordingService implements Recordings {
  readonly #options: RecordingServiceOptions;
  readonly #deps: RecordingServiceDeps;
  readonly #live = new Map<string, RunningRecording>();
  #stopping = false;

  constructor(options: RecordingServiceOptions, deps: RecordingServiceDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  async start(options: StartRecording): Promise<LiveRecording> {
    if (this.#stopping) throw new TwilioError(20503, 'The server is stopping.', { status: 503 });
    const record = newRecord(options, this.#deps.clock.wallMs());
    const path = this.pathOf(record);
    await mkdir(join(this.#options.folder, record.accountSid), { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      throw new MediaError('bad-request', `the folder of recordings cannot be made: ${messageOf(error)}`);
    });
    const media = await options.begin(path);
    const recording = new RunningRecording(record, media, { save: () => this.#save(record), over: (result) => this.#over(record, result) });
    this.#live.set(record.sid, recording);
    this.#save(record);
    this.#tell('in-progress', record);
    // The server may have begun to stop while the media plane was asked.
    if (this.#stopping) void recording.stop();
    return recording;
  }

  live(recordingSid: string): LiveRecording | null {
    return this.#live.get(recordingSid) ?? null;
  }

  liveOf(callOrConferenceSid: string): LiveRecording[] {
    return [...this.#live.values()].filter(({ record }) => record.callSid === callOrConferenceSid || record.conferenceSid === callOrConferenceSid);
  }

  urlOf({ sid, accountSid }: Pick<RecordingRecord, 'sid' | 'accountSid'>): string {
    return `${this.#options.origin()}/2010-04-01/Accounts/${accountSid}/Recordings/${sid}`;
  }

  parametersOf(record: Readonly<RecordingRecord>): [name: string, value: string][] {
    return [
      ['RecordingUrl', this.urlOf(record)],
      ['RecordingSid', record.sid],
      ['RecordingDuration', String(recordingSeconds(record) ?? 0)],
    ];
  }

  pathOf({ sid, accountSid }: Pick<RecordingRecord, 'sid' | 'accountSid'>): string {
    return join(this.#options.folder, accountSid, `${sid}.wav`);
  }

  async remove(record: Readonly<RecordingRecord>): Promise<void> {
    if (this.#live.has(record.sid)) throw new TwilioError(20009, 'A recording that is not over cannot be deleted', { status: 409 });
    await this.#removeFiles(record);
    await this.#deps.repository.deleteRecording(record.accountSid, record.sid);
  }

  async closeLeftovers(): Promise<void> {
    for (const record of await this.#deps.repository.unfinishedRecordings()) {
      if (!this.#live.has(record.sid)) await this.#over(record, { reason: 'lost', durationMs: 0, bytes: 0 });
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#live.values()].map((recording) => recording.stop()));
  }

  /** Settles what the file holds, keeps and tells it. Never rejects. */
  async #over(record: RecordingRecord, result: RecordingResult): Promise<void> {
    const sound = await this.#soundOf(record, result);
    record.durationMs = Math.round(sound.durationMs);
    record.bytes = sound.bytes;
    record.status = record.durationMs > 0 ? 'completed' : 'absent';
    if (record.status === 'absent') await this.#removeFiles(record);
    this.#save(record);
    this.#live.delete(record.sid);
    this.#deps.log.info({ recordingSid: record.sid, callSid: record.callSid, conferenceSid: record.conferenceSid, durationMs: record.durationMs, reason: result.reason }, 'a recording ended');
    this.#tell(record.status, record);
  }

  /** What a media worker has written that can no longer tell is on the disk. */
  async #soundOf(record: Readonly<RecordingRecord>, result: RecordingResult): Promise<{ durationMs: number; bytes: number }> {
    return result.reason === 'lost' ? await soundOfFile(this.pathOf(record)) : result;
  }

  async #removeFiles(record: Readonly<RecordingRecord>): Promise<void> {
    for (const extension of ['.wav', '.mp3', '.mono.wav', '.mono.mp3']) await rm(this.pathOf(record).replace(/\.wav$/, extension), { force: true }).catch((error: unknown) => this.#deps.log.warn({ recordingSid: record.sid, error: messageOf(error) }, 'a file of a recording cannot be removed'));
  }

  #save(record: RecordingRecord): void {
    record.updatedAtMs = this.#deps.clock.wallMs();
    this.#deps.repository.saveRecording({ ...record });
  }

  #tell(event: 'in-progress' | 'completed' | 'absent', record: Readonly<RecordingRecord>): void {
    const { callbacks, calls, clock } = this.#deps;
    tellRecording(event, { record: { ...record }, url: this.urlOf(record) }, { callbacks, calls, wallMs: () => clock.wallMs() });
  }
}

interface RecordingOwner {
  save: () => void;
  over: (result: RecordingResult) => Promise<void>;
}

class RunningRecording extends Emitter<{ ended: [record: Readonly<RecordingRecord>] }> implements LiveRecording {
  readonly record: RecordingRecord;
  readonly done: Promise<Readonly<RecordingRecord>>;
  readonly #media: MediaRecording;
  readonly #owner: RecordingOwner;

  constructor(record: RecordingRecord, media: MediaRecording, owner: RecordingOwner) {
    super();
    this.record = record;
    this.#media = media;
    this.#owner = owner;
    this.done = new Promise((resolve) => {
      if (media.result) resolve(this.#close(media.result));
      else media.once('ended', (result) => resolve(this.#close(result)));
    });
  }

  get #running(): boolean {
    return this.record.status === 'in-progress' || this.record.status === 'paused';
  }

  async pause(mode: 'skip' | 'silence'): Promise<void> {
    if (!this.#running) return;
    await this.#media.pause(mode);
    this.#turn('paused');
  }

  async resume(): Promise<void> {
    if (!this.#running) return;
    await this.#media.resume();
    this.#turn('in-progress');
  }

  async stop(): Promise<Readonly<RecordingRecord>> {
    if (this.#running) {
      this.#turn('stopped');
      // A worker that died says so by the `ended` event, which `done` waits for.
      await this.#media.stop().catch(() => undefined);
    }
    return await this.done;
  }

  async #close(result: RecordingResult): Promise<Readonly<RecordingRecord>> {
    await this.#owner.over(result);
    const record = { ...this.record };
    this.emit('ended', record);
    return record;
  }

  /** A step that the end has overtaken is no step. */
  #turn(status: 'in-progress' | 'paused' | 'stopped'): void {
    if (!this.#running) return;
    this.record.status = status;
    this.#owner.save();
  }
}

function newRecord(options: StartRecording, nowMs: number): RecordingRecord {
  const { accountSid, callSid, conferenceSid, source, channels, track, callback } = options;
  return { sid: newSid('RE'), accountSid, callSid, conferenceSid, status: 'in-progress', source, channels, track, durationMs: null, bytes: null, callback, startedAtMs: nowMs, createdAtMs: nowMs, updatedAtMs: nowMs };
}
