import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { ParticipantSid, TrackSid } from '../../base/sid.ts';
import type { BrowserMedia, RoomMedia, VideoPolicy, VideoWish } from '../../media/protocol.ts';
import type { Participant, Publication } from '../../rooms/contract.ts';
import { speakerOf } from './active-speaker.ts';
import type { BandwidthProfile, Priority } from './bandwidth-profile.ts';

export interface RenderHint {
  enabled?: boolean;
  renderDimensions?: VideoWish['renderDimensions'];
}

const RANK: Record<Priority, number> = { high: 0, standard: 1, low: 2 };

/**
 * What one browser wants of the videos it is subscribed to: its bandwidth profile, the priorities that publishers and it itself
 * gave, and what it shows how large, made into one policy of its media. Without a profile there is none.
 */
export class VideoDirector {
  readonly #options: { participant: Participant; media: BrowserMedia; roomMedia: RoomMedia; log: Log };
  readonly #unlisten: (() => void)[];
  readonly #priorities = new Map<TrackSid, Priority>();
  readonly #hints = new Map<TrackSid, RenderHint>();
  /** Who spoke, the last one first. */
  #speakers: ParticipantSid[] = [];
  #profile: BandwidthProfile;
  #told = '';
  #due = false;
  #closed = false;

  constructor(options: { participant: Participant; media: BrowserMedia; roomMedia: RoomMedia; log: Log; profile: BandwidthProfile }) {
    const { participant, roomMedia } = options;
    const { room } = participant;
    this.#options = options;
    this.#profile = options.profile;
    const changed = (): void => this.#tellSoon();
    this.#unlisten = [
      room.on('trackPublished', changed),
      room.on('trackUpdated', changed),
      room.on('trackUnpublished', (_publisher, track) => this.#unpublished(track.sid)),
      participant.on('subscribeRulesChanged', changed),
      roomMedia.on('activeSpeakerChanged', () => this.#speakerChanged()),
    ];
    this.#speakerChanged();
  }

  set profile(profile: BandwidthProfile) {
    this.#profile = profile;
    this.#tellSoon();
  }

  /** The subscriber's own priority of a track; null: the publisher's. */
  setPriority(trackSid: TrackSid, priority: Priority | null): void {
    if (!this.#isVideo(trackSid)) return;
    if (priority) this.#priorities.set(trackSid, priority);
    else this.#priorities.delete(trackSid);
    this.#tellSoon();
  }

  /** Adds to what is known of a track. False when no such video is in the room. */
  setHint(trackSid: TrackSid, hint: RenderHint): boolean {
    if (!this.#isVideo(trackSid)) return false;
    this.#hints.set(trackSid, { ...this.#hints.get(trackSid), ...hint });
    this.#tellSoon();
    return true;
  }

  #isVideo(trackSid: TrackSid): boolean {
    for (const { publications } of this.#others()) if (publications.get(trackSid)?.kind === 'video') return true;
    return false;
  }

  #others(): Participant[] {
    const { participant } = this.#options;
    return [...participant.room.participants.values()].filter((other) => other !== participant);
  }

  #unpublished(trackSid: TrackSid): void {
    this.#priorities.delete(trackSid);
    this.#hints.delete(trackSid);
    this.#tellSoon();
  }

  #speakerChanged(): void {
    const { participant, roomMedia } = this.#options;
    const { room } = participant;
    const speaker = speakerOf(room, roomMedia);
    if (speaker !== null && speaker !== participant.sid) this.#speakers = [speaker, ...this.#speakers.filter((sid) => sid !== speaker && room.participants.has(sid))];
    this.#tellSoon();
  }

  #tellSoon(): void {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      this.#tell();
    });
  }

  #tell(): void {
    if (this.#closed) return;
    const policy = this.#policy();
    const text = JSON.stringify(policy);
    if (text === this.#told) return;
    this.#told = text;
    const { media, log } = this.#options;
    media.setVideoPolicy(policy).catch((error: unknown) => log.debug({ error: messageOf(error) }, 'a video policy could not be set'));
  }

  #policy(): VideoPolicy {
    const { mode, maxBitrateBps, maxTracks, switchOff } = this.#profile;
    return { mode, maxBitrateBps, maxTracks, switchOff, wishes: this.#wishes() };
  }

  /** The most important first; among equals who spoke last, as Twilio's N-loudest rule has it. In a presentation talk changes nothing. */
  #wishes(): VideoWish[] {
    const { participant, roomMedia } = this.#options;
    const speaker = speakerOf(participant.room, roomMedia);
    const ranked: { wish: VideoWish; spoke: number }[] = [];
    for (const publisher of this.#others()) {
      const spoke = this.#profile.mode === 'presentation' ? -1 : this.#speakers.indexOf(publisher.sid);
      for (const track of publisher.publications.values()) {
        if (track.kind !== 'video' || !participant.subscribesTo(publisher, track)) continue;
        ranked.push({ wish: this.#wish(track, publisher.sid === speaker), spoke: spoke < 0 ? Infinity : spoke });
      }
    }
    ranked.sort((a, b) => RANK[a.wish.priority] - RANK[b.wish.priority] || (a.spoke === b.spoke ? 0 : a.spoke - b.spoke));
    return ranked.map(({ wish }) => wish);
  }

  #wish({ sid, priority }: Publication, speaks: boolean): VideoWish {
    const own = this.#priorities.get(sid) ?? priority;
    const least = this.#profile.speakerPriority;
    const hint = this.#hints.get(sid);
    const effective = speaks && RANK[least] < RANK[own] ? least : own;
    return { trackSid: sid, priority: effective, enabled: hint?.enabled ?? true, renderDimensions: hint?.renderDimensions ?? this.#profile.sizes[effective] ?? null };
  }

  close(): void {
    this.#closed = true;
    for (const unlisten of this.#unlisten) unlisten();
  }
}
