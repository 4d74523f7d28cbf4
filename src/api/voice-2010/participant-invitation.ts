import { TwilioError } from '../../base/errors.ts';
import { isSid, parseSid } from '../../base/sid.ts';
import { CONFERENCE_EVENTS } from '../../voice/conference/conference-callbacks.ts';
import { MAX_PARTICIPANTS, type MemberSettings } from '../../voice/conference/conference-state.ts';
import { recordingEventsOf } from '../../voice/recording/recording-attributes.ts';
import { notYet } from '../errors.ts';
import { Form } from '../form.ts';
import { method, url } from './voice-url-parameters.ts';

/** Somebody who is to be called into a conference: how they take part, and the parameters of the call. */
export interface Invitation {
  settings: MemberSettings;
  /** Parameters of a Calls create that leads into the conference of that name. */
  callForm(friendlyName: string): Form;
}

/** Parameters that a call takes as they are; what is not built is refused there by name. */
const OF_THE_CALL = [
  'To', 'From', 'CallerId', 'Timeout', 'TimeLimit', 'StatusCallback', 'StatusCallbackMethod', 'SipAuthUsername', 'SipAuthPassword', 'Byoc', 'CallReason', 'CallToken', 'ClientNotificationUrl',
  'Record', 'RecordingChannels', 'RecordingStatusCallback', 'RecordingStatusCallbackMethod', 'RecordingTrack', 'Trim',
  'MachineDetection', 'MachineDetectionTimeout', 'MachineDetectionSpeechThreshold', 'MachineDetectionSpeechEndThreshold', 'MachineDetectionSilenceTimeout',
];
const JITTER_BUFFERS = ['off', 'small', 'medium', 'large'];
const BEEPS = ['true', 'false', 'onEnter', 'onExit'] as const;

/** Reads a create of a participant. Throws TwilioError with the parameter's own number where it has one, else 20001. */
export function invitationOf(form: Form, nameOrSid: string): Invitation {
  if ([...nameOrSid].length > 128) throw new TwilioError(20001, 'The name of a conference must not be longer than 128 characters');
  if (form.boolean('EarlyMedia') === true) throw notYet('EarlyMedia');
  if (form.filled('CallerDisplayName') !== undefined) throw notYet('CallerDisplayName');
  form.oneOf('JitterBufferSize', JITTER_BUFFERS);
  const settings = settingsOf(form);
  const attributes = attributesOf(form, settings);
  return { settings, callForm: (friendlyName) => callForm(form, `<Response><Dial><Conference${attributes}>${escaped(friendlyName)}</Conference></Dial></Response>`) };
}

function settingsOf(form: Form): MemberSettings {
  const beep = form.oneOf('Beep', BEEPS) ?? 'true';
  const maxParticipants = form.number('MaxParticipants') ?? MAX_PARTICIPANTS;
  if (!(maxParticipants >= 2 && maxParticipants <= MAX_PARTICIPANTS)) throw new TwilioError(20001, `MaxParticipants must be from 2 to ${MAX_PARTICIPANTS}`);
  const pupil = form.filled('CallSidToCoach');
  const callSidToCoach = pupil === undefined ? null : parseSid('CA', pupil);
  if (pupil !== undefined && !callSidToCoach) throw new TwilioError(20001, 'CallSidToCoach is not the SID of a call');
  const coaching = form.boolean('Coaching') ?? callSidToCoach !== null;
  if (coaching && !callSidToCoach) throw new TwilioError(20001, 'Coaching needs CallSidToCoach');
  return {
    label: labelOf(form),
    muted: form.boolean('Muted') ?? false,
    startOnEnter: form.boolean('StartConferenceOnEnter') ?? true,
    endOnExit: form.boolean('EndConferenceOnExit') ?? false,
    beepOnEnter: beep === 'true' || beep === 'onEnter',
    beepOnExit: beep === 'true' || beep === 'onExit',
    maxParticipants,
    callSidToCoach: coaching ? callSidToCoach : null,
  };
}

