import { TwilioError } from '../../base/errors.ts';
import { newSid, parseSid, type AccountSid, type CallSid, type ConferenceSid } from '../../base/sid.ts';
import type { CallRecord } from '../model.ts';
import { Conference, type ConferenceDeps } from './conference.ts';
import type { Member, MemberSettings } from './conference-state.ts';
import type { ConferenceRecord } from './model.ts';

/** A participant as REST shows it: in the conference, or on its way there because REST called it. */
export interface ParticipantView extends Pick<Member, 'callSid' | 'label' | 'muted' | 'held' | 'coaching' | 'callSidToCoach' | 'endOnExit' | 'startOnEnter' | 'joinedAtMs' | 'updatedAtMs'> {
  conferenceSid: ConferenceSid;
  accountSid: AccountSid;
  /** `connected` once it is in. */
  status: 'queued' | 'ringing' | 'connecting' | 'connected';
}

export interface ConferencesDeps extends ConferenceDeps {
  /** The live state of a call; null when it is over. */
  liveCall: (sid: CallSid) => CallRecord | null;
}

interface Invited {
  settings: MemberSettings;
  invitedAtMs: number;
}

/** All live conferences. Names are unique per account while a conference lives. */
export class Conferences {
  readonly #deps: ConferencesDeps;
  readonly #bySid = new Map<ConferenceSid, Conference>();
  readonly #byName = new Map<string, Conference>();
  readonly #invited = new Map<Conference, Map<CallSid, Invited>>();
  #stopping = false;

  constructor(deps: ConferencesDeps) {
    this.#deps = deps;
  }

  /** A live conference of the account by its SID; null when there is none. */
  live(accountSid: AccountSid, sid: ConferenceSid): Conference | null {
    const conference = this.#bySid.get(sid);
    return conference?.record.accountSid === accountSid ? conference : null;
  }

  /** The live conference that a name or a SID means, made when a name has none yet. Null for a SID of none. */
  open(accountSid: AccountSid, nameOrSid: string, region: string | null = null): Conference | null {
    const sid = parseSid('CF', nameOrSid);
    if (sid) return this.live(accountSid, sid);
    return this.#byName.get(keyOf(accountSid, nameOrSid)) ?? this.#create(accountSid, nameOrSid, region ?? DEFAULT_REGION);
  }

  #create(accountSid: AccountSid, friendlyName: string, region: string): Conference {
    if (this.#stopping) throw new TwilioError(20503, 'The server is stopping.', { status: 503 });
    const nowMs = this.#deps.clock.wallMs();
    const record: ConferenceRecord = { sid: newSid('CF'), accountSid, friendlyName, status: 'init', region, createdAtMs: nowMs, updatedAtMs: nowMs, endedAtMs: null, reasonEnded: null, callSidEnding: null };
    const conference = new Conference(this.#deps, { record, joined: (joined, callSid) => void this.#invited.get(joined)?.delete(callSid), ended: (over) => this.#forget(over) });
    this.#bySid.set(record.sid, conference);
    this.#byName.set(keyOf(accountSid, friendlyName), conference);
    return conference;
  }

  #forget(conference: Conference): void {
    const { sid, accountSid, friendlyName } = conference.record;
    this.#bySid.delete(sid);
    this.#invited.delete(conference);
    if (this.#byName.get(keyOf(accountSid, friendlyName)) === conference) this.#byName.delete(keyOf(accountSid, friendlyName));
  }

  /** REST called somebody who is to join: seen as a participant from now on, until it is in or its call is over. */
  invited(conference: Conference, callSid: CallSid, settings: MemberSettings): void {
    const invited = this.#invited.get(conference) ?? new Map<CallSid, Invited>();
    invited.set(callSid, { settings, invitedAtMs: this.#deps.clock.wallMs() });
    this.#invited.set(conference, invited);
  }

  /** A call that REST placed for a conference is over; a conference that nobody came to ends with it. */
  callEnded({ sid, status }: Pick<CallRecord, 'sid' | 'status'>): void {
    for (const [conference, invited] of this.#invited) {
      const expected = invited.get(sid);
      if (!expected) continue;
      invited.delete(sid);
      conference.addFailed(sid, expected.settings, status);
      this.endIfUnused(conference);
    }
  }

  /** Ends a conference in which nobody is and to which nobody is coming. */
  endIfUnused(conference: Conference): void {
    if (conference.members.length === 0 && (this.#invited.get(conference)?.size ?? 0) === 0) conference.end(null);
  }

  /** Newest first. */
  participants(conference: Conference): ParticipantView[] {
    const inside = conference.members.map((member) => viewOf(conference, member, 'connected'));
    const coming = [...(this.#invited.get(conference) ?? [])].flatMap(([callSid, { settings, invitedAtMs }]) => {
      const status = this.#deps.liveCall(callSid)?.status;
      if (conference.member(callSid) || status === undefined) return [];
      const shown = status === 'queued' || status === 'ringing' ? status : 'connecting';
      return [viewOf(conference, { ...settings, callSid, held: false, coaching: settings.callSidToCoach !== null, joinedAtMs: invitedAtMs, updatedAtMs: invitedAtMs }, shown)];
    });
    return [...inside, ...coming].reverse();
  }

  /** By the SID of its call, or its label. */
  participant(conference: Conference, sidOrLabel: string): ParticipantView | null {
    const callSid = parseSid('CA', sidOrLabel);
    return this.participants(conference).find((view) => (callSid ? view.callSid === callSid : view.label === sidOrLabel)) ?? null;
  }

  /** Ends all that live; calls go on with their next verb, or are ended by whoever stops the calls. */
  stop(): void {
    this.#stopping = true;
    for (const conference of [...this.#bySid.values()]) conference.end(null);
  }
}

/** Calls are mixed where the server is. */
const DEFAULT_REGION = 'us1';

function keyOf(accountSid: AccountSid, name: string): string {
  return `${accountSid} ${name}`;
}

function viewOf({ record }: Conference, member: Member | (MemberSettings & Pick<Member, 'callSid' | 'held' | 'coaching' | 'joinedAtMs' | 'updatedAtMs'>), status: ParticipantView['status']): ParticipantView {
  const { callSid, label, muted, held, coaching, callSidToCoach, endOnExit, startOnEnter, joinedAtMs, updatedAtMs } = member;
  return { callSid, label, muted, held, coaching, callSidToCoach, endOnExit, startOnEnter, joinedAtMs, updatedAtMs, conferenceSid: record.sid, accountSid: record.accountSid, status };
}
