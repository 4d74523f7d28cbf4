import { rfc2822 } from '../../base/dates.ts';
import { TwilioError } from '../../base/errors.ts';
import { parseSid, type CallSid } from '../../base/sid.ts';
import type { Conference } from '../../voice/conference/conference.ts';
import type { MemberChange } from '../../voice/conference/conference-state.ts';
import type { ParticipantView } from '../../voice/conference/conferences.ts';
import type { WaitSound } from '../../voice/waiting.ts';
import type { ApiDeps } from '../deps.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { given, type Form } from '../form.ts';
import { listAnswer, pageOf, pageRequest } from '../paging.ts';
import { createOptions } from './calls.ts';
import { announcementOf, liveConference } from './conferences.ts';
import { invitationOf } from './participant-invitation.ts';
import { accountPath } from './resource.ts';
import { method, url } from './voice-url-parameters.ts';

const PATH = '/2010-04-01/Accounts/:accountSid/Conferences/:conferenceSid/Participants';

type Deps = Pick<ApiDeps, 'gatherings' | 'calls'>;

/** Who is in a live conference, or being called into it. */
export function addConferenceParticipants(endpoints: Endpoints, deps: Deps): void {
  endpoints.add(PATH, { GET: (request) => list(request, deps), POST: (request) => create(request, deps) });
  endpoints.add(`${PATH}/:callSid`, {
    GET: (request) => ({ status: 200, body: participantBody(participantOf(request, deps).view) }),
    POST: (request) => update(request, deps),
    DELETE: (request) => remove(request, deps),
  });
}

function list(request: ApiRequest, deps: Deps): Answer {
  const { query } = request;
  const [muted, hold, coaching] = [query.boolean('Muted'), query.boolean('Hold'), query.boolean('Coaching')];
  const wanted = deps.gatherings.conferences
    .participants(liveConference(request, deps))
    .filter((view) => (muted === undefined || view.muted === muted) && (hold === undefined || view.held === hold) && (coaching === undefined || view.coaching === coaching))
    .map((view) => ({ ...view, sid: view.callSid, createdAtMs: view.joinedAtMs }));
  return listAnswer(request, { key: 'participants', page: pageOf(wanted, pageRequest(query)), render: participantBody });
}

function participantOf(request: ApiRequest, deps: Deps): { conference: Conference; view: ParticipantView } {
  const conference = liveConference(request, deps);
  const view = deps.gatherings.conferences.participant(conference, request.part('callSid'));
  if (!view) throw notFound(request.path);
  return { conference, view };
}

/** Calls somebody who joins when they answer. The conference may be named by its friendly name, and is made then. */
async function create(request: ApiRequest, deps: Deps): Promise<Answer> {
  const { conferences } = deps.gatherings;
  const { account, form } = request;
  const invitation = invitationOf(form, request.part('conferenceSid'));
  const conference = conferences.open(account.sid, request.part('conferenceSid'), form.filled('Region') ?? null);
  if (!conference) throw notFound(request.path);
  const { label, callSidToCoach, maxParticipants } = invitation.settings;
  try {
    if (label !== null && conferences.participant(conference, label)) throw new TwilioError(16026, `The label '${label}' is in use by another participant`);
    if (callSidToCoach !== null && !conference.member(callSidToCoach)) throw new TwilioError(13240, `Call ${callSidToCoach} is not in the conference and cannot be coached`);
    if (conferences.participants(conference).length >= maxParticipants) throw new TwilioError(16020, 'The conference is full');
    const call = await deps.calls.create(account.sid, createOptions(invitation.callForm(conference.record.friendlyName)));
    conferences.invited(conference, call.sid, invitation.settings);
    const view = conferences.participant(conference, call.sid);
    if (!view) throw notFound(request.path);
    return { status: 201, body: participantBody(view) };
  } finally {
    conferences.endIfUnused(conference);
  }
}

function update(request: ApiRequest, deps: Deps): Answer {
  const { conference, view } = participantOf(request, deps);
  if (view.status !== 'connected') throw new TwilioError(20001, 'The participant has not joined yet');
  const { form } = request;
  const announcement = announcementOf(form);
  const { change, holdSound, waitSound } = changeOf(form, conference, view);
  conference.change(view.callSid, change, { ...(holdSound ? { holdSound } : {}), ...(waitSound ? { waitSound } : {}) });
  if (announcement) void conference.announce({ ...announcement, callSid: view.callSid });
  return { status: 200, body: participantBody(participantOf(request, deps).view) };
}

/** Throws 20001 (values), 13240 (nobody to coach), 21205 and 21403 (URLs and methods). */
function changeOf(form: Form, conference: Conference, view: ParticipantView): { change: MemberChange; holdSound: WaitSound | null; waitSound: WaitSound | null } {
  const callSidToCoach = pupilOf(form, conference);
  const coaching = form.boolean('Coaching');
  if (coaching === true && callSidToCoach === undefined && view.callSidToCoach === null) throw new TwilioError(20001, 'Coaching needs CallSidToCoach');
  const holdUrl = url(form, 'HoldUrl', null, 21205);
  const held = form.boolean('Hold');
  const change = given<MemberChange>({ muted: form.boolean('Muted'), held, endOnExit: form.boolean('EndConferenceOnExit'), beepOnExit: form.boolean('BeepOnExit'), coaching, callSidToCoach });
  return { change, holdSound: holdUrl === null ? null : { kind: 'document', url: holdUrl, method: method(form, 'HoldMethod', 'GET') }, waitSound: waitSoundOf(form) };
}

function pupilOf(form: Form, conference: Conference): CallSid | undefined {
  const text = form.filled('CallSidToCoach');
  if (text === undefined) return undefined;
  const sid = parseSid('CA', text);
  if (!sid || !conference.member(sid)) throw new TwilioError(13240, `Call ${text} is not in the conference and cannot be coached`);
  return sid;
}

function waitSoundOf(form: Form): WaitSound | null {
  if (form.text('WaitUrl') === undefined) return null;
  const waitUrl = url(form, 'WaitUrl', null, 21205);
  return waitUrl === null ? { kind: 'silence' } : { kind: 'document', url: waitUrl, method: method(form, 'WaitMethod', 'POST') };
}

/** Out of the conference; its call goes on. Somebody who is still being called is called no longer. */
async function remove(request: ApiRequest, deps: Deps): Promise<Answer> {
  const { conference, view } = participantOf(request, deps);
  if (view.status === 'connected') conference.remove(view.callSid);
  else await deps.calls.update(request.account.sid, view.callSid, { status: 'completed' });
  return { status: 204 };
}

function participantBody(view: ParticipantView): object {
  return {
    account_sid: view.accountSid,
    call_sid: view.callSid,
    label: view.label,
    call_sid_to_coach: view.callSidToCoach,
    coaching: view.coaching,
    conference_sid: view.conferenceSid,
    date_created: rfc2822(view.joinedAtMs),
    date_updated: rfc2822(view.updatedAtMs),
    end_conference_on_exit: view.endOnExit,
    muted: view.muted,
    hold: view.held,
    start_conference_on_enter: view.startOnEnter,
    status: view.status,
    queue_time: '0',
    uri: `${accountPath(view.accountSid)}/Conferences/${view.conferenceSid}/Participants/${view.callSid}.json`,
  };
}
