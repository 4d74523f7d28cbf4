import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sleep, type Clock } from '../../base/clock.ts';
import { TwilioError, messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { newSid, type HookSid } from '../../base/sid.ts';
import type { Rooms } from '../../rooms/contract.ts';
import type { RoomCallbackSender, RoomRecord, RoomRepository } from '../../rooms/model.ts';
import type { Composer } from './composer.ts';
import { CompositionCallbacks } from './composition-callbacks.ts';
import { compositionSpec, type CompositionParameters } from './composition-parameters.ts';
import type { Compositions } from './contract.ts';
import type { CompositionRecord, CompositionRepository, CompositionSpec, RoomSources, SourceDirectory } from './model.ts';
import { planComposition, type CompositionPlan } from './plan.ts';
import { ProgressTeller } from './progress.ts';
import { Turns } from './turns.ts';

export interface CompositionsDeps {
  clock: Clock;
  log: Log;
  repository: CompositionRepository;
  rooms: Pick<Rooms, 'find' | 'onOpened'>;
  roomRepository: Pick<RoomRepository, 'findRoom'>;
  sources: SourceDirectory;
  composer: Composer;
  callbacks: RoomCallbackSender;
}

/** One that is not over: why it is to end, and when it has. */
interface Job {
  leave: AbortController;
  done: Promise<void>;
}

const AT_ONCE = 1;
/** Of all accounts. */
const MAX_UNFINISHED = 1000;
const MAX_TRACKS = 100;
const MAX_DURATION_MS = 24 * 3_600_000;
/** How often it is looked whether the recordings of an ended room are complete, and how long. */
const LOOK_MS = 500;
const RECORDINGS_WAIT_MS = 10 * 60_000;

/** The compositions of all accounts. Files lie in `folder`, by account and SID. */
export function createCompositions(options: { folder: string }, deps: CompositionsDeps): Compositions {
  return new LiveCompositions(options.folder, deps);
}

/** Why a job ends early. */
class Left extends Error {
  override readonly name = 'Left';
}

class LiveCompositions implements Compositions {
  readonly #folder: string;
  readonly #deps: CompositionsDeps;
  readonly #callbacks: CompositionCallbacks;
  readonly #turns = new Turns(AT_ONCE);
  readonly #jobs = new Map<string, Job>();
  readonly #firing = new Set<Promise<void>>();
  #stopping = false;

  constructor(folder: string, deps: CompositionsDeps) {
    this.#folder = folder;
    this.#deps = deps;
    this.#callbacks = new CompositionCallbacks(deps);
    deps.rooms.onOpened((room) => room.once('ended', () => this.#roomEnded(room.record)));
  }

  async create(room: Readonly<RoomRecord>, parameters: CompositionParameters): Promise<Readonly<CompositionRecord>> {
    const spec = compositionSpec(parameters);
    await this.#mayEnqueue();
    if (room.status !== 'in-progress') await this.#checkSources(room, spec);
    return this.#enqueue(room, spec, null);
  }

  async remove(record: Readonly<CompositionRecord>): Promise<void> {
    const job = this.#jobs.get(record.sid);
    job?.leave.abort(new Left('it was deleted'));
    await job?.done;
    await rm(this.pathOf(record), { force: true });
    const now = (await this.#deps.repository.findComposition(record.accountSid, record.sid)) ?? record;
    if (now.status !== 'deleted') this.#save({ ...now, status: 'deleted', deletedAtMs: this.#deps.clock.wallMs() });
  }

  pathOf({ sid, accountSid, spec }: Pick<CompositionRecord, 'sid' | 'accountSid' | 'spec'>): string {
    return join(this.#folder, accountSid, `${sid}.${spec.format}`);
  }

  async resume(roomsLeft: readonly Readonly<RoomRecord>[]): Promise<void> {
    const problem = await this.#deps.composer.problem();
    if (problem !== null) this.#deps.log.warn({ problem }, 'compositions of rooms cannot be made');
    await this.#removeParts();
    for (const record of await this.#deps.repository.unfinishedCompositions()) this.#start(this.#save({ ...record, status: 'enqueued' }));
    for (const room of roomsLeft) this.#roomEnded(room);
  }

  async stop(): Promise<void> {
    // Rooms have just ended: what their hooks ask for is kept, and made after the next start.
    await Promise.all(this.#firing);
    this.#stopping = true;
    const jobs = [...this.#jobs.values()];
    for (const { leave } of jobs) leave.abort(new Left('the server stops'));
    await Promise.all(jobs.map(({ done }) => done));
  }

  /** The hooks of its account make their compositions. */
  #roomEnded(room: Readonly<RoomRecord>): void {
    const hooks = this.#deps.repository.hooks(room.accountSid).filter(({ enabled }) => enabled);
    if (hooks.length === 0 || this.#stopping) return;
    const firing = this.#fire(room, hooks)
      .catch((error: unknown) => this.#deps.log.error({ roomSid: room.sid, error: messageOf(error) }, 'hooks of compositions failed'))
      .finally(() => this.#firing.delete(firing));
    this.#firing.add(firing);
  }

  /** What a crash left half written. */
  async #removeParts(): Promise<void> {
    const names = await readdir(this.#folder, { recursive: true }).catch(() => []);
    for (const name of names) if (name.endsWith('.part')) await rm(join(this.#folder, name), { force: true });
  }

  /** Rooms of which nothing was recorded have nothing to compose: their hooks keep silent. */
  async #fire(room: Readonly<RoomRecord>, hooks: ReturnType<CompositionRepository['hooks']>): Promise<void> {
    const { sources, running, deleted } = await this.#deps.sources.sourcesOf(room.accountSid, room.sid);
    if (sources.length + running + deleted === 0) return;
    for (const hook of hooks) {
      try {
        await this.#mayEnqueue();
        this.#enqueue(room, hook.spec, hook.sid);
      } catch (error) {
        this.#callbacks.hookFailed(hook, room.sid, messageOf(error));
      }
    }
  }

  async #mayEnqueue(): Promise<void> {
    if (this.#stopping) throw new TwilioError(53632, 'The composition could not be enqueued: the server is shutting down', { status: 503 });
    const problem = await this.#deps.composer.problem();
    if (problem !== null) throw new TwilioError(53632, `The composition could not be enqueued: ${problem}`, { status: 501 });
    if (this.#jobs.size >= MAX_UNFINISHED) throw new TwilioError(53632, `The composition could not be enqueued: ${MAX_UNFINISHED} wait already`, { status: 429 });
  }

  /** Of a room that is over: what cannot be composed is refused at once. While a track is still being completed nobody knows. */
  async #checkSources(room: Readonly<RoomRecord>, spec: CompositionSpec): Promise<void> {
    const found = await this.#deps.sources.sourcesOf(room.accountSid, room.sid);
    if (found.running === 0) checkedPlan(found, spec, room);
  }

  #enqueue(room: Readonly<RoomRecord>, spec: CompositionSpec, hookSid: HookSid | null): Readonly<CompositionRecord> {
    const nowMs = this.#deps.clock.wallMs();
    const record: CompositionRecord = {
      sid: newSid('CJ'),
      accountSid: room.accountSid,
      roomSid: room.sid,
      hookSid,
      status: 'enqueued',
      spec,
      durationMs: null,
      bytes: null,
      failure: null,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      completedAtMs: null,
      deletedAtMs: null,
    };
    this.#save(record);
    this.#callbacks.tell('composition-enqueued', record);
    this.#start(record);
    return record;
  }

  #start(record: CompositionRecord): void {
    const leave = new AbortController();
    const done = this.#run(record, leave.signal).finally(() => this.#jobs.delete(record.sid));
    this.#jobs.set(record.sid, { leave, done });
  }

  /** Never rejects. */
  async #run(record: CompositionRecord, signal: AbortSignal): Promise<void> {
    try {
      const room = await this.#endedRoom(record, signal);
      await this.#recordingsCompleted(room, signal);
      await this.#turns.take(signal, () => this.#compose(record, room, signal));
    } catch (error) {
      // Deleted: the row says so already, or will. Stopped: it is begun again at the next start.
      if (!signal.aborted) this.#failed(record, messageOf(error));
    }
  }

  async #compose(enqueued: CompositionRecord, room: Readonly<RoomRecord>, signal: AbortSignal): Promise<void> {
    const plan = checkedPlan(await this.#deps.sources.sourcesOf(room.accountSid, room.sid), enqueued.spec, room);
    const record = this.#save({ ...enqueued, status: 'processing' });
    this.#callbacks.tell('composition-started', record);
    const outputPath = this.pathOf(record);
    await mkdir(dirname(outputPath), { recursive: true, mode: 0o700 });
    const progress = new ProgressTeller(plan.durationMs, { clock: this.#deps.clock, tell: (parameters) => this.#callbacks.tell('composition-progress', record, parameters) });
    const { durationMs, bytes } = await this.#deps.composer.compose(plan, { outputPath, signal, onProgress: (doneMs) => progress.moved(doneMs) });
    const completed = this.#save({ ...record, status: 'completed', durationMs, bytes, completedAtMs: this.#deps.clock.wallMs() });
    this.#callbacks.tell('composition-available', completed);
  }

  #failed(record: CompositionRecord, failure: string): void {
    this.#deps.log.warn({ compositionSid: record.sid, roomSid: record.roomSid, failure }, 'a composition failed');
    const failed = this.#save({ ...record, status: 'failed', failure });
    this.#callbacks.tell('composition-failed', failed, [['FailedOperation', 'compose'], ['ErrorMessage', failure.slice(0, 500)]]);
  }

  /** The record of the room, as soon as it has ended. */
  async #endedRoom({ accountSid, roomSid }: CompositionRecord, signal: AbortSignal): Promise<Readonly<RoomRecord>> {
    const live = this.#deps.rooms.find(accountSid, roomSid);
    if (live) {
      let forget = (): void => undefined;
      await new Promise<void>((resolve, reject) => {
        const off = live.once('ended', () => resolve());
        const leave = (): void => reject(signal.reason as Error);
        signal.addEventListener('abort', leave, { once: true });
        forget = (): void => {
          off();
          signal.removeEventListener('abort', leave);
        };
      }).finally(() => forget());
      return live.record;
    }
    const record = await this.#deps.roomRepository.findRoom(accountSid, roomSid);
    if (!record) throw new TwilioError(53106, 'The room was not found');
    return record;
  }

  async #recordingsCompleted(room: Readonly<RoomRecord>, signal: AbortSignal): Promise<void> {
    const giveUpAtMs = this.#deps.clock.nowMs() + RECORDINGS_WAIT_MS;
    while (this.#deps.clock.nowMs() < giveUpAtMs) {
      const { running } = await this.#deps.sources.sourcesOf(room.accountSid, room.sid);
      if (running === 0) return;
      await sleep(this.#deps.clock, LOOK_MS, signal);
    }
    this.#deps.log.warn({ roomSid: room.sid }, 'a composition is made without recordings that do not complete');
  }

  #save(record: CompositionRecord): CompositionRecord {
    const saved = { ...record, updatedAtMs: this.#deps.clock.wallMs() };
    this.#deps.repository.saveComposition(saved);
    return saved;
  }
}

/** Throws 53628, 53630 or 53633 where there is none. */
function checkedPlan({ sources, deleted }: RoomSources, spec: CompositionSpec, room: Readonly<RoomRecord>): CompositionPlan {
  const endMs = room.endedAtMs ?? room.createdAtMs;
  const plan = planComposition(spec, sources, { startMs: room.createdAtMs, endMs });
  if (!plan && deleted > 0 && sources.length === 0) throw new TwilioError(53628, 'The recordings of the room were deleted');
  if (!plan) throw new TwilioError(53630, 'None of the recordings of the room is among the sources of the composition');
  if (plan.videos.length + plan.audios.length > MAX_TRACKS || plan.durationMs > MAX_DURATION_MS) throw new TwilioError(53633, `The composition is too large: at most ${MAX_TRACKS} tracks and ${MAX_DURATION_MS / 3_600_000} hours`);
  return plan;
}
