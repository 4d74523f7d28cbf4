import type { DataChannel } from 'node-datachannel';
import type { Guard, PeerChannel } from './peer-channel.ts';

/** What may wait in SCTP for a browser that does not read; the state is held back then. */
const MAX_BUFFERED_BYTES = 64 * 1024;

/**
 * One ordered, reliable data channel to a browser that carries a state: only its latest text counts, so nothing queues up. The
 * browser asks for it with its first message (rsp §5: `{"type":"ready"}`); earlier ones would find nobody who listens.
 */
export class StateChannel implements PeerChannel {
  readonly label: string;
  #channel: DataChannel | null = null;
  /** Stream of the channel; another transport of the same browser takes it up under this number. */
  #streamId: number | null = null;
  #ready = false;
  #text = '';
  #unsent = false;

  constructor(label: string) {
    this.label = label;
  }

  /** For `PeerConnection.createDataChannel` of the next transport: the browser's channel lives on over an ICE restart. */
  get init(): { negotiated?: boolean; id?: number } {
    return this.#streamId === null ? {} : { negotiated: true, id: this.#streamId };
  }

  /** Takes over a new channel. `guard` keeps exceptions inside. */
  attach(channel: DataChannel, guard: Guard): void {
    this.#channel = channel;
    channel.onOpen(guard(() => this.#opened(channel)));
    const asked = guard(() => this.#asked(channel));
    channel.onMessage(() => asked());
    channel.setBufferedAmountLowThreshold(0);
    channel.onBufferedAmountLow(guard(() => this.#flush()));
  }

  #opened(channel: DataChannel): void {
    if (channel !== this.#channel) return;
    this.#streamId = channel.getId();
    this.#flush();
  }

  #asked(channel: DataChannel): void {
    if (channel !== this.#channel || this.#ready) return;
    this.#ready = true;
    this.#flush();
  }

  show(text: string): void {
    this.#text = text;
    this.#unsent = true;
    this.#flush();
  }

  #flush(): void {
    const channel = this.#channel;
    if (!this.#unsent || !this.#ready || !channel) return;
    try {
      if (channel.isOpen() && channel.bufferedAmount() <= MAX_BUFFERED_BYTES) this.#unsent = !channel.sendMessage(this.#text);
    } catch {
      // Closed a moment ago.
    }
  }
}
