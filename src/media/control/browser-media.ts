import { Emitter } from '../../base/emitter.ts';
import type { RoomSid } from '../../base/sid.ts';
import type { WorkerEvent } from '../ipc.ts';
import {
  MediaError,
  type BrowserMedia,
  type BrowserMediaEvents,
  type BrowserMediaStats,
  type BrowserQuality,
  type DataTracks,
  type LocalIceDtls,
  type ReceiveTrack,
  type RemoteIceDtls,
  type SendTrack,
  type VideoPolicy,
} from '../protocol.ts';
import type { WorkerClient, WorkerObject } from './worker-client.ts';

/** A browser's transport in a media worker, seen from the control plane. */
export class RemoteBrowser extends Emitter<BrowserMediaEvents> implements BrowserMedia, WorkerObject {
  readonly id: string;
  /** Told when it has left its room's list. */
  gone: () => void = () => {};
  readonly #client: WorkerClient;
  #local: LocalIceDtls;
  #state: 'open' | 'closed' | 'lost' = 'open';

  private constructor(id: string, local: LocalIceDtls, client: WorkerClient) {
    super();
    this.id = id;
    this.#local = local;
    this.#client = client;
  }

  static async open(options: { id: string; roomSid: RoomSid; remote: RemoteIceDtls; client: WorkerClient }): Promise<RemoteBrowser> {
    const { id, roomSid, remote, client } = options;
    client.browsers++;
    // Attached before the answer: `connected` may come on its heels.
    const early: WorkerEvent[] = [];
    client.attach(id, { workerEvent: (event) => early.push(event), workerDied: () => {} });
    try {
      const local = await client.request('createBrowser', { browserId: id, roomSid, remote });
      const browser = new RemoteBrowser(id, local, client);
      client.attach(id, browser);
      queueMicrotask(() => early.forEach((event) => browser.workerEvent(event)));
      return browser;
    } catch (error) {
      client.detach(id);
      client.browsers--;
      throw error;
    }
  }

  get local(): LocalIceDtls {
    return this.#local;
  }

  async restartIce(remote: RemoteIceDtls): Promise<LocalIceDtls> {
    this.#assertOpen();
    this.#local = await this.#client.request('restartIce', { browserId: this.id, remote });
    return this.#local;
  }

  async setReceiveTracks(tracks: ReceiveTrack[]): Promise<void> {
    this.#assertOpen();
    await this.#client.request('setReceiveTracks', { browserId: this.id, tracks });
  }

  async setSendTracks(tracks: SendTrack[]): Promise<void> {
    this.#assertOpen();
    await this.#client.request('setSendTracks', { browserId: this.id, tracks });
  }

  async setDataTracks(tracks: DataTracks): Promise<void> {
    this.#assertOpen();
    await this.#client.request('setDataTracks', { browserId: this.id, tracks });
  }

  async openChannel(label: string): Promise<void> {
    this.#assertOpen();
    await this.#client.request('openChannel', { browserId: this.id, label });
  }

  async sendOnChannel(label: string, text: string): Promise<void> {
    this.#assertOpen();
    await this.#client.request('sendOnChannel', { browserId: this.id, label, text });
  }

  async showState(label: string, text: string): Promise<void> {
    this.#assertOpen();
    await this.#client.request('showState', { browserId: this.id, label, text });
  }

  async setVideoPolicy(policy: VideoPolicy): Promise<void> {
    this.#assertOpen();
    await this.#client.request('setVideoPolicy', { browserId: this.id, policy });
  }

  async quality(): Promise<BrowserQuality> {
    this.#assertOpen();
    return this.#client.request('browserQuality', { browserId: this.id });
  }

  async stats(): Promise<BrowserMediaStats> {
    this.#assertOpen();
    return this.#client.request('browserStats', { browserId: this.id });
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#leave();
    try {
      await this.#client.request('closeBrowser', { browserId: this.id });
    } catch {
      // the worker died: so did the transport
    }
  }

  /** Its room closed, and the worker closes the transport with it. */
  roomClosed(): void {
    if (this.#state === 'open') this.#leave();
  }

  workerEvent(event: WorkerEvent): void {
    if (event.type === 'browserConnected') this.emit('connected');
    else if (event.type === 'browserFailed') this.emit('failed');
    else if (event.type === 'videoSwitched') this.emit('videoSwitched', { off: event.off, on: event.on });
    else if (event.type === 'channelMessage') this.emit('channelMessage', event.label, event.text);
  }

  workerDied(): void {
    if (this.#state !== 'open') return;
    this.#state = 'lost';
    this.gone();
    this.emit('lost', 'worker-died');
  }

  #leave(): void {
    this.#state = 'closed';
    this.#client.detach(this.id);
    this.#client.browsers--;
    this.gone();
  }

  #assertOpen(): void {
    if (this.#state === 'closed') throw new MediaError('closed', `browser ${this.id} is closed`);
    if (this.#state === 'lost') throw new MediaError('worker-died', `browser ${this.id} is lost`);
  }
}
