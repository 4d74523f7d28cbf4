import type { Clock } from '../../base/clock.ts';
import { rfc2822 } from '../../base/dates.ts';
import type { CallbackSender } from '../contract.ts';
import type { HttpMethod } from '../model.ts';
import type { ConferenceStep, Member } from './conference-state.ts';
import type { ConferenceRecord } from './model.ts';

/** The words of `statusCallbackEvent`. */
export const CONFERENCE_EVENTS = ['start', 'end', 'join', 'leave', 'mute', 'hold', 'modify', 'speaker', 'announcement'] as const;
export type ConferenceEvent = (typeof CONFERENCE_EVENTS)[number];

/** Who wants to know how a conference goes on; the first participant decides. */
export interface ConferenceCallback {
  url: string;
  method: HttpMethod;
  events: readonly ConferenceEvent[];
}

/** More that is told, beside the steps of the machine. */
export type ConferenceNews =
  | ConferenceStep
  /** Somebody whom REST called never came. */
  | { step: 'add-failed'; member: Member; callStatus: string }
  | { step: 'speech-start' | 'speech-stop'; member: Member }
  | { step: 'announced' | 'announcement-failed'; member: Member | null; url: string; problem?: string };

type Pairs = [name: string, value: string][];

/** step → [word of statusCallbackEvent, StatusCallbackEvent] */
const NAMES: Record<ConferenceNews['step'], readonly [ConferenceEvent, string]> = {
  started: ['start', 'conference-start'],
  ended: ['end', 'conference-end'],
  joined: ['join', 'participant-join'],
  left: ['leave', 'participant-leave'],
  'add-failed': ['leave', 'participant-leave'],
  muted: ['mute', 'participant-mute'],
  unmuted: ['mute', 'participant-unmute'],
  held: ['hold', 'participant-hold'],
  unheld: ['hold', 'participant-unhold'],
  modified: ['modify', 'participant-modify'],
  'speech-start': ['speaker', 'participant-speech-start'],
  'speech-stop': ['speaker', 'participant-speech-stop'],
  announced: ['announcement', 'announcement-end'],
  'announcement-failed': ['announcement', 'announcement-fail'],
};

export interface ConferenceCallbackDeps {
  sender: CallbackSender;
  clock: Clock;
  record: Readonly<ConferenceRecord>;
  /** CallStatus of a member, for `ParticipantCallStatus`. */
  callStatusOf: (member: Member) => string;
}

/** Tells what happens in one conference, numbered from 1 in the order it happened. */
export class ConferenceCallbacks {
  readonly #deps: ConferenceCallbackDeps;
  #target: ConferenceCallback | null = null;
  #decided = false;
  #sequence = 0;

  constructor(deps: ConferenceCallbackDeps) {
    this.#deps = deps;
  }

  /** The first participant's settings count, those of later ones are ignored (Twilio, `<Conference statusCallback>`). */
  decide(target: ConferenceCallback | null): void {
    if (!this.#decided) this.#target = target;
    this.#decided = true;
  }

  tell(news: ConferenceNews): void {
    const [word, event] = NAMES[news.step];
    const target = this.#target;
    if (!target?.events.includes(word)) return;
    const { record, clock, sender } = this.#deps;
    sender.send({
      accountSid: record.accountSid,
      url: target.url,
      method: target.method,
      parameters: [
        ['ConferenceSid', record.sid],
        ['FriendlyName', record.friendlyName],
        ['AccountSid', record.accountSid],
        ['SequenceNumber', String(++this.#sequence)],
        ['Timestamp', rfc2822(clock.wallMs())],
        ['StatusCallbackEvent', event],
        ...this.#details(news),
      ],
    });
  }

  #details(news: ConferenceNews): Pairs {
    if (news.step === 'started') return [];
    if (news.step === 'ended') return ending(news);
    const about = news.member ? memberParameters(news.member) : [];
    if (news.step === 'left') return [...about, ['ReasonParticipantLeft', news.reason], ['ParticipantCallStatus', this.#deps.callStatusOf(news.member)]];
    if (news.step === 'add-failed') return [...about, ['ReasonParticipantLeft', 'participant_add_failed'], ['ParticipantCallStatus', news.callStatus]];
    if ('url' in news) return [...about, ['AnnounceUrl', news.url], ...(news.problem === undefined ? [] : ([['ReasonAnnouncementFailed', news.problem]] satisfies Pairs))];
    return about;
  }
}

function memberParameters(member: Member): Pairs {
  return [
    ['CallSid', member.callSid],
    ['Muted', String(member.muted)],
    ['Hold', String(member.held)],
    ['Coaching', String(member.coaching)],
    ['EndConferenceOnExit', String(member.endOnExit)],
    ['StartConferenceOnEnter', String(member.startOnEnter)],
    ...(member.label === null ? [] : ([['ParticipantLabel', member.label]] satisfies Pairs)),
    ...(member.callSidToCoach === null ? [] : ([['CallSidToCoach', member.callSidToCoach]] satisfies Pairs)),
  ];
}

function ending({ reason, ending: member }: ConferenceStep & { step: 'ended' }): Pairs {
  const parameters: Pairs = [];
  if (member) parameters.push(['CallSidEndingConference', member.callSid]);
  if (member?.label) parameters.push(['ParticipantLabelEndingConference', member.label]);
  if (reason) parameters.push(['ReasonConferenceEnded', reason]);
  parameters.push(['Reason', reason === null ? 'The media of the conference was lost' : SENTENCES[reason]]);
  return parameters;
}

const SENTENCES = {
  'conference-ended-via-api': 'The conference was ended over REST',
  'participant-with-end-conference-on-exit-left': 'A participant with endConferenceOnExit left',
  'participant-with-end-conference-on-exit-kicked': 'A participant with endConferenceOnExit was removed',
  'last-participant-kicked': 'The last participant was removed',
  'last-participant-left': 'The last participant left',
};
