import { TwilioError } from '../base/errors.ts';
import type { TrackSid } from '../base/sid.ts';
import type { Participant } from '../rooms/contract.ts';
import type { ClientParticipant, ClientTrack } from './messages.ts';

interface Entry {
  kind: ClientTrack['kind'];
  sid: TrackSid | null;
  failure: { code: number; message: string } | null;
}

/** What one browser publishes: its own track ids and the SIDs they have in the room. */
export class Publications {
  readonly #participant: Participant;
  readonly #entries = new Map<string, Entry>();
  #clientRevision = -1;
  #revision = 0;
  #changed = true;

  constructor(participant: Participant) {
    this.#participant = participant;
  }

  /** Revision of the browser's own state, as last taken in. */
  get clientRevision(): number {
    return this.#clientRevision;
  }

  /** The complete list of the browser's tracks. An older one than the last is ignored. True when publications came or went. */
  listReceived(list: ClientParticipant): boolean {
    if (list.revision <= this.#clientRevision) return false;
    this.#clientRevision = list.revision;
    const listed = new Map(list.tracks.map((track) => [track.id, track]));
    let changed = false;
    for (const id of [...this.#entries.keys()]) if (!listed.has(id)) changed = this.#remove(id) || changed;
    for (const track of listed.values()) changed = this.#take(track) || changed;
    this.#changed ||= changed;
    return changed;
  }

  #take(track: ClientTrack): boolean {
    const entry = this.#entries.get(track.id);
    const priority = track.priority ?? 'standard';
    if (!entry) {
      this.#entries.set(track.id, this.#publish(track));
      return true;
    }
    if (entry.sid) this.#participant.update(entry.sid, { enabled: track.enabled, priority });
    return false;
  }

  #publish(track: ClientTrack): Entry {
    const { kind, name, enabled } = track;
    try {
      const publication = this.#participant.publish({ kind, name, enabled, priority: track.priority ?? 'standard' });
      return { kind, sid: publication.sid, failure: null };
    } catch (error) {
      if (error instanceof TwilioError) return { kind, sid: null, failure: { code: error.code, message: error.message } };
      throw error;
    }
  }

  #remove(id: string): boolean {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    if (entry?.sid) this.#participant.unpublish(entry.sid);
    return entry !== undefined;
  }

  /** SID of the browser's track, null for one that is not published. */
  sidOf(trackId: string): TrackSid | null {
    return this.#entries.get(trackId)?.sid ?? null;
  }

  /** Published data tracks, by the browser's id, which labels the channel of each (rsp §4.2). */
  dataTracks(): { trackId: string; trackSid: TrackSid }[] {
    return [...this.#entries].flatMap(([trackId, { kind, sid }]) => (kind === 'data' && sid ? [{ trackId, trackSid: sid }] : []));
  }

  /** `published` of connected, synced and update; null when nothing changed since the last one and `always` is not set. */
  take(options: { always: boolean }): object | null {
    if (!this.#changed && !options.always) return null;
    this.#changed = false;
    this.#revision++;
    const tracks = [...this.#entries].map(([id, { sid, failure }]) => (sid ? { id, sid, state: 'ready' } : { id, state: 'failed', error: failure }));
    return { revision: this.#revision, tracks };
  }
}
