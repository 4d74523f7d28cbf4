import type { PeerConnection, Track } from 'node-datachannel';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';

export interface TrackConnectionEvents {
  /** An RTP or RTCP packet, decrypted. */
  packetReceived(packet: Buffer): void;
  /** ICE and DTLS are up. */
  connected(): void;
  /** Closed by us, or just before `failed`: whatever else belongs to it is to be given back. Once. */
  closed(): void;
  /** By the other side, or the network. */
  failed(reason: string): void;
}

export interface TrackConnectionOptions {
  /** For the log: `DTLS`, `WebRTC`. */
  name: string;
  log: Log;
  events: TrackConnectionEvents;
}

/** A connection of libdatachannel whose media goes by the one track of its description: from open to closed, once. */
export class TrackConnection {
  readonly peer: PeerConnection;
  readonly #options: TrackConnectionOptions;
  // The wrapper closes what it wraps when collected.
  #track: Track | null = null;
  #open = false;
  #ended = false;

  constructor(peer: PeerConnection, options: TrackConnectionOptions) {
    this.peer = peer;
    this.#options = options;
    peer.onTrack(this.guard((track: Track) => this.#trackOpened(track)));
    peer.onStateChange(this.guard((state: string) => this.#stateChanged(state)));
  }

  get isOpen(): boolean {
    return this.#open;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** An exception that leaves a callback of node-datachannel aborts the whole process: none does, and none is called after the end. */
  readonly guard = <A extends unknown[]>(fn: (...args: A) => unknown): ((...args: A) => void) => {
    const { log, name } = this.#options;
    return (...args) => {
      if (this.#ended) return;
      try {
        fn(...args);
      } catch (error) {
        log.error({ error: messageOf(error), stack: error instanceof Error ? error.stack : undefined }, `handler of a ${name} event failed`);
      }
    };
  };

  #trackOpened(track: Track): void {
    const { events, log, name } = this.#options;
    this.#track = track;
    track.onMessage(this.guard((packet: Buffer) => events.packetReceived(packet)));
    track.onOpen(this.guard(() => this.#connected()));
    track.onClosed(this.guard(() => (this.#open = false)));
    track.onError(this.guard((error: string) => log.warn({ error }, `${name} track error`)));
  }

  #connected(): void {
    if (this.#open) return;
    this.#open = true;
    this.#options.events.connected();
  }

  #stateChanged(state: string): void {
    if (state === 'connected' && this.#track?.isOpen()) this.#connected();
    if (state === 'failed' || state === 'disconnected' || state === 'closed') this.fail(state);
  }

  /** Encrypts and sends an RTP or RTCP packet; it is copied. False when it did not go. */
  send(packet: Buffer): boolean {
    if (!this.#open || !this.#track) return false;
    try {
      return this.#track.sendMessageBinary(packet);
    } catch {
      // Closed a moment ago, its event is on the way.
      return false;
    }
  }

  /** Closed, and told so. */
  fail(reason: string): void {
    if (this.#ended) return;
    this.close();
    this.#options.events.failed(reason);
  }

  /** No event follows but `closed`. Idempotent. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#open = false;
    const { events, log, name } = this.#options;
    for (const closing of [() => this.#track?.close(), () => this.peer.close(), () => events.closed()]) {
      try {
        closing();
      } catch (error) {
        log.debug({ error: messageOf(error) }, `closing a ${name} connection`);
      }
    }
  }
}
