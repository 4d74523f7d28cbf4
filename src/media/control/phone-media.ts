import { Emitter } from '../../base/emitter.ts';
import type { RoomSid, TrackSid } from '../../base/sid.ts';
import type { WorkerEvent } from '../ipc.ts';
import {
  MediaError,
  type MediaRecording,
  type MediaStream,
  type PhoneMedia,
  type PhoneMediaEvents,
  type PhoneMediaStats,
  type PhoneRemote,
  type PlayOutcome,
  type PromptSource,
  type RecordingOptions,
  type RoomMedia,
  type RoomVoice,
  type StreamOptions,
} from '../protocol.ts';
import { PhoneStreams } from './phone-streams.ts';
import { RemoteRecording } from './recording-media.ts';
import { RemoteRoom } from './room-media.ts';
import type { WorkerClient, WorkerObject } from './worker-client.ts';

const LOOPBACK = '127.0.0.1';
const OPEN_VOICE: RoomVoice = { muted: false, held: false, heardBy: null, hears: null };

/** The far end of a pipe: a phone entry of the room's worker that stands for this phone there. */
interface Pipe {
  client: WorkerClient;
  endId: string;
  /** Port of the near end, where the far end sends to. */
  nearPort: number;
}

/** A phone of a media worker, seen from the control plane. */
export class RemotePhone extends Emitter<PhoneMediaEvents> implements PhoneMedia, WorkerObject {
  readonly id: string;
  readonly localPort: number;
  readonly #client: WorkerClient;
  readonly #streams: PhoneStreams;
  #state: 'open' | 'closed' | 'lost' = 'open';
  #remote: PhoneRemote | null = null;
  #joined = false;
  #voice: RoomVoice = OPEN_VOICE;
  #pipe: Pipe | null = null;
  #pipes = 0;
  #plays = 0;
  /** connect, join, leave and close take effect one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(id: string, localPort: number, client: WorkerClient) {
    super();
    this.id = id;
    this.localPort = localPort;
    this.#client = client;
    this.#streams = new PhoneStreams(id, client);
  }

  /** Rejects with MediaError `no-port` or `worker-died`. */
  static async open(id: string, client: WorkerClient): Promise<RemotePhone> {
    client.phones++;
    try {
      const { localPort } = await client.request('createPhone', { phoneId: id });
      const phone = new RemotePhone(id, localPort, client);
      client.attach(id, phone);
      return phone;
    } catch (error) {
      client.phones--;
      throw error;
    }
  }

