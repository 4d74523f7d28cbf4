import type { DataChannel } from 'node-datachannel';
import type { TrackSid } from '../../base/sid.ts';
import type { Guard, PeerChannel } from '../transport/peer-channel.ts';
import { bytesOf, type DataMessage } from './data-relay.ts';

/** What may come before signaling has told which track it is. */
const MAX_EARLY_BYTES = 64 * 1024;
const MAX_EARLY_MESSAGES = 200;

export interface PublishedChannelEvents {
  messageReceived(trackSid: TrackSid, message: DataMessage): void;
  /** The browser closed it, or its transport is gone. */
  closed(): void;
}

/** A channel that a browser opened for one of its data tracks; the label is the browser's own id of the track (rsp §4.5). */
export class PublishedChannel implements PeerChannel {
  readonly label: string;
  readonly #events: PublishedChannelEvents;
  #channel: DataChannel | null = null;
  #streamId: number | null = null;
  #trackSid: TrackSid | null = null;
  #isClosed = false;
  #early: DataMessage[] = [];
  #earlyBytes = 0;

  constructor(label: string, events: PublishedChannelEvents) {
    this.label = label;
    this.#events = events;
  }

  get init(): { negotiated?: boolean; id?: number } {
    return this.#streamId === null ? {} : { negotiated: true, id: this.#streamId };
  }

  /** Null while nobody has told. */
  get trackSid(): TrackSid | null {
    return this.#trackSid;
  }

  /** Closed by the browser, or with its transport; another one may take it up. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  attach(channel: DataChannel, guard: Guard): void {
    this.#channel = channel;
    this.#isClosed = false;
    this.#streamId ??= channel.getId();
    channel.onMessage(guard((message: string | Buffer | ArrayBuffer) => this.#messageReceived(channel, message)));
    channel.onClosed(guard(() => this.#closed(channel)));
  }

  #messageReceived(channel: DataChannel, received: string | Buffer | ArrayBuffer): void {
    if (channel !== this.#channel) return;
    const message = received instanceof ArrayBuffer ? Buffer.from(received) : received;
    if (this.#trackSid) return this.#events.messageReceived(this.#trackSid, message);
    this.#earlyBytes += bytesOf(message);
    if (this.#earlyBytes <= MAX_EARLY_BYTES && this.#early.length < MAX_EARLY_MESSAGES) this.#early.push(message);
  }

  #closed(channel: DataChannel): void {
    if (channel !== this.#channel) return;
    this.#isClosed = true;
    this.#events.closed();
  }

  /** It is no track any more until it is told which. */
  unpublish(): void {
    this.#trackSid = null;
  }

  /** It is this track from now on: what came already is told first. */
  publishAs(trackSid: TrackSid): void {
    this.#trackSid = trackSid;
    const early = this.#early;
    this.#early = [];
    this.#earlyBytes = 0;
    for (const message of early) this.#events.messageReceived(trackSid, message);
  }
}
