import type { RoomRecordingSid, TrackSid } from '../base/sid.ts';
import type { Participant, Publication, Room } from '../rooms/contract.ts';
import type { RoomRecordingRecord } from './model.ts';
import { TrackRun, type TrackRunDeps } from './track-run.ts';

/** Makes a room's recordings follow its rules: for tracks that are there, for those that come, and at each change (contract §7.6). */
export class RoomRecorder {
  readonly #room: Room;
  readonly #depsOf: (publisher: Participant, track: Publication) => TrackRunDeps;
  /** Runs that go on, and those that ended by themselves: these are not begun again. */
  readonly #runs = new Map<TrackSid, { run: TrackRun; over: boolean }>();
  /** Those whose files are not complete yet. */
  readonly #unfinished = new Map<RoomRecordingSid, TrackRun>();
  #closed = false;

  constructor(room: Room, depsOf: (publisher: Participant, track: Publication) => TrackRunDeps) {
    this.#room = room;
    this.#depsOf = depsOf;
    room.on('trackPublished', (publisher, track) => this.#look(publisher, track));
    room.on('trackUnpublished', (_publisher, track) => this.#stop(track.sid));
    room.recording.on('rulesChanged', () => this.#lookAtAll());
  }

  /** Stops all and resolves when all files are complete; nothing starts any more. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const sid of [...this.#runs.keys()]) this.#stop(sid);
    await Promise.all([...this.#unfinished.values()].map((run) => run.done));
  }

  /** Ends one recording, which its track's rules do not begin again; resolves with its row once the file is complete. Null: none of those that run. */
  async stopRecording(sid: RoomRecordingSid): Promise<Readonly<RoomRecordingRecord> | null> {
    const run = this.#unfinished.get(sid);
    await run?.stop();
    return run?.record ?? null;
  }

  #lookAtAll(): void {
    for (const publisher of this.#room.participants.values()) for (const track of publisher.publications.values()) this.#look(publisher, track);
  }

  #look(publisher: Participant, track: Publication): void {
    const wanted = !this.#closed && !this.#room.ended && this.#room.recording.wants(publisher, track);
    const known = this.#runs.has(track.sid);
    if (wanted && !known) this.#start(publisher, track);
    if (!wanted && known) this.#stop(track.sid);
  }

  #start(publisher: Participant, track: Publication): void {
    const run = new TrackRun({ room: this.#room, publisher, track }, this.#depsOf(publisher, track));
    const entry = { run, over: false };
    const over = (): void => {
      entry.over = true;
      this.#tellActive();
    };
    this.#runs.set(track.sid, entry);
    this.#unfinished.set(run.sid, run);
    void run.written.then(over);
    void run.done.then(() => this.#unfinished.delete(run.sid));
    this.#tellActive();
  }

  #stop(sid: TrackSid): void {
    const entry = this.#runs.get(sid);
    if (!entry) return;
    this.#runs.delete(sid);
    void entry.run.stop();
    this.#tellActive();
  }

  #tellActive(): void {
    this.#room.recording.setActive([...this.#runs.values()].some(({ over }) => !over));
  }
}
