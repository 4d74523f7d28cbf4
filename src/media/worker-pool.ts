import type { Clock, Timer } from '../base/clock.ts';
import { messageOf, StartupError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { RoomSid } from '../base/sid.ts';
import { RemotePhone } from './control/phone-media.ts';
import { RemoteRoom } from './control/room-media.ts';
import { WorkerClient } from './control/worker-client.ts';
import type { WorkerSettings } from './ipc.ts';
import { createDtlsIdentity, type DtlsIdentity } from './transport/dtls-identity.ts';
import { MediaError, type MediaPlane, type PhoneMedia, type RoomMedia } from './protocol.ts';

const DEFAULT_MEDIA_TIMEOUT_MS = 60_000;
/** A worker that lived for less than this counts as dying again and again. */
const SHORT_LIFE_MS = 10_000;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;

export interface MediaPlaneOptions {
  /** Worker processes; one per core as a rule, 1 at least. */
  workers: number;
  /** Local address of RTP and WebRTC sockets, `0.0.0.0` for all. */
  bindAddress: string;
  /** What browsers are told when we are behind NAT. */
  publicAddress?: string;
  /** RTP and RTCP ports of phones, both ends inclusive; shared out evenly. */
  rtpPorts: { min: number; max: number };
  /** UDP port of worker 0 for browsers; worker i binds `webrtcPort + i`. 0: any free port each. */
  webrtcPort: number;
  /** A phone that sent nothing for so long raises `mediaTimedOut`. Default 60,000; 0 means never. */
  mediaTimeoutMs?: number;
}

export interface MediaPlaneHandle extends MediaPlane {
  /** Ends all workers; their phones say BYE in RTCP. */
  stop(): Promise<void>;
  workers(): { pid: number; rooms: number; phones: number; browsers: number }[];
  /** What each living worker has used since its start. */
  cpuUsage(): Promise<{ pid: number; userMs: number; systemMs: number; rssBytes: number; steps: number; lateMs: number }[]>;
}

/** Forks the workers; resolves when all are ready. Rejects with StartupError when they are not built or die at once. */
export async function createMediaPlane(options: MediaPlaneOptions, deps: { clock: Clock; log: Log }): Promise<MediaPlaneHandle> {
  if (!Number.isInteger(options.workers) || options.workers < 1) throw new StartupError('at least one media worker is needed');
  const pool = new WorkerPool(options, deps);
  try {
    await pool.start();
  } catch (error) {
    await pool.stop();
    throw error instanceof StartupError ? error : new StartupError(`the media workers did not start: ${messageOf(error)}`);
  }
  return pool;
}

function settingsOf(options: MediaPlaneOptions, index: number, dtlsIdentity: DtlsIdentity): WorkerSettings {
  const { min, max } = options.rtpPorts;
  // Whole pairs each, so that no RTCP port is a neighbour's RTP port.
  const share = Math.floor((max - min + 1) / options.workers / 2) * 2;
  const first = min + index * share;
  return {
    bindAddress: options.bindAddress,
    ...(options.publicAddress === undefined ? {} : { publicAddress: options.publicAddress }),
    rtpPorts: { min: first, max: first + share - 1 },
    webrtcPort: options.webrtcPort === 0 ? 0 : options.webrtcPort + index,
    mediaTimeoutMs: options.mediaTimeoutMs ?? DEFAULT_MEDIA_TIMEOUT_MS,
    dtlsIdentity,
  };
}

/** One place for a worker; who sits there is replaced when it dies. */
class WorkerSeat {
  readonly #settings: WorkerSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  #client: WorkerClient | null = null;
  #ready: Promise<WorkerClient> = Promise.reject(new MediaError('closed', 'not started'));
  #startedMs = 0;
  #shortLives = 0;
  #retry: Timer | null = null;
  #stopped = false;

  constructor(settings: WorkerSettings, deps: { clock: Clock; log: Log }) {
    this.#settings = settings;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#ready.catch(() => {});
  }

  /** The worker, once it is ready; the one that is being forked when the last one died. */
  get ready(): Promise<WorkerClient> {
    return this.#ready;
  }

  get client(): WorkerClient | null {
    return this.#client?.alive ? this.#client : null;
  }

  start(): Promise<WorkerClient> {
    this.#startedMs = this.#clock.nowMs();
    const client = new WorkerClient({ clock: this.#clock, log: this.#log });
    client.once('exited', (info) => this.#exited(client, info));
    this.#ready = client.configure(this.#settings).then(() => {
      this.#client = client;
      return client;
    });
    this.#ready.catch(() => {});
    this.#starting = client;
    return this.#ready;
  }
  #starting: WorkerClient | null = null;

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    await this.#starting?.stop();
  }

  #exited(client: WorkerClient, info: { code: number | null; signal: string | null; asked: boolean }): void {
    if (this.#client === client) this.#client = null;
    if (this.#stopped || info.asked) return;
    this.#log.error({ pid: client.pid, code: info.code, signal: info.signal }, 'a media worker died; its calls and rooms are lost');
    const short = this.#clock.nowMs() - this.#startedMs < SHORT_LIFE_MS;
    this.#shortLives = short ? this.#shortLives + 1 : 0;
    if (this.#shortLives <= 1) return this.#startAgain();
    const backoffMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (this.#shortLives - 2));
    this.#retry = this.#clock.after(backoffMs, () => this.#startAgain());
  }

  #startAgain(): void {
    try {
      void this.start().catch(() => {}); // its exit is seen by #exited
    } catch (error) {
      this.#log.error({ error: messageOf(error) }, 'a media worker cannot be forked');
    }
  }
}

class WorkerPool implements MediaPlaneHandle {
  readonly #seats: WorkerSeat[];
  #phones = 0;
  #stopped = false;

  readonly dtlsFingerprint: string;

  constructor(options: MediaPlaneOptions, deps: { clock: Clock; log: Log }) {
    const identity = createDtlsIdentity(deps.clock.wallMs());
    this.dtlsFingerprint = identity.fingerprint;
    this.#seats = Array.from({ length: options.workers }, (_, i) => new WorkerSeat(settingsOf(options, i, identity), deps));
  }

  async start(): Promise<void> {
    await Promise.all(this.#seats.map((seat) => seat.start()));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#seats.map((seat) => seat.stop()));
  }

  async createPhone(options: { near?: RoomMedia }): Promise<PhoneMedia> {
    const near = options.near instanceof RemoteRoom && options.near.client.alive ? options.near.client : null;
    return RemotePhone.open(`phone-${++this.#phones}`, near ?? (await this.#leastLoaded()));
  }

  async createRoom(options: { roomSid: RoomSid }): Promise<RoomMedia> {
    return RemoteRoom.open(options.roomSid, await this.#leastLoaded());
  }

  workers(): { pid: number; rooms: number; phones: number; browsers: number }[] {
    return this.#clients().map(({ pid, rooms, phones, browsers }) => ({ pid, rooms, phones, browsers }));
  }

  async cpuUsage(): Promise<{ pid: number; userMs: number; systemMs: number; rssBytes: number; steps: number; lateMs: number }[]> {
    return Promise.all(this.#clients().map(async (client) => ({ pid: client.pid, ...(await client.request('cpuUsage', {})) })));
  }

  #clients(): WorkerClient[] {
    return this.#seats.map((seat) => seat.client).filter((client) => client !== null);
  }

  /** Waits for a worker that is being forked when none is alive. */
  async #leastLoaded(): Promise<WorkerClient> {
    if (this.#stopped) throw new MediaError('closed', 'the media plane has stopped');
    const clients = this.#clients();
    if (clients.length > 0) return clients.reduce((a, b) => (b.load < a.load ? b : a));
    const next = await Promise.any(this.#seats.map((seat) => seat.ready)).catch(() => null);
    if (!next?.alive) throw new MediaError('worker-died', 'no media worker is alive');
    return next;
  }
}
