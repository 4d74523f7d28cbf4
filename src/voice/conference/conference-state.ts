import type { CallSid } from '../../base/sid.ts';
import type { ConferenceEndReason, ConferenceStatus } from './model.ts';

/**
 * The machine of a conference: who is in it, and what follows from somebody's coming, going and changing. Pure.
 *
 *     init ──two members, one of them starts it──▶ in-progress ──▶ completed
 *       └──────── nobody left, a moderator left, REST ───────────────▲
 *
 * Each input answers with what happened, in the order in which it is to be told and done (contract §3.4).
 */
export class ConferenceState {
  #status: ConferenceStatus = 'init';
  readonly #members = new Map<CallSid, Member>();

  get status(): ConferenceStatus {
    return this.#status;
  }

  /** In the order they came. */
  get members(): readonly Member[] {
    return [...this.#members.values()];
  }

  member(callSid: CallSid): Member | null {
    return this.#members.get(callSid) ?? null;
  }

  /** Null when the member may come in. `maxParticipants` is the newcomer's own. */
  refusal(wanted: MemberSettings, callSid: CallSid): JoinRefusal | null {
    if (this.#status === 'completed') return { errorCode: 13236, message: 'the conference is over' };
    if (this.#members.size >= wanted.maxParticipants) return { errorCode: 16020, message: `the conference is full: ${this.#members.size} of ${wanted.maxParticipants} participants` };
    if (wanted.label !== null && this.members.some(({ label, callSid: other }) => label === wanted.label && other !== callSid)) return { errorCode: 16025, message: `the label '${wanted.label}' is in use by another participant` };
    if (wanted.callSidToCoach !== null && !this.#members.has(wanted.callSidToCoach)) return { errorCode: 13240, message: `call ${wanted.callSidToCoach} is not in the conference and cannot be coached` };
    return null;
  }

  /** To be called when `refusal` has none. */
  join(callSid: CallSid, wanted: MemberSettings, nowMs: number): ConferenceStep[] {
    const member: Member = { ...wanted, callSid, held: false, coaching: wanted.callSidToCoach !== null, joinedAtMs: nowMs, updatedAtMs: nowMs };
    this.#members.set(callSid, member);
    const starts = this.#status === 'init' && this.#members.size >= 2 && this.members.some(({ startOnEnter }) => startOnEnter);
    if (starts) this.#status = 'in-progress';
    return [...(starts ? [{ step: 'started' } as const] : []), { step: 'joined', member: { ...member } }];
  }

  /** Somebody went, or was sent. The last one, and one who may end the conference, end it. */
  leave(callSid: CallSid, reason: LeaveReason): ConferenceStep[] {
    const member = this.#members.get(callSid);
    if (!member) return [];
    this.#members.delete(callSid);
    const gone: ConferenceStep = { step: 'left', member: { ...member }, reason };
    if (this.#status === 'completed') return [gone];
    const kicked = reason === 'participant_updated_via_api';
    if (member.endOnExit) return [gone, ...this.#end({ reason: kicked ? 'participant-with-end-conference-on-exit-kicked' : 'participant-with-end-conference-on-exit-left', ending: member, othersLeave: 'moderator_ended_conference' })];
    if (this.#members.size > 0) return [gone];
    return [gone, ...this.#end({ reason: kicked ? 'last-participant-kicked' : 'last-participant-left', ending: member, othersLeave: 'moderator_ended_conference' })];
  }

  /** REST changes a member. Nothing happens where nothing differs. */
  change(callSid: CallSid, wanted: MemberChange, nowMs: number): ConferenceStep[] {
    const member = this.#members.get(callSid);
    if (!member) return [];
    const steps: ConferenceStep[] = [];
    const told = (step: 'muted' | 'unmuted' | 'held' | 'unheld' | 'modified'): void => void steps.push({ step, member: { ...member } });
    if (wanted.muted !== undefined && wanted.muted !== member.muted) {
      member.muted = wanted.muted;
      told(wanted.muted ? 'muted' : 'unmuted');
    }
    if (wanted.held !== undefined && wanted.held !== member.held) {
      member.held = wanted.held;
      told(wanted.held ? 'held' : 'unheld');
    }
    if (modified(member, wanted)) told('modified');
    if (steps.length > 0) member.updatedAtMs = nowMs;
    return steps;
  }

  /** REST ends it, or its media was lost (null). */
  end(reason: 'conference-ended-via-api' | null): ConferenceStep[] {
    return this.#status === 'completed' ? [] : this.#end({ reason, ending: null, othersLeave: 'conference_ended_via_api' });
  }

  #end({ reason, ending, othersLeave }: { reason: ConferenceEndReason | null; ending: Member | null; othersLeave: LeaveReason }): ConferenceStep[] {
    this.#status = 'completed';
    const others = this.members.map((member): ConferenceStep => ({ step: 'left', member: { ...member }, reason: othersLeave }));
    this.#members.clear();
    return [...others, { step: 'ended', reason, ending: ending && { ...ending } }];
  }
}

function modified(member: Member, { endOnExit, beepOnExit, coaching, callSidToCoach, waitChanged }: MemberChange): boolean {
  const before = JSON.stringify([member.endOnExit, member.beepOnExit, member.coaching, member.callSidToCoach]);
  if (endOnExit !== undefined) member.endOnExit = endOnExit;
  if (beepOnExit !== undefined) member.beepOnExit = beepOnExit;
  if (callSidToCoach !== undefined) member.callSidToCoach = callSidToCoach;
  if (coaching !== undefined || callSidToCoach !== undefined) member.coaching = (coaching ?? true) && member.callSidToCoach !== null;
  return waitChanged === true || before !== JSON.stringify([member.endOnExit, member.beepOnExit, member.coaching, member.callSidToCoach]);
}

/** Most that a conference may hold. */
export const MAX_PARTICIPANTS = 250;

/** How somebody wants to take part. */
export interface MemberSettings {
  label: string | null;
  muted: boolean;
  startOnEnter: boolean;
  endOnExit: boolean;
  beepOnEnter: boolean;
  beepOnExit: boolean;
  /** 2–250. */
  maxParticipants: number;
  /** The only one who hears this member; null: everybody does. */
  callSidToCoach: CallSid | null;
}

export interface Member extends MemberSettings {
  callSid: CallSid;
  held: boolean;
  coaching: boolean;
  joinedAtMs: number;
  updatedAtMs: number;
}

export interface MemberChange {
  muted?: boolean;
  held?: boolean;
  endOnExit?: boolean;
  beepOnExit?: boolean;
  coaching?: boolean;
  callSidToCoach?: CallSid;
  /** Another waitUrl was given, which this machine knows nothing of. */
  waitChanged?: boolean;
}

/** Twilio's words of `ReasonParticipantLeft`. */
export type LeaveReason = 'participant_hung_up' | 'participant_updated_via_api' | 'moderator_ended_conference' | 'conference_ended_via_api' | 'participant_add_failed';

export interface JoinRefusal {
  errorCode: number;
  message: string;
}

/** What happened; members are as they were at that moment. */
export type ConferenceStep =
  | { step: 'started' }
  | { step: 'joined' | 'muted' | 'unmuted' | 'held' | 'unheld' | 'modified'; member: Member }
  | { step: 'left'; member: Member; reason: LeaveReason }
  | { step: 'ended'; reason: ConferenceEndReason | null; ending: Member | null };
