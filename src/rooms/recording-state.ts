import { Emitter } from '../base/emitter.ts';
import type { TrackSid } from '../base/sid.ts';
import type { Participant, Publication, RoomRecordingEvents, RoomRecordingState } from './contract.ts';
import type { RecordingRules, TrackRule } from './model.ts';
import { EXCLUDE_ALL, INCLUDE_ALL, isIncluded } from './track-rules.ts';

/** How the state of a room's recording is kept with its room. */
export interface RecordingOwner {
  /** As stored; null: nobody set any. */
  stored: () => RecordingRules | null;
  recordsOnConnect: () => boolean;
  save: (rules: RecordingRules) => void;
  nowMs: () => number;
}

/** Recording as a room sees it (contract §7.6): what is wanted, and what those who record say of it. */
export class LiveRecordingState extends Emitter<RoomRecordingEvents> implements RoomRecordingState {
  readonly #owner: RecordingOwner;
  readonly #withoutMedia = new Set<TrackSid>();
  #active = false;
  #revision = 1;

  constructor(owner: RecordingOwner) {
    super();
    this.#owner = owner;
  }

  get rules(): readonly TrackRule[] {
    return this.#owner.stored()?.rules ?? [this.#owner.recordsOnConnect() ? INCLUDE_ALL : EXCLUDE_ALL];
  }

  setRules(rules: TrackRule[]): void {
    const nowMs = this.#owner.nowMs();
    this.#owner.save({ rules, createdAtMs: this.#owner.stored()?.createdAtMs ?? nowMs, updatedAtMs: nowMs });
    this.emit('rulesChanged');
  }

  wants(publisher: Participant, { sid, name, kind }: Publication): boolean {
    return kind !== 'data' && isIncluded(this.rules, { sid, name, kind, publisherSid: publisher.sid, publisherIdentity: publisher.identity });
  }

  get active(): boolean {
    return this.#active;
  }
  get revision(): number {
    return this.#revision;
  }

  setActive(active: boolean): void {
    if (active === this.#active) return;
    this.#active = active;
    this.#revision++;
    this.emit('activeChanged');
  }

  lacksMedia(sid: TrackSid): boolean {
    return this.#withoutMedia.has(sid);
  }

  setLacksMedia(sid: TrackSid, lacks: boolean): void {
    if (lacks === this.#withoutMedia.has(sid)) return;
    if (lacks) this.#withoutMedia.add(sid);
    else this.#withoutMedia.delete(sid);
    this.emit('mediaChanged', sid);
  }
}
