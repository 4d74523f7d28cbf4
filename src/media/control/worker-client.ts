import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../base/clock.ts';
import { Emitter } from '../../base/emitter.ts';
import { StartupError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { RoomSid } from '../../base/sid.ts';
import type { FromWorker, RequestBody, RequestResult, WorkerEvent, WorkerRequestName, WorkerSettings } from '../ipc.ts';
import { MediaError } from '../protocol.ts';

const STOP_GRACE_MS = 2000;

interface Pending {
  resolve(result: unknown): void;
  reject(error: MediaError): void;
}

/** What the worker's objects are told by their client. */
export interface WorkerObject {
  workerEvent(event: WorkerEvent): void;
  /** The process is gone; no event follows. */
  workerDied(): void;
}

interface WorkerClientEvents {
  /** Once, whatever the cause. `asked` when `stop` did it. */
  exited: [info: { code: number | null; signal: string | null; asked: boolean }];
}

/** Path of the built worker; sources run by a test runner use the build beside them. */
function workerPath(): string {
  const built = import.meta.url.endsWith('.ts') ? '../../../dist/media/worker.js' : '../worker.js';
  const path = fileURLToPath(new URL(built, import.meta.url));
  if (!existsSync(path)) throw new StartupError(`the media worker is not built: ${path} is missing, run "npm run build" first`);
  return path;
}

function idOf(event: WorkerEvent): string {
  if ('phoneId' in event) return event.phoneId;
  if ('recordingId' in event) return event.recordingId;
  if ('listeningId' in event) return event.listeningId;
  return 'browserId' in event ? event.browserId : event.roomSid;
}

/** The control side of one media worker process: typed requests out, answers, events and log lines in. */
export class WorkerClient extends Emitter<WorkerClientEvents> {
  readonly #child: ChildProcess;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #pending = new Map<number, Pending>();
  readonly #objects = new Map<string, WorkerObject>();
  #nextId = 1;
  #numbers = 0;
  #stopping = false;
  #dead = false;
  rooms = 0;
  phones = 0;
  browsers = 0;

  /** Throws StartupError when the worker is not built. */
  constructor(deps: { clock: Clock; log: Log }) {
    super();
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#child = fork(workerPath(), [], { serialization: 'advanced', execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child.on('message', (message) => this.#received(message as FromWorker));
    this.#child.on('error', (error) => this.#exited(null, error.message));
    this.#child.on('exit', (code, signal) => this.#exited(code, signal));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get alive(): boolean {
    return !this.#dead && !this.#stopping;
  }

  /** Weight of what it carries; a browser costs more than a phone. */
  get load(): number {
    return this.phones + 3 * this.browsers + 0.5 * this.rooms;
  }

  configure(settings: WorkerSettings): Promise<null> {
    return this.request('configure', settings);
  }

  /** Rejects with MediaError: the worker's refusal, or `worker-died`. */
  request<K extends WorkerRequestName>(name: K, body: RequestBody<K>): Promise<RequestResult<K>> {
    if (this.#dead) return Promise.reject(new MediaError('worker-died', `the media worker is gone, ${name} was not done`));
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#pending.set(id, { resolve: resolve as (result: unknown) => void, reject });
      // A closed channel is reported through 'exit'.
      this.#child.send({ kind: 'request', id, name, body }, () => {});
    });
  }

  /** A number that nothing else of this worker has. */
  nextNumber(): number {
    return ++this.#numbers;
  }

  attach(id: string | RoomSid, object: WorkerObject): void {
    this.#objects.set(id, object);
  }

  detach(id: string | RoomSid): void {
    this.#objects.delete(id);
  }

  /** Closes the channel, on which the worker says its goodbyes and ends; killed after 2 s. */
  async stop(): Promise<void> {
    if (this.#dead) return;
    this.#stopping = true;
    const gone = new Promise<void>((resolve) => this.once('exited', () => resolve()));
    if (this.#child.connected) this.#child.disconnect();
    const timer = this.#clock.after(STOP_GRACE_MS, () => this.#child.kill('SIGKILL'));
    await gone;
    timer.cancel();
  }

  #received(message: FromWorker): void {
    if (message.kind === 'event') return this.#objects.get(idOf(message.event))?.workerEvent(message.event);
    if (message.kind === 'log') return this.#log[message.level](message.fields, message.message);
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.kind === 'answer') pending?.resolve(message.result);
    else pending?.reject(new MediaError(message.reason, message.message));
  }

  #exited(code: number | null, signal: string | null): void {
    if (this.#dead) return;
    this.#dead = true;
    for (const { reject } of this.#pending.values()) reject(new MediaError('worker-died', 'the media worker died'));
    this.#pending.clear();
    const objects = [...this.#objects.values()];
    this.#objects.clear();
    // The pool first: it forks the next worker, so that a listener of `lost` can already ask for a new phone.
    this.emit('exited', { code, signal, asked: this.#stopping });
    for (const object of objects) object.workerDied();
  }
}
