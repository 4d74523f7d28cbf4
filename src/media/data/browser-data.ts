import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { TrackSid } from '../../base/sid.ts';
import type { DataTracks } from '../protocol.ts';
import type { PeerChannel } from '../transport/peer-channel.ts';
import { bytesOf, type DataMessage, type DataRelay } from './data-relay.ts';
import { DroppedMessages } from './dropped-messages.ts';
import { MessageRate } from './message-rate.ts';
import { PublishedChannel } from './published-channel.ts';
import { SubscribedChannel } from './subscribed-channel.ts';

/** The transport as data tracks need it. */
export interface ChannelPeer {
  openChannel(channel: PeerChannel): void;
  /** Closes it and forgets it. */
  closeChannel(channel: PeerChannel): void;
}

/** A channel may be open before signaling tells whose it is. */
const MAX_UNKNOWN = 16;
const UNKNOWN_TIMEOUT_MS = 30_000;
/** Of all data tracks of one browser together: what goes beyond would cost the others their server. */
const RATE = { messagesPerS: 2000, bytesPerS: 4 * 1024 * 1024, burstS: 2 };

/** The data tracks of one browser, both ways, over whatever transport it has at the moment. */
export class BrowserData {
  readonly #relay: DataRelay;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #rate: MessageRate;
  readonly #dropped: DroppedMessages;
  readonly #published = new Map<string, PublishedChannel>();
  readonly #unknownTimers = new Map<string, Timer>();
  readonly #subscribed = new Map<TrackSid, { channel: SubscribedChannel; unsubscribe: () => void }>();
  /** Published again so quickly that signaling has not told yet that they were unpublished. */
  readonly #again = new Set<PublishedChannel>();
  #trackSids = new Map<string, TrackSid>();
  #peer: ChannelPeer | null = null;

  constructor(options: { browserId: string; relay: DataRelay; clock: Clock; log: Log }) {
    this.#relay = options.relay;
    this.#clock = options.clock;
    this.#log = options.log.child({ browser: options.browserId });
    this.#rate = new MessageRate(RATE, options.clock.nowMs());
    this.#dropped = new DroppedMessages(this.#log, 'a browser sends too much over its data tracks');
  }

  /** A new transport: every channel goes on there. */
  peerOpened(peer: ChannelPeer): void {
    this.#peer = peer;
    for (const channel of this.#published.values()) peer.openChannel(channel);
    for (const { channel } of this.#subscribed.values()) peer.openChannel(channel);
  }

  /** The browser opened a channel; null when it is to be closed again. */
  channelOpened(label: string): PeerChannel | null {
    const known = this.#published.get(label);
    if (known && !known.isClosed) return null;
    const trackSid = this.#trackSids.get(label);
    if (!trackSid && this.#unknownTimers.size >= MAX_UNKNOWN) return null;
    if (known) this.#endPublished(label);
    const channel = new PublishedChannel(label, {
      messageReceived: (sid, message) => this.#messageReceived(sid, message),
      closed: () => this.#closed(label),
    });
    this.#published.set(label, channel);
    if (known) this.#again.add(channel);
    if (trackSid) channel.publishAs(trackSid);
    else this.#awaitName(label);
    return channel;
  }

  #awaitName(label: string): void {
    this.#unknownTimers.set(label, this.#clock.after(UNKNOWN_TIMEOUT_MS, () => this.#endPublished(label)));
  }

  #messageReceived(trackSid: TrackSid, message: DataMessage): void {
    if (!this.#rate.take(bytesOf(message), this.#clock.nowMs())) return this.#dropped.dropped();
    this.#dropped.passed();
    this.#relay.publish(trackSid, message);
  }

  /** While its track is published it is the transport that was lost: the next one takes the channel up. */
  #closed(label: string): void {
    if (!this.#trackSids.has(label)) this.#endPublished(label);
  }

  /** The complete list of both. */
  setTracks({ published, subscribed }: DataTracks): void {
    this.#trackSids = new Map(published.map(({ trackId, trackSid }) => [trackId, trackSid]));
    for (const [label, channel] of [...this.#published]) this.#name(label, channel);
    const wanted = new Set(subscribed);
    for (const trackSid of [...this.#subscribed.keys()]) if (!wanted.has(trackSid)) this.#unsubscribe(trackSid);
    for (const trackSid of wanted) if (!this.#subscribed.has(trackSid)) this.#subscribe(trackSid);
  }

  #name(label: string, channel: PublishedChannel): void {
    const trackSid = this.#trackSids.get(label);
    if (trackSid === (channel.trackSid ?? undefined)) return;
    if (!trackSid) return this.#unpublished(label, channel);
    this.#unknownTimers.get(label)?.cancel();
    this.#unknownTimers.delete(label);
    channel.publishAs(trackSid);
  }

  /** What is told is the end of the channel before it, and the name of this one is still to come. */
  #unpublished(label: string, channel: PublishedChannel): void {
    if (!this.#again.delete(channel) || this.#unknownTimers.size >= MAX_UNKNOWN) return this.#endPublished(label);
    channel.unpublish();
    this.#awaitName(label);
  }

  #endPublished(label: string): void {
    const channel = this.#published.get(label);
    this.#published.delete(label);
    if (channel) this.#again.delete(channel);
    this.#unknownTimers.get(label)?.cancel();
    this.#unknownTimers.delete(label);
    if (channel) this.#peer?.closeChannel(channel);
  }

  #subscribe(trackSid: TrackSid): void {
    const channel = new SubscribedChannel(trackSid, this.#log);
    this.#subscribed.set(trackSid, { channel, unsubscribe: this.#relay.subscribe(trackSid, channel) });
    this.#peer?.openChannel(channel);
  }

  #unsubscribe(trackSid: TrackSid): void {
    const entry = this.#subscribed.get(trackSid);
    this.#subscribed.delete(trackSid);
    entry?.unsubscribe();
    if (entry) this.#peer?.closeChannel(entry.channel);
  }

  /** The transport is closed by its owner. */
  close(): void {
    this.#peer = null;
    for (const timer of this.#unknownTimers.values()) timer.cancel();
    for (const { unsubscribe } of this.#subscribed.values()) unsubscribe();
    this.#subscribed.clear();
    this.#published.clear();
    this.#again.clear();
  }
}
