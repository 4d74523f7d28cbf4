import { isSid, parseSid } from '../../../base/sid.ts';
import type { PhoneMedia } from '../../../media/protocol.ts';
import { isFinal } from '../../call-state.ts';
import type { Conference, ConferenceRecording } from '../../conference/conference.ts';
import { CONFERENCE_EVENTS, type ConferenceCallback } from '../../conference/conference-callbacks.ts';
import { MAX_PARTICIPANTS, type MemberSettings } from '../../conference/conference-state.ts';
import { recordingCallbackOf, trimsSilence } from '../../recording/recording-attributes.ts';
import { waitSoundOf } from '../../waiting.ts';
import { resolveUrl } from '../../webhook/client.ts';
import { textOf, type TwimlElement } from '../document.ts';
import type { VerbContext } from '../verb.ts';
import { timeLimitMs, type DialNoun, type DialResult } from './dial-noun.ts';

const MAX_NAME_CHARS = 128;

/**
 * `<Dial><Conference>`: brings the call into the conference of that name, which is made when it does not live, and stays until
 * the call leaves, is removed or the conference is over (contract §3.4). `answered`: it was in, whatever ended that; `failed`:
 * it never got in, and a notification says why.
 */
export const dialConference: DialNoun = async (noun, dial, context) => {
  const opened = conferenceOf(noun, context);
  if (!opened) return { status: 'failed', parameters: [] };
  try {
    const phone = await context.answer(context.answered ? null : await opened.media());
    // It may be over since, by those who were in it: then the name stands for the next one.
    const conference = opened.record.status === 'completed' ? conferenceOf(noun, context) : opened;
    if (!conference || context.signal.aborted) return { status: 'failed', parameters: [] };
    return await stayIn(conference, { noun, dial, context, phone });
  } finally {
    context.gatherings.conferences.endIfUnused(opened);
  }
};

interface Joining {
  noun: TwimlElement;
  dial: TwimlElement;
  context: VerbContext;
  phone: PhoneMedia;
}

async function stayIn(conference: Conference, { noun, dial, context, phone }: Joining): Promise<DialResult> {
  const limit = new AbortController();
  const timer = context.clock.after(timeLimitMs(dial), () => limit.abort());
  const starred = dial.attributes['hangupOnStar']?.toLowerCase() === 'true';
  try {
    const waitSound = waitSoundOf(context, { url: noun.attributes['waitUrl'], method: noun.attributes['waitMethod']?.toUpperCase() === 'GET' ? 'GET' : 'POST', code: 13233, emptyIsSilence: true });
    context.reached('conference');
    const end = await conference.stay({ context, phone, waitSound, signal: AbortSignal.any([context.signal, limit.signal]), leaveReason: () => (limit.signal.aborted || starred || isFinal(context.call.status) ? 'participant_hung_up' : 'participant_updated_via_api'), settings: memberSettings(noun), callback: callbackOf(noun, context), recording: recordingOf(noun, context) });
    if (end.kind === 'refused') context.report({ errorCode: end.refusal.errorCode, message: `<Conference> ${conference.record.friendlyName}: ${end.refusal.message}`, log: 0 });
    return { status: end.kind === 'stayed' && end.reason !== 'participant_add_failed' ? 'answered' : 'failed', parameters: [] };
  } finally {
    timer.cancel();
    context.gatherings.conferences.endIfUnused(conference);
  }
}

function conferenceOf(noun: TwimlElement, context: VerbContext): Conference | null {
  const name = textOf(noun).trim();
  if (name === '' || [...name].length > MAX_NAME_CHARS) {
    context.report({ errorCode: 12200, message: `<Conference> needs a name of 1 to ${MAX_NAME_CHARS} characters`, log: 0 });
    return null;
  }
  if (isSid('RM', name)) {
    context.report({ errorCode: 13236, message: `${name} is a video room: a conference is for calls alone and cannot be joined to a room. Use <Connect><Room>`, log: 0 });
    return null;
  }
  const conference = context.gatherings.conferences.open(context.call.accountSid, name, noun.attributes['region'] ?? null);
  if (!conference) context.report({ errorCode: 13236, message: `No conference ${name} is in progress`, log: 0 });
  return conference;
}

function recordingOf(noun: TwimlElement, context: VerbContext): ConferenceRecording | null {
  const record = noun.attributes['record'] ?? 'do-not-record';
  if (record !== 'record-from-start' && record !== 'true') return null;
  return { trimSilence: trimsSilence(noun), callback: recordingCallbackOf(noun, context) };
}

function memberSettings({ attributes }: TwimlElement): MemberSettings {
  const truth = (name: string, byDefault: boolean): boolean => (attributes[name] ?? String(byDefault)).toLowerCase() === 'true';
  const beep = attributes['beep'] ?? 'true';
  const label = attributes['participantLabel']?.trim() ?? '';
  return {
    label: label === '' ? null : label,
    muted: truth('muted', false),
    startOnEnter: truth('startConferenceOnEnter', true),
    endOnExit: truth('endConferenceOnExit', false),
    beepOnEnter: /^(true|onEnter)$/i.test(beep),
    beepOnExit: /^(true|onExit)$/i.test(beep),
    maxParticipants: Number(attributes['maxParticipants'] ?? MAX_PARTICIPANTS),
    callSidToCoach: parseSid('CA', attributes['coach'] ?? ''),
  };
}

function callbackOf({ attributes }: TwimlElement, context: VerbContext): ConferenceCallback | null {
  const reference = attributes['statusCallback']?.trim() ?? '';
  if (reference === '') return null;
  const url = resolveUrl(context.documentUrl, reference);
  if (url === null) {
    context.report({ errorCode: 11100, message: `statusCallback '${reference}' is no http or https URL`, log: 1 });
    return null;
  }
  const wanted = (attributes['statusCallbackEvent'] ?? '').split(/\s+/);
  return { url, method: attributes['statusCallbackMethod']?.toUpperCase() === 'GET' ? 'GET' : 'POST', events: CONFERENCE_EVENTS.filter((event) => wanted.includes(event)) };
}
