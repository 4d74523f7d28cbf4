import { Emitter } from '../../base/emitter.ts';
import type { TrackSid } from '../../base/sid.ts';
import type { WorkerEvent } from '../ipc.ts';
import type { TrackListening, TrackListeningEvents } from '../protocol.ts';
import type { WorkerClient, WorkerObject } from './worker-client.ts';

/** A listener of a media worker, seen from the control plane. */
export class RemoteListening extends Emitter<TrackListeningEvents> implements TrackListening, WorkerObject {
  readonly trackSid: TrackSid;
  readonly #id: string;
  readonly #client: WorkerClient;
  #over = false;

  private constructor(trackSid: TrackSid, client: WorkerClient) {
    super();
    this.trackSid = trackSid;
    this.#id = `listening-${client.nextNumber()}`;
    this.#client = client;
  }

  /** `start` sends the request under the id it is given. Rejects with MediaError. */
  static async open(client: WorkerClient, trackSid: TrackSid, start: (listeningId: string) => Promise<unknown>): Promise<RemoteListening> {
    const listening = new RemoteListening(trackSid, client);
    client.attach(listening.#id, listening);
    try {
      await start(listening.#id);
    } catch (error) {
      client.detach(listening.#id);
      throw error;
    }
    return listening;
  }

  async stop(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    // The last words are told before the answer. A worker that has gone listens no more.
    await this.#client.request('stopListening', { listeningId: this.#id }).catch(() => {});
    this.#client.detach(this.#id);
  }

  workerEvent(event: WorkerEvent): void {
    if (event.type === 'spoken') this.emit('spoken', event.utterance);
    else if (event.type === 'listeningEnded') this.#ended();
  }

  workerDied(): void {
    this.#ended();
  }

  #ended(): void {
    if (this.#over) return;
    this.#over = true;
    this.#client.detach(this.#id);
    this.emit('ended');
  }
}
