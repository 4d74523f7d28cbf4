import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { BrowserMedia } from '../../media/protocol.ts';

/** Channels of rsp §5, by their names on the wire. */
export const CHANNEL_NAMES = ['active_speaker', 'network_quality', 'track_priority', 'track_switch_off', 'render_hints', 'publisher_hints', 'extension_transcriptions'] as const;
export type ChannelName = (typeof CHANNEL_NAMES)[number];

/** What a session asks of each of its channels. */
export interface MediaChannel {
  readonly label: string;
  close(): void;
}

export interface MessageChannelOptions<T> {
  media: BrowserMedia;
  log: Log;
  /** What is taken from the browser; anything else is left out. Absent: nothing is. */
  takes?: { shape: z.ZodType<T>; received: (message: T) => void };
}

const READY = /^\{\s*"type"\s*:\s*"ready"\s*\}$/;

/** One data channel of JSON messages to and from one browser (rsp §5). */
export class MessageChannel<T> implements MediaChannel {
  readonly label = randomUUID();
  readonly #options: MessageChannelOptions<T>;
  readonly #unlisten: () => void;

  constructor(options: MessageChannelOptions<T>) {
    this.#options = options;
    this.#unlisten = options.media.on('channelMessage', (label, text) => {
      if (label === this.label) this.#received(text);
    });
    options.media.openChannel(this.label).catch((error: unknown) => this.#failed(error));
  }

  send(message: object): void {
    this.#options.media.sendOnChannel(this.label, JSON.stringify(message)).catch((error: unknown) => this.#failed(error));
  }

  /** A transport that is gone is told by its own events. */
  #failed(error: unknown): void {
    this.#options.log.debug({ error: messageOf(error) }, 'a media signaling channel failed');
  }

  #received(text: string): void {
    const { takes, log } = this.#options;
    if (!takes || READY.test(text)) return;
    const read = takes.shape.safeParse(parsed(text));
    if (read.success) takes.received(read.data);
    else log.debug({ issue: read.error.issues[0]?.message }, 'a browser sent what its media signaling channel does not take');
  }

  close(): void {
    this.#unlisten();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
