import { z } from 'zod';
import type { Log } from '../../base/log.ts';
import { parseSid, type TrackSid } from '../../base/sid.ts';
import type { BrowserMedia } from '../../media/protocol.ts';
import type { Participant } from '../../rooms/contract.ts';
import { sizeShape } from './bandwidth-profile.ts';
import { MessageChannel, type MediaChannel } from './message-channel.ts';
import type { VideoDirector } from './video-director.ts';

interface Deps {
  media: BrowserMedia;
  log: Log;
}

const track = z.string().max(64);

const priorityShape = z.object({ type: z.literal('track_priority'), track, subscribe: z.enum(['high', 'standard', 'low']).nullish() });

/** The browser gives videos priorities of its own (`RemoteTrackPublication.setPriority`). */
export function openTrackPriorityChannel(deps: Deps, director: VideoDirector): MediaChannel {
  return new MessageChannel({
    ...deps,
    takes: {
      shape: priorityShape,
      received: (message) => {
        const sid = parseSid('MT', message.track);
        if (sid) director.setPriority(sid, message.subscribe ?? null);
      },
    },
  });
}

const hintShape = z.object({ track, enabled: z.boolean().nullish(), render_dimensions: sizeShape.nullish() });
const renderHintsShape = z.object({ type: z.literal('render_hints'), subscriber: z.object({ id: z.number().int(), hints: z.array(hintShape).max(256) }) });

/** The browser tells which videos it shows and how large; every message is answered, or it comes again. */
export function openRenderHintsChannel(deps: Deps, director: VideoDirector): MediaChannel {
  const take = (hint: z.infer<typeof hintShape>): boolean => {
    const sid = parseSid('MT', hint.track);
    const { enabled, render_dimensions: size } = hint;
    return sid !== null && director.setHint(sid, { ...(typeof enabled === 'boolean' ? { enabled } : {}), ...(size ? { renderDimensions: size } : {}) });
  };
  const channel: MessageChannel<z.infer<typeof renderHintsShape>> = new MessageChannel({
    ...deps,
    takes: {
      shape: renderHintsShape,
      received: ({ subscriber }) => {
        const hints = subscriber.hints.map((hint) => ({ track: hint.track, result: take(hint) ? 'OK' : 'UNKNOWN_TRACK' }));
        channel.send({ type: 'render_hints', subscriber: { id: subscriber.id, hints } });
      },
    },
  });
  return channel;
}

/** Tells the browser which of its videos are switched off, and again after its transport has changed. */
export class TrackSwitchOffChannel implements MediaChannel {
  readonly #channel: MessageChannel<never>;
  readonly #unlisten: (() => void)[];
  readonly #off = new Set<TrackSid>();
  #connectedBefore = false;

  constructor(deps: Deps & { participant: Participant }) {
    const { media, participant } = deps;
    this.#channel = new MessageChannel<never>(deps);
    this.#unlisten = [
      media.on('videoSwitched', ({ off, on }) => this.#switched(off, on)),
      media.on('connected', () => this.#connected()),
      participant.room.on('trackUnpublished', (_publisher, { sid }) => void this.#off.delete(sid)),
    ];
  }

  get label(): string {
    return this.#channel.label;
  }

  #switched(off: TrackSid[], on: TrackSid[]): void {
    for (const sid of off) this.#off.add(sid);
    for (const sid of on) this.#off.delete(sid);
    this.#channel.send({ type: 'track_switch_off', off, on });
  }

  /** What was on its way when the path broke may be lost. */
  #connected(): void {
    if (this.#connectedBefore && this.#off.size > 0) this.#channel.send({ type: 'track_switch_off', off: [...this.#off], on: [] });
    this.#connectedBefore = true;
  }

  close(): void {
    for (const unlisten of this.#unlisten) unlisten();
    this.#channel.close();
  }
}