/** Throws 16024. */
function labelOf(form: Form): string | null {
  const label = form.filled('Label');
  if (label === undefined) return null;
  if ([...label].length > 128 || isSid('CA', label) || /\/|%2f/i.test(label)) throw new TwilioError(16024, "A Label must not be longer than 128 characters, must not be a call's SID and must not contain '/'");
  return label;
}

function attributesOf(form: Form, settings: MemberSettings): string {
  const events = (form.all('ConferenceStatusCallbackEvent') ?? ['start end']).flatMap((value) => value.split(/\s+/));
  const unknown = events.find((event) => !CONFERENCE_EVENTS.some((known) => known === event));
  if (unknown !== undefined) throw new TwilioError(20001, `ConferenceStatusCallbackEvent knows no '${unknown}'`);
  const callback = url(form, 'ConferenceStatusCallback', null, 21205);
  const waitUrl = form.text('WaitUrl') === '' ? '' : url(form, 'WaitUrl', null, 21205);
  const attributes: Record<string, string | null> = {
    beep: form.filled('Beep') ?? null,
    muted: String(settings.muted),
    startConferenceOnEnter: String(settings.startOnEnter),
    endConferenceOnExit: String(settings.endOnExit),
    maxParticipants: String(settings.maxParticipants),
    participantLabel: settings.label,
    coach: settings.callSidToCoach,
    waitUrl,
    waitMethod: waitUrl === null ? null : method(form, 'WaitMethod', 'POST'),
    statusCallback: callback,
    statusCallbackMethod: callback === null ? null : method(form, 'ConferenceStatusCallbackMethod', 'POST'),
    statusCallbackEvent: callback === null ? null : events.join(' '),
    ...recordingAttributes(form),
  };
  return Object.entries(attributes).map(([name, value]) => (value === null ? '' : ` ${name}="${escaped(value)}"`)).join('');
}

/** ConferenceRecord and what belongs to it, as attributes of `<Conference>`. */
function recordingAttributes(form: Form): Record<string, string | null> {
  const record = form.filled('ConferenceRecord');
  if (record === undefined || record === 'false' || record === 'do-not-record') return {};
  if (record !== 'true' && record !== 'record-from-start') throw new TwilioError(20001, 'ConferenceRecord must be true, false, record-from-start or do-not-record');
  const callback = url(form, 'ConferenceRecordingStatusCallback', null, 21205);
  const events = (form.all('ConferenceRecordingStatusCallbackEvent') ?? ['completed']).join(' ');
  if (!recordingEventsOf(events)) throw new TwilioError(20001, 'ConferenceRecordingStatusCallbackEvent must be some of in-progress, completed, absent');
  return {
    record: 'record-from-start',
    trim: form.oneOf('ConferenceTrim', ['trim-silence', 'do-not-trim']) ?? null,
    recordingStatusCallback: callback,
    recordingStatusCallbackMethod: callback === null ? null : method(form, 'ConferenceRecordingStatusCallbackMethod', 'POST'),
    recordingStatusCallbackEvent: callback === null ? null : events,
  };
}

function callForm(form: Form, twiml: string): Form {
  const detects = form.filled('MachineDetection') !== undefined;
  const pairs: [string, string][] = [['Twiml', twiml]];
  for (const [name, value] of form.pairs()) {
    if (OF_THE_CALL.includes(name)) pairs.push([name, value]);
    else if (name === 'StatusCallbackEvent' || name === 'RecordingStatusCallbackEvent') pairs.push(...value.split(/\s+/).map((event): [string, string] => [name, event]));
    else if (detects && name.startsWith('AmdStatusCallback')) pairs.push([`Async${name}`, value]);
  }
  if (detects) pairs.push(['AsyncAmd', 'true']);
  return new Form(pairs);
}

function escaped(text: string): string {
  return text.replace(/[&<>"\s]/g, (sign) => (sign === ' ' ? sign : `&#${sign.charCodeAt(0)};`));
}
