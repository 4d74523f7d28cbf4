import { z } from 'zod';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { parseSid, type TrackSid } from '../../base/sid.ts';
import type { BrowserMedia, RoomMedia } from '../../media/protocol.ts';
import type { Participant } from '../../rooms/contract.ts';
import { MessageChannel, type MediaChannel } from './message-channel.ts';

const track = z.string().max(64);
const results = z.array(z.object({ track, result: z.string().max(64) })).max(256);
const shape = z.discriminatedUnion('type', [z.object({ type: z.literal('publisher_hints'), id: z.number(), hints: results }), z.object({ type: z.literal('client_reset'), track, id: z.number().optional() })]);

/** A browser that could not obey yet is asked again so much later, and so often. */
const RETRY_MS = 1000;
const MAX_RETRIES = 5;

interface Demand {
  layers: boolean[];
  retries: number;
}

/**
 * Adaptive simulcast: tells the publishing browser which layers of its videos somebody wants, so that it makes no others
 * (`preferredVideoCodecs: 'auto'`). A layer is on until told off.
 */
export class PublisherHintsChannel implements MediaChannel {
  readonly #options: { participant: Participant; media: BrowserMedia; roomMedia: RoomMedia; clock: Clock; log: Log };
  readonly #channel: MessageChannel<z.infer<typeof shape>>;
  readonly #unlisten: (() => void)[];
  readonly #demands = new Map<TrackSid, Demand>();
  readonly #retries = new Set<Timer>();
  #lastId = 0;
  #connectedBefore = false;

  constructor(options: { participant: Participant; media: BrowserMedia; roomMedia: RoomMedia; clock: Clock; log: Log }) {
    const { participant, media, roomMedia } = options;
    this.#options = options;
    this.#channel = new MessageChannel({ ...options, takes: { shape, received: (message) => this.#received(message) } });
    this.#unlisten = [
      roomMedia.on('layersWanted', ({ trackSid, layers }) => this.#wanted(trackSid, layers)),
      media.on('connected', () => this.#connected()),
      participant.room.on('trackUnpublished', (_publisher, { sid }) => void this.#demands.delete(sid)),
    ];
  }

  get label(): string {
    return this.#channel.label;
  }

  #wanted(trackSid: TrackSid, layers: boolean[]): void {
    if (!this.#options.participant.publications.has(trackSid)) return;
    this.#demands.set(trackSid, { layers, retries: 0 });
    this.#tell([trackSid]);
  }

  #tell(trackSids: TrackSid[]): void {
    const hints = trackSids.flatMap((sid) => {
      const layers = this.#demands.get(sid)?.layers;
      return layers ? [{ track: sid, encodings: layers.map((enabled, layer) => ({ layer_index: layer, enabled })) }] : [];
    });
    if (hints.length > 0) this.#channel.send({ type: 'publisher_hints', publisher: { id: ++this.#lastId, hints } });
  }

  /** What was on its way when the path broke may be lost. */
  #connected(): void {
    if (this.#connectedBefore) this.#tell([...this.#demands.keys()]);
    this.#connectedBefore = true;
  }

  #received(message: z.infer<typeof shape>): void {
    // Another source of pictures begins with all layers on.
    if (message.type === 'client_reset') return this.#again(parseSid('MT', message.track));
    // A later hint overtook one that was skipped.
    if (message.id !== this.#lastId) return;
    for (const { track: text, result } of message.hints) if (result !== 'OK' && result !== 'REQUEST_SKIPPED') this.#refused(text, result);
  }

  #again(trackSid: TrackSid | null): void {
    if (trackSid) this.#tell([trackSid]);
  }

  #refused(text: string, result: string): void {
    const trackSid = parseSid('MT', text);
    const demand = trackSid ? this.#demands.get(trackSid) : undefined;
    if (!trackSid || !demand) return;
    this.#options.log.debug({ trackSid, result }, 'a browser did not switch layers of a video');
    if (result === 'INVALID_HINT' || demand.retries++ >= MAX_RETRIES) return;
    const timer = this.#options.clock.after(RETRY_MS, () => {
      this.#retries.delete(timer);
      this.#tell([trackSid]);
    });
    this.#retries.add(timer);
  }

  close(): void {
    for (const unlisten of this.#unlisten) unlisten();
    for (const timer of this.#retries) timer.cancel();
    this.#channel.close();
  }
}
