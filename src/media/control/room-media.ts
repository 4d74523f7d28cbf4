import { Emitter } from '../../base/emitter.ts';
import type { RoomSid, TrackSid } from '../../base/sid.ts';
import type { WorkerEvent } from '../ipc.ts';
import { MediaError, type BrowserMedia, type MediaRecording, type PlayOutcome, type PromptSource, type RecordingOptions, type RemoteIceDtls, type RoomMedia, type RoomMediaEvents, type TrackListening, type TrackRecording, type TrackRecordingOptions } from '../protocol.ts';
import { RemoteBrowser } from './browser-media.ts';
import { RemoteRecording } from './recording-media.ts';
import { RemoteListening } from './track-listening.ts';
import { RemoteTrackRecording } from './track-recording-media.ts';
import type { WorkerClient, WorkerObject } from './worker-client.ts';

/** A room of a media worker, seen from the control plane. Closing it closes its browsers; its phones fall silent. */
export class RemoteRoom extends Emitter<RoomMediaEvents> implements RoomMedia, WorkerObject {
  readonly roomSid: RoomSid;
  /** The worker it lives on; private to `media/`. */
  readonly client: WorkerClient;
  readonly #browsers = new Set<RemoteBrowser>();
  #browsersMade = 0;
  #activeSpeaker: TrackSid | null = null;
  #state: 'open' | 'closed' | 'lost' = 'open';

  private constructor(roomSid: RoomSid, client: WorkerClient) {
    super();
    this.roomSid = roomSid;
    this.client = client;
  }

  static async open(roomSid: RoomSid, client: WorkerClient): Promise<RemoteRoom> {
    client.rooms++;
    try {
      await client.request('createRoom', { roomSid });
    } catch (error) {
      client.rooms--;
      throw error;
    }
    const room = new RemoteRoom(roomSid, client);
    client.attach(roomSid, room);
    return room;
  }

  get activeSpeaker(): TrackSid | null {
    return this.#activeSpeaker;
  }

  async createBrowser(options: { remote: RemoteIceDtls }): Promise<BrowserMedia> {
    this.#assertOpen();
    const id = `${this.roomSid}/browser-${++this.#browsersMade}`;
    const browser = await RemoteBrowser.open({ id, roomSid: this.roomSid, remote: options.remote, client: this.client });
    this.#browsers.add(browser);
    browser.gone = () => void this.#browsers.delete(browser);
    return browser;
  }

  async play(source: PromptSource, options: { loops?: number; signal?: AbortSignal } = {}): Promise<PlayOutcome> {
    this.#assertOpen();
    const { signal } = options;
    if (signal?.aborted) return 'stopped';
    const playId = this.client.nextNumber();
    const stop = (): void => void this.client.request('stopRoomPlay', { roomSid: this.roomSid, playId }).catch(() => {});
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return await this.client.request('playRoom', { roomSid: this.roomSid, playId, source, loops: options.loops ?? 1 });
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  async record(given: Pick<RecordingOptions, 'path' | 'maxDurationMs' | 'trimSilence'>): Promise<MediaRecording> {
    this.#assertOpen();
    const options: RecordingOptions = { ...given, source: 'inbound', channels: 1, silenceTimeoutMs: 0 };
    return RemoteRecording.open(this.client, options, (recordingId) => this.client.request('recordRoom', { roomSid: this.roomSid, recordingId, options }));
  }

  async recordTrack(trackSid: TrackSid, options: TrackRecordingOptions): Promise<TrackRecording> {
    this.#assertOpen();
    return RemoteTrackRecording.open(this.client, { trackSid, options }, (recordingId) =>
      this.client.request('recordTrack', { roomSid: this.roomSid, trackSid, recordingId, options }),
    );
  }

  async listen(trackSid: TrackSid, { folder }: { folder: string }): Promise<TrackListening> {
    this.#assertOpen();
    return RemoteListening.open(this.client, trackSid, (listeningId) => this.client.request('listen', { roomSid: this.roomSid, trackSid, listeningId, folder }));
  }

  #assertOpen(): void {
    if (this.#state !== 'open') throw new MediaError(this.#state === 'lost' ? 'worker-died' : 'closed', `room ${this.roomSid} is closed`);
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    this.client.detach(this.roomSid);
    this.client.rooms--;
    for (const browser of [...this.#browsers]) browser.roomClosed();
    try {
      await this.client.request('closeRoom', { roomSid: this.roomSid });
    } catch {
      // the worker died: so did the room
    }
  }

  workerEvent(event: WorkerEvent): void {
    if (event.type === 'layersWanted') return void this.emit('layersWanted', event.demand);
    if (event.type !== 'activeSpeakerChanged') return;
    this.#activeSpeaker = event.trackSid;
    this.emit('activeSpeakerChanged', event.trackSid);
  }

  workerDied(): void {
    if (this.#state !== 'open') return;
    this.#state = 'lost';
    this.emit('lost', 'worker-died');
  }
}
