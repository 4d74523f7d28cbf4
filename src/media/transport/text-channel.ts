import type { DataChannel } from 'node-datachannel';
import type { Clock } from '../../base/clock.ts';
import type { Guard, PeerChannel } from './peer-channel.ts';

/** What may wait in SCTP for a browser that does not read; more is held back here. */
const MAX_BUFFERED_BYTES = 64 * 1024;
/** Messages held back for a browser that is not there yet or does not read. */
const MAX_QUEUED = 256;
const MAX_QUEUED_CHARS = 256 * 1024;
/** What a browser may say: one message, and how many a second after a burst. */
const MAX_MESSAGE_CHARS = 16 * 1024;
const MESSAGES_PER_SECOND = 20;
const MESSAGE_BURST = 100;

export interface TextChannelEvents {
  /** A text of the browser, its first one included. */
  received(text: string): void;
  /** Something of the browser was left out; told once per channel. */
  overrun(reason: 'size' | 'rate' | 'binary'): void;
}

/**
 * One ordered, reliable data channel to a browser, opened by us. It carries messages in their order, or a state of which only
 * the latest text counts. The browser asks for it with its first message (rsp §5: `{"type":"ready"}`); what is sent earlier
 * would find nobody who listens, and waits. It lives on over an ICE restart.
 */
export class TextChannel implements PeerChannel {
  readonly label: string;
  readonly #clock: Clock;
  readonly #events: TextChannelEvents;
  #channel: DataChannel | null = null;
  /** Stream of the channel; another transport of the same browser takes it up under this number. */
  #streamId: number | null = null;
  #ready = false;
  #queue: string[] = [];
  #queuedChars = 0;
  #state: string | null = null;
  #allowance = MESSAGE_BURST;
  #allowanceAtMs: number;
  #overrun = false;

  constructor(label: string, options: { clock: Clock; events: TextChannelEvents }) {
    this.label = label;
    this.#clock = options.clock;
    this.#events = options.events;
    this.#allowanceAtMs = options.clock.nowMs();
  }

  /** For `PeerConnection.createDataChannel` of the next transport: the browser's channel lives on over an ICE restart. */
  get init(): { negotiated?: boolean; id?: number } {
    return this.#streamId === null ? {} : { negotiated: true, id: this.#streamId };
  }

  /** Takes over a new channel. `guard` keeps exceptions inside. */
  attach(channel: DataChannel, guard: Guard): void {
    this.#channel = channel;
    channel.onOpen(guard(() => this.#opened(channel)));
    channel.onMessage(guard((message: unknown) => this.#received(channel, message)));
    channel.setBufferedAmountLowThreshold(0);
    channel.onBufferedAmountLow(guard(() => this.#flush()));
  }

  #opened(channel: DataChannel): void {
    if (channel !== this.#channel) return;
    this.#streamId = channel.getId();
    this.#flush();
  }

  #received(channel: DataChannel, message: unknown): void {
    if (channel !== this.#channel) return;
    this.#ready = true;
    this.#flush();
    if (typeof message !== 'string') return this.#leaveOut('binary');
    if (message.length > MAX_MESSAGE_CHARS) return this.#leaveOut('size');
    if (!this.#isAllowed()) return this.#leaveOut('rate');
    this.#events.received(message);
  }

  #isAllowed(): boolean {
    const nowMs = this.#clock.nowMs();
    this.#allowance = Math.min(MESSAGE_BURST, this.#allowance + ((nowMs - this.#allowanceAtMs) * MESSAGES_PER_SECOND) / 1000);
    this.#allowanceAtMs = nowMs;
    if (this.#allowance < 1) return false;
    this.#allowance--;
    return true;
  }

  #leaveOut(reason: 'size' | 'rate' | 'binary'): void {
    if (this.#overrun) return;
    this.#overrun = true;
    this.#events.overrun(reason);
  }

  /** The latest text counts; an older one that has not gone is forgotten. Goes after what `send` has queued. */
  show(text: string): void {
    this.#state = text;
    this.#flush();
  }

  /** Goes after everything sent before. False when too much waits already: it is not sent then. */
  send(text: string): boolean {
    if (this.#queue.length >= MAX_QUEUED || this.#queuedChars + text.length > MAX_QUEUED_CHARS) return false;
    this.#queue.push(text);
    this.#queuedChars += text.length;
    this.#flush();
    return true;
  }

  #flush(): void {
    if (!this.#ready) return;
    for (let text = this.#queue[0]; text !== undefined; text = this.#queue[0]) {
      if (!this.#pass(text)) return;
      this.#queue.shift();
      this.#queuedChars -= text.length;
    }
    if (this.#state !== null && this.#pass(this.#state)) this.#state = null;
  }

  #pass(text: string): boolean {
    const channel = this.#channel;
    try {
      if (!channel?.isOpen() || channel.bufferedAmount() > MAX_BUFFERED_BYTES) return false;
      // Its answer says whether it went at once; it is SCTP's now in either case.
      channel.sendMessage(text);
      return true;
    } catch {
      // Closed a moment ago.
      return false;
    }
  }
}