  connect(remote: PhoneRemote): Promise<void> {
    return this.#inTurn(async () => {
      this.#remote = remote;
      await this.#client.request('connectPhone', { phoneId: this.id, remote });
      await this.#connectPipeEnd();
    });
  }

  async play(source: PromptSource, options: { loops?: number; signal?: AbortSignal } = {}): Promise<PlayOutcome> {
    this.#assertOpen();
    const { signal } = options;
    if (signal?.aborted) return 'stopped';
    const playId = ++this.#plays;
    const stop = (): void => void this.#client.request('stopPlay', { phoneId: this.id, playId }).catch(() => {});
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return await this.#client.request('play', { phoneId: this.id, playId, source, loops: options.loops ?? 1 });
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  async keySignaled(key: { digit: string; heldMs: number }): Promise<void> {
    this.#assertOpen();
    await this.#client.request('keySignaled', { phoneId: this.id, ...key });
  }

  async sendDigits(digits: string): Promise<void> {
    this.#assertOpen();
    await this.#client.request('sendDigits', { phoneId: this.id, digits });
  }

  joinRoom(room: RoomMedia, options: { trackSid: TrackSid; voice?: Partial<RoomVoice> }): Promise<void> {
    return this.#inTurn(async () => {
      if (!(room instanceof RemoteRoom)) throw new MediaError('bad-request', 'that room is not of this media plane');
      await this.#leave();
      this.#voice = { ...OPEN_VOICE, ...options.voice };
      const seat = { roomSid: room.roomSid, trackSid: options.trackSid, voice: this.#voice };
      if (room.client === this.#client) {
        await this.#client.request('joinRoom', { phoneId: this.id, ...seat });
        this.#joined = true;
      } else {
        await this.#joinByPipe(room, seat);
      }
    });
  }

  setRoomVoice(voice: Partial<RoomVoice>): Promise<void> {
    return this.#inTurn(async () => {
      this.#voice = { ...this.#voice, ...voice };
      const pipe = this.#pipe;
      if (pipe) await pipe.client.request('setRoomVoice', { phoneId: pipe.endId, voice: this.#voice });
      else if (this.#joined) await this.#client.request('setRoomVoice', { phoneId: this.id, voice: this.#voice });
    });
  }

  async record(options: RecordingOptions): Promise<MediaRecording> {
    this.#assertOpen();
    return RemoteRecording.open(this.#client, options, (recordingId) => this.#client.request('record', { phoneId: this.id, recordingId, options }));
  }

  async openStream(options: StreamOptions): Promise<MediaStream> {
    this.#assertOpen();
    return this.#streams.open(options);
  }

  async watchVoice(on: boolean): Promise<void> {
    this.#assertOpen();
    await this.#client.request('watchVoice', { phoneId: this.id, on });
  }

  leaveRoom(): Promise<void> {
    return this.#inTurn(() => this.#leave());
  }

  async stats(): Promise<PhoneMediaStats> {
    this.#assertOpen();
    return this.#client.request('phoneStats', { phoneId: this.id });
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    this.#client.detach(this.id);
    this.#client.phones--;
    this.#streams.allEnded('phone-closed');
    await this.#turn.catch(() => {});
    await this.#closePipe();
    await quietly(this.#client.request('closePhone', { phoneId: this.id }));
  }

  workerEvent(event: WorkerEvent): void {
    if (event.type === 'digitReceived') this.emit('digitReceived', event.digit);
    else if (event.type === 'firstPacketReceived') this.emit('firstPacketReceived');
    else if (event.type === 'mediaTimedOut') this.emit('mediaTimedOut');
    else if (event.type === 'securityFailed') this.emit('securityFailed', event.why);
    else if (event.type === 'voiceChanged') this.emit('voiceChanged', event.speaking);
    else if (event.type === 'beepHeard') this.emit('beepHeard');
    else this.#streams.workerEvent(event);
  }

  workerDied(): void {
    if (this.#state !== 'open') return;
    this.#state = 'lost';
    void this.#closePipe();
    this.emit('lost', 'worker-died');
    this.#streams.allEnded('lost');
  }

  #assertOpen(): void {
    if (this.#state === 'closed') throw new MediaError('closed', `phone ${this.id} is closed`);
    if (this.#state === 'lost') throw new MediaError('worker-died', `phone ${this.id} is lost`);
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(() => {
      this.#assertOpen();
      return step();
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #leave(): Promise<void> {
    if (this.#joined) await this.#client.request('leaveRoom', { phoneId: this.id });
    this.#joined = false;
    await this.#closePipe();
  }

  /** The room lives on another worker: a stand-in joins there, this phone's worker relays between the two. */
  async #joinByPipe(room: RemoteRoom, seat: { roomSid: RoomSid; trackSid: TrackSid; voice: RoomVoice }): Promise<void> {
    const endId = `${this.id}/${++this.#pipes}`;
    const far = await room.client.request('createPipeEnd', { phoneId: endId });
    try {
      const near = await this.#client.request('openPipe', { phoneId: this.id });
      this.#pipe = { client: room.client, endId, nearPort: near.localPort };
      await this.#client.request('connectPipe', { phoneId: this.id, port: far.localPort });
      await this.#connectPipeEnd();
      await room.client.request('joinRoom', { phoneId: endId, ...seat });
    } catch (error) {
      await quietly(room.client.request('closePhone', { phoneId: endId }));
      await this.#closePipe();
      throw error;
    }
  }

  /** The stand-in speaks the phone's codec and payload types, so that packets pass as they are. */
  async #connectPipeEnd(): Promise<void> {
    const pipe = this.#pipe;
    if (!pipe || !this.#remote) return;
    // The phone alone speaks these.
    const { srtp: _srtp, ice: _ice, dtls: _dtls, awaited: _awaited, signalingAddress: _signaling, ...settled } = this.#remote;
    const remote: PhoneRemote = { ...settled, address: LOOPBACK, port: pipe.nearPort, rtcpPort: pipe.nearPort };
    await pipe.client.request('connectPhone', { phoneId: pipe.endId, remote });
  }

  async #closePipe(): Promise<void> {
    const pipe = this.#pipe;
    if (!pipe) return;
    this.#pipe = null;
    await quietly(this.#client.request('closePipe', { phoneId: this.id }));
    await quietly(pipe.client.request('closePhone', { phoneId: pipe.endId }));
  }
}

/** Closing what may be gone already. */
async function quietly(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch {
    // gone is what was wanted
  }
}
