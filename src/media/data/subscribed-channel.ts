import type { DataChannel } from 'node-datachannel';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { TrackSid } from '../../base/sid.ts';
import type { Guard, PeerChannel } from '../transport/peer-channel.ts';
import { bytesOf, type DataMessage, type DataSink } from './data-relay.ts';
import { DroppedMessages } from './dropped-messages.ts';

/** What may wait in SCTP for a browser that reads too slowly. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;
/** What may wait for a channel that is not open: a browser that is about to connect, or restarts ICE. */
const MAX_HELD_BYTES = 1024 * 1024;
const MAX_HELD_MESSAGES = 4000;

/** A data track of somebody else on its way to a browser: an ordered, reliable channel that we open, labelled with the SID. */
export class SubscribedChannel implements DataSink, PeerChannel {
  readonly label: TrackSid;
  readonly #log: Log;
  readonly #dropped: DroppedMessages;
  #channel: DataChannel | null = null;
  #streamId: number | null = null;
  #held: DataMessage[] = [];
  #heldBytes = 0;

  constructor(trackSid: TrackSid, log: Log) {
    this.label = trackSid;
    this.#log = log.child({ trackSid });
    this.#dropped = new DroppedMessages(this.#log, 'a browser takes a data track too slowly');
  }

  get init(): { negotiated?: boolean; id?: number } {
    return this.#streamId === null ? {} : { negotiated: true, id: this.#streamId };
  }

  attach(channel: DataChannel, guard: Guard): void {
    this.#channel = channel;
    channel.onOpen(guard(() => this.#opened(channel)));
  }

  #opened(channel: DataChannel): void {
    if (channel !== this.#channel) return;
    this.#streamId ??= channel.getId();
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const message of held) this.messageRelayed(message);
  }

  messageRelayed(message: DataMessage): void {
    const taken = this.#channel?.isOpen() && this.#held.length === 0 ? this.#send(this.#channel, message) : this.#hold(message);
    if (taken) this.#dropped.passed();
    else this.#dropped.dropped();
  }

  #send(channel: DataChannel, message: DataMessage): boolean {
    try {
      const bytes = bytesOf(message);
      if (bytes > channel.maxMessageSize() || channel.bufferedAmount() + bytes > MAX_BUFFERED_BYTES) return false;
      // What they return tells sent from buffered; both arrive.
      if (typeof message === 'string') channel.sendMessage(message);
      else channel.sendMessageBinary(message);
      return true;
    } catch (error) {
      // Closed a moment ago, its event is on the way.
      this.#log.debug({ error: messageOf(error) }, 'a data channel took no message');
      return false;
    }
  }

  #hold(message: DataMessage): boolean {
    const bytes = this.#heldBytes + bytesOf(message);
    if (bytes > MAX_HELD_BYTES || this.#held.length >= MAX_HELD_MESSAGES) return false;
    this.#heldBytes = bytes;
    this.#held.push(message);
    return true;
  }
}
