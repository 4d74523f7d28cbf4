import { Emitter } from '../base/emitter.ts';
import { newSid, type ParticipantSid, type TrackSid } from '../base/sid.ts';
import type { PhoneMediaStats } from '../media/protocol.ts';
import type { Participant, ParticipantEvents, Publication, Room } from './contract.ts';
import type { LeaveReason, ParticipantRecord, SubscribeRules, TrackKind, TrackPriority, TrackRecord, TrackRule } from './model.ts';
import { checkPublication } from './participant-checks.ts';
import { INCLUDE_ALL, isIncluded } from './track-rules.ts';

const RECEIVE_ALL: SubscribeRules = { rules: [INCLUDE_ALL], createdAtMs: null, updatedAtMs: null };

/** How a participant tells its room what changed; the room saves, tells the others and its callback. */
export interface ParticipantOwner {
  readonly room: Room;
  nowMs(): number;
  published(participant: LiveParticipant, track: LivePublication): void;
  unpublished(participant: LiveParticipant, track: LivePublication): void;
  trackUpdated(participant: LiveParticipant, track: LivePublication, change: { enabled: boolean }): void;
  reconnecting(participant: LiveParticipant, reconnecting: boolean): void;
  /** Something that is stored and told to nobody. */
  changed(participant: LiveParticipant): void;
  left(participant: LiveParticipant, reason: LeaveReason): void;
}

/** One published track. Changed by its participant only. */
export class LivePublication implements Publication {
  record: TrackRecord;
  priority: TrackPriority;

  constructor(record: TrackRecord, priority: TrackPriority) {
    this.record = record;
    this.priority = priority;
  }
  get sid(): TrackSid {
    return this.record.sid;
  }
  get kind(): TrackKind {
    return this.record.kind;
  }
  get name(): string {
    return this.record.name;
  }
  get enabled(): boolean {
    return this.record.enabled;
  }
}

/** A browser or a phone in a room. Whoever owns the connection listens to `disconnected`. */
export class LiveParticipant extends Emitter<ParticipantEvents> implements Participant {
  mediaStats: (() => Promise<PhoneMediaStats>) | null = null;
  readonly #owner: ParticipantOwner;
  readonly #publications = new Map<TrackSid, LivePublication>();
  #record: ParticipantRecord;

  constructor(record: ParticipantRecord, owner: ParticipantOwner) {
    super();
    this.#record = record;
    this.#owner = owner;
  }

  get sid(): ParticipantSid {
    return this.#record.sid;
  }
  get identity(): string {
    return this.#record.identity;
  }
  get medium(): 'browser' | 'phone' {
    return this.#record.medium;
  }
  get room(): Room {
    return this.#owner.room;
  }
  get record(): Readonly<ParticipantRecord> {
    return this.#record;
  }
  get publications(): ReadonlyMap<TrackSid, Publication> {
    return this.#publications;
  }

  publish(options: { kind: TrackKind; name: string; enabled?: boolean; priority?: TrackPriority }): Publication {
    const others = [...this.#publications.values()];
    const dataTracks = others.filter((track) => track.kind === 'data').length;
    checkPublication(options, { audioOnly: this.room.record.audioOnly, names: others.map((track) => track.name), dataTracks });
    const sid = newSid('MT');
    const nowMs = this.#owner.nowMs();
    const record: TrackRecord = {
      sid,
      roomSid: this.#record.roomSid,
      participantSid: this.sid,
      name: options.name === '' ? sid : options.name,
      kind: options.kind,
      enabled: options.enabled ?? true,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      endedAtMs: null,
    };
    const track = new LivePublication(record, options.priority ?? 'standard');
    this.#publications.set(sid, track);
    this.#owner.published(this, track);
    return track;
  }

  unpublish(sid: TrackSid): void {
    const track = this.#publications.get(sid);
    if (!track) return;
    this.#publications.delete(sid);
    const nowMs = this.#owner.nowMs();
    track.record = { ...track.record, updatedAtMs: nowMs, endedAtMs: nowMs };
    this.#owner.unpublished(this, track);
  }

  update(sid: TrackSid, change: { enabled?: boolean; priority?: TrackPriority }): void {
    const track = this.#publications.get(sid);
    if (!track) return;
    const enabled = change.enabled ?? track.enabled;
    const priority = change.priority ?? track.priority;
    const switched = enabled !== track.enabled;
    if (!switched && priority === track.priority) return;
    track.priority = priority;
    track.record = { ...track.record, enabled, updatedAtMs: this.#owner.nowMs() };
    this.#owner.trackUpdated(this, track, { enabled: switched });
  }

  get subscribeRules(): SubscribeRules {
    return this.#record.subscribeRules ?? RECEIVE_ALL;
  }

  setSubscribeRules(rules: TrackRule[], { byRest }: { byRest: boolean }): void {
    const nowMs = this.#owner.nowMs();
    const dates = byRest ? { createdAtMs: this.subscribeRules.createdAtMs ?? nowMs, updatedAtMs: nowMs } : { createdAtMs: null, updatedAtMs: null };
    this.#change({ subscribeRules: { rules, ...dates } });
    this.emit('subscribeRulesChanged');
  }

  subscribesTo(publisher: Participant, { sid, name, kind }: Publication): boolean {
    const { sid: publisherSid, identity: publisherIdentity } = publisher;
    return publisherSid !== this.sid && isIncluded(this.subscribeRules.rules, { sid, name, kind, publisherSid, publisherIdentity });
  }

  anonymize(): void {
    this.#change({ identity: this.sid, call: null });
  }

  #change(change: Partial<ParticipantRecord>): void {
    this.#record = { ...this.#record, ...change, updatedAtMs: this.#owner.nowMs() };
    this.#owner.changed(this);
  }

  setReconnecting(reconnecting: boolean): void {
    const status = reconnecting ? 'reconnecting' : 'connected';
    if (this.#record.status === 'disconnected' || this.#record.status === status) return;
    this.#record = { ...this.#record, status, updatedAtMs: this.#owner.nowMs() };
    this.#owner.reconnecting(this, reconnecting);
  }

  disconnect(reason: LeaveReason): void {
    if (this.#record.status === 'disconnected') return;
    for (const sid of [...this.#publications.keys()]) this.unpublish(sid);
    const nowMs = this.#owner.nowMs();
    this.#record = { ...this.#record, status: 'disconnected', updatedAtMs: nowMs, endedAtMs: nowMs, leaveReason: reason };
    this.#owner.left(this, reason);
    this.emit('disconnected', reason);
    this.removeAllListeners();
  }
}
