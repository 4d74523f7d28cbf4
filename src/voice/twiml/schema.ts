import { isVoiceName } from '../speech-voices.ts';
import { extensionKey } from './extensions.ts';

/**
 * Which verbs, nouns and attributes TwiML has, which of them work here, and what an attribute's value must look like: the
 * one table behind the 12200 warnings, the interpreter and docs/reference/twiml.md (a test holds the two together).
 * Source: contract §3.2–3.4; numbers: §12.2.
 */

/** `refused`: known to Twilio, deliberately not here: skipped with a warning. */
export type Support = 'works' | 'refused';

export interface AttributeRule {
  support: Support;
  /** Null when the value is fine, else what it should be. */
  check: (value: string) => string | null;
  /** Number of the warning for a bad value; the attribute then counts as not given. */
  code: number;
}

export interface ElementRule {
  support: Support;
  attributes: Readonly<Record<string, AttributeRule>>;
  /** Elements that may stand inside. */
  children: Readonly<Record<string, ElementRule>>;
  /** Number of the warning for any other element inside. */
  nestingCode: number;
  /** Text inside means something. */
  text: boolean;
  /** Number of the warning when nothing is inside and none of these attributes says what to do. */
  empty?: { code: number; unless?: string };
  /** Only the first element inside counts; the others are skipped with a warning. */
  onlyOne?: boolean;
}

// --------------------------------------------------------------------------------------------------------- values

type Check = AttributeRule['check'];

const anyText: Check = () => null;
const url: Check = (value) => (value.trim() === '' ? 'a URL' : null);
const oneOf = (...words: string[]): Check => (value) => (words.includes(value) ? null : words.join(' or '));
const method: Check = (value) => (/^(GET|POST)$/i.test(value) ? null : 'GET or POST');
const integer = (min: number, max: number): Check => (value) => (/^\d{1,9}$/.test(value.trim()) && Number(value) >= min && Number(value) <= max ? null : `a whole number from ${min} to ${max}`);
const truth: Check = (value) => (/^(true|false)$/i.test(value) ? null : 'true or false');
const recordingEvents: Check = (value) => (/^\s*((in-progress|completed|absent)(\s+|$))*$/.test(value) ? null : 'in-progress, completed and absent, separated by blanks');
const digits: Check = (value) => (/^[0-9A-Da-d*#wW]*$/.test(value) ? null : 'made of 0-9, A-D, *, #, w and W');
const voiceName: Check = (value) => (isVoiceName(value.trim()) ? null : 'man, woman, alice, or a voice like Polly.Joanna or Google.en-GB-Standard-A');
const languageTag: Check = (value) => (/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/.test(value) ? null : 'a language like en-US');
const hints: Check = (value) => (value.split(',').length <= 500 && value.split(',').every((hint) => hint.trim().length <= 100) ? null : 'at most 500 phrases of at most 100 characters, separated by commas');
/** As CallReason of REST. */
const reason: Check = (value) => ([...value].length <= 50 && !/[\x00-\x1f\x7f]/.test(value) ? null : 'at most 50 characters, on one line');
const upTo = (length: number): Check => (value) => ([...value].length <= length ? null : `at most ${length} characters`);

const works = (check: Check, code = 12200): AttributeRule => ({ support: 'works', check, code });
const refused = (...names: string[]): Record<string, AttributeRule> => Object.fromEntries(names.map((name) => [name, { support: 'refused' as const, check: anyText, code: 12200 }]));

function element(support: Support, rule: Partial<Omit<ElementRule, 'support'>> = {}): ElementRule {
  return { support, attributes: {}, children: {}, nestingCode: 12200, text: false, ...rule };
}

// ----------------------------------------------------------------------------------------------------------- nouns

/** SSML inside `<Say>`; the speech engine decides what it makes of it. */
function speechMarkup(): Record<string, ElementRule> {
  const names = ['break', 'emphasis', 'lang', 'p', 'phoneme', 'prosody', 's', 'say-as', 'sub', 'w'];
  const attributes: Record<string, string[]> = {
    break: ['strength', 'time'],
    emphasis: ['level'],
    lang: ['xml:lang'],
    phoneme: ['alphabet', 'ph'],
    prosody: ['volume', 'rate', 'pitch'],
    'say-as': ['interpret-as', 'format', 'role'],
    sub: ['alias'],
    w: ['role'],
  };
  const markup: Record<string, ElementRule> = {};
  for (const name of names) {
    const known = Object.fromEntries((attributes[name] ?? []).map((attribute) => [attribute, works(anyText)]));
    markup[name] = element('works', { attributes: known, children: markup, text: true });
  }
  return markup;
}

/** What Twilio's `<Room>` cannot do (extensions.ts). */
const roomExtensions = {
  muted: works(truth),
  muteKeys: works((value) => (/^[0-9*#]{1,4}$/.test(value) ? null : 'one to four keys of 0-9, * and #')),
  joinTone: works(truth),
  leaveTone: works(truth),
  waitForRoom: works(truth),
  waitUrl: works(anyText),
  waitMethod: works(method),
  waitTimeout: works(integer(1, 14_400)),
};

const room = element('works', {
  attributes: { participantIdentity: works(upTo(128), 53201), ...Object.fromEntries(Object.entries(roomExtensions).map(([name, rule]) => [extensionKey(name), rule])) },
  text: true,
});

/** Twilio's list of countries; the tones themselves are the business of the verb. */
const RING_TONES = ['at', 'au', 'be', 'bg', 'br', 'ch', 'cl', 'cn', 'cz', 'de', 'dk', 'ee', 'es', 'fi', 'fr', 'gr', 'hu', 'il', 'in', 'it', 'jp', 'lt', 'mx', 'my', 'nl', 'no', 'nz', 'ph', 'pl', 'pt', 'ru', 'se', 'sg', 'th', 'tw', 'uk', 'us', 'us-old', 've', 'za'];
const ringTone: Check = (value) => (RING_TONES.includes(value.toLowerCase()) ? null : `one of ${RING_TONES.join(', ')}`);

const conferenceEvents: Check = (value) => {
  const events = ['start', 'end', 'join', 'leave', 'mute', 'hold', 'modify', 'speaker', 'announcement'];
  return value.split(/\s+/).every((word) => word === '' || events.includes(word)) ? null : `some of ${events.join(', ')}, with blanks between`;
};
/** 16023: not a call's SID, no slash. */
const label: Check = (value) => ([...value].length <= 128 && !/^CA[0-9a-f]{32}$|\/|%2f/i.test(value) ? null : "at most 128 characters, without '/', and no call SID");

const conference = element('works', {
  attributes: {
    muted: works(truth, 13230),
    beep: works((value) => (/^(true|false|onEnter|onExit)$/i.test(value) ? null : 'true, false, onEnter or onExit'), 13235),
    startConferenceOnEnter: works(truth, 13232),
    endConferenceOnExit: works(truth, 13231),
    waitUrl: works(anyText, 13233),
    waitMethod: works(method, 13234),
    maxParticipants: works(integer(2, 250)),
    region: works(oneOf('us1', 'us2', 'ie1', 'de1', 'au1', 'br1', 'jp1', 'sg1', 'in1')),
    coach: works((value) => (/^CA[0-9a-fA-F]{32}$/.test(value.trim()) ? null : 'the SID of a call'), 13240),
    participantLabel: works(label, 16023),
    jitterBufferSize: works(oneOf('off', 'small', 'medium', 'large')),
    statusCallback: works(url),
    statusCallbackEvent: works(conferenceEvents),
    statusCallbackMethod: works(method),
    record: works(oneOf('do-not-record', 'record-from-start', 'true', 'false')),
    trim: works(oneOf('trim-silence', 'do-not-trim')),
    recordingStatusCallback: works(url),
    recordingStatusCallbackMethod: works(method),
    recordingStatusCallbackEvent: works((value) => (value.split(/\s+/).every((word) => ['', 'in-progress', 'completed', 'absent'].includes(word)) ? null : 'some of in-progress, completed, absent')),
    eventCallbackUrl: { support: 'refused', check: anyText, code: 12200 },
  },
  text: true,
});

const queue = element('works', {
  attributes: {
    url: works(url, 14211),
    method: works(method, 14210),
    // TaskRouter is no part of this server.
    reservationSid: { support: 'refused', check: anyText, code: 12200 },
    postWorkActivitySid: { support: 'refused', check: anyText, code: 12200 },
  },
  text: true,
});

/** Phones of a `<Dial>`; `methodCode` is the number of a bad `method`. */
function party(methodCode: number, rule: Partial<ElementRule> = {}): ElementRule {
  const callEvents: Check = (value) => (value.trim().split(/\s+/).every((event) => /^(initiated|ringing|answered|completed)$/.test(event)) ? null : 'of initiated, ringing, answered and completed, separated by spaces');
  const attributes = { url: works(url), method: works(method, methodCode), statusCallback: works(url), statusCallbackEvent: works(callEvents), statusCallbackMethod: works(method) };
  return element('works', { text: true, ...rule, attributes: { ...attributes, ...rule.attributes } });
}

const machineDetection = {
  machineDetection: works(oneOf('Enable', 'DetectMessageEnd')),
  machineDetectionTimeout: works(integer(3, 59)),
  machineDetectionSpeechThreshold: works(integer(1000, 6000)),
  machineDetectionSpeechEndThreshold: works(integer(500, 5000)),
  machineDetectionSilenceTimeout: works(integer(2000, 10_000)),
  amdStatusCallback: works(url),
  amdStatusCallbackMethod: works(method),
};

const namedValue = element('works', { attributes: { name: works(anyText), value: works(anyText) } });

const PARTIES = {
  Number: party(13221, { attributes: { sendDigits: works(digits, 13222), byoc: works(anyText, 12200), ...machineDetection } }),
  Client: party(12200, { children: { Identity: element('works', { text: true }), Parameter: namedValue } }),
  Sip: party(13241, {
    attributes: { username: works(anyText, 13249), password: works(anyText, 13249), ...machineDetection },
    children: { Uri: element('works', { attributes: refused('priority', 'weight'), text: true }), Headers: element('works', { children: { Header: namedValue } }) },
  }),
};

/** `<Stream>` that opens one; `url` is judged against the document's by the verb. */
function stream(...tracks: string[]): ElementRule {
  const attributes = {
    url: works(anyText),
    name: works(upTo(128)),
    track: works(oneOf(...tracks), 31941),
    statusCallback: works(url),
    statusCallbackMethod: works(method),
    ...refused('connectorName'),
  };
  return element('works', { attributes, children: { Parameter: element('works', { attributes: { name: works(anyText), value: works(anyText) } }) } });
}

/** `<Start><Recording>`. */
const recording = element('works', {
  attributes: {
    name: works(upTo(128)),
    channels: works(oneOf('mono', 'dual')),
    track: works(oneOf('inbound', 'outbound', 'both')),
    trim: works(oneOf('trim-silence', 'do-not-trim')),
    recordingStatusCallback: works(url),
    recordingStatusCallbackMethod: works(method),
    recordingStatusCallbackEvent: works(recordingEvents, 13621),
    ...refused('recordingConfigurationId'),
  },
});

// ---------------------------------------------------------------------------------- verbs that are heard inside others

const VOICE = {
  Say: element('works', {
    attributes: { voice: works(voiceName, 13511), language: works(anyText), loop: works(integer(0, 1000), 13510) },
    children: speechMarkup(),
    text: true,
    empty: { code: 13520 },
  }),
  Play: element('works', { attributes: { loop: works(integer(0, 1000), 13410), digits: works(digits, 13430) }, text: true, empty: { code: 12200, unless: 'digits' } }),
  Pause: element('works', { attributes: { length: works(integer(0, 86_400), 13910) } }),
};

// ----------------------------------------------------------------------------------------------------------- verbs

/** Verbs that stand directly inside `<Response>`. */
export const VERBS: Readonly<Record<string, ElementRule>> = {
  Connect: element('works', {
    attributes: { action: works(url), method: works(method) },
    children: { Room: room, Stream: stream('inbound_track'), ...Object.fromEntries(['ConversationRelay', 'VirtualAgent', 'Conversation', 'Autopilot', 'AiSession', 'ConversationRelaySession'].map((noun) => [noun, element('refused')])) },
    empty: { code: 12200 },
    onlyOne: true,
  }),
  Say: VOICE.Say,
  Play: VOICE.Play,
  Pause: VOICE.Pause,
  Redirect: element('works', { attributes: { method: works(method, 13710) }, text: true }),
  Reject: element('works', { attributes: { reason: works(oneOf('rejected', 'busy')) } }),
  Hangup: element('works', { children: { Parameter: element('refused') } }),
  Gather: element('works', {
    attributes: {
      action: works(url, 13338),
      method: works(method, 13312),
      timeout: works(integer(0, 3600), 13313),
      finishOnKey: works((value) => (/^[0-9*#]?$/.test(value) ? null : 'one key, or nothing'), 13310),
      numDigits: works(integer(1, 1000), 13314),
      actionOnEmptyResult: works(truth),
      input: works(oneOf('dtmf', 'speech', 'dtmf speech', 'speech dtmf')),
      // Speech needs a provider; the rest of its wishes is handed to it.
      speechTimeout: works((value) => (value === 'auto' ? null : integer(1, 3600)(value) && 'auto or a whole number of seconds'), 13327),
      maxSpeechTime: works(integer(1, 3600), 13328),
      hints: works(hints, 13330),
      language: works(languageTag, 13331),
      bargeIn: works(truth, 13332),
      profanityFilter: works(truth),
      speechModel: works((value) => (/^[\w.-]{1,60}$/.test(value) ? null : 'a name'), 13334),
      enhanced: works(truth, 13339),
      ...refused('partialResultCallback', 'partialResultCallbackMethod', 'debug'),
    },
    children: { Say: VOICE.Say, Play: { ...VOICE.Play, attributes: { loop: works(integer(0, 1000), 13410) } }, Pause: VOICE.Pause },
    nestingCode: 13320,
  }),
  Record: element('works', {
    attributes: {
      action: works(url),
      method: works(method, 13610),
      timeout: works(integer(0, 86_400), 13611),
      maxLength: works(integer(1, 86_400), 13612),
      finishOnKey: works((value) => (/^[0-9*#]*$/.test(value) ? null : 'made of 0-9, * and #, or nothing'), 13613),
      playBeep: works(truth, 13616),
      trim: works(oneOf('trim-silence', 'do-not-trim')),
      recordingStatusCallback: works(url),
      recordingStatusCallbackMethod: works(method),
      recordingStatusCallbackEvent: works(recordingEvents, 13621),
      ...refused('transcribe', 'transcribeCallback', 'recordingConfigurationId'),
    },
  }),
  Dial: element('works', {
    attributes: {
      action: works(url),
      method: works(method, 13210),
      timeout: works(integer(1, 600), 13212),
      timeLimit: works(integer(1, 86_400), 13216),
      callerId: works(anyText),
      hangupOnStar: works(truth, 13213),
      answerOnBridge: works(truth),
      sequential: works(truth),
      record: works(oneOf('do-not-record', 'record-from-answer', 'record-from-ringing', 'record-from-answer-dual', 'record-from-ringing-dual', 'true', 'false'), 13217),
      recordingStatusCallback: works(url),
      recordingStatusCallbackMethod: works(method),
      recordingStatusCallbackEvent: works(recordingEvents, 13621),
      recordingTrack: works(oneOf('inbound', 'outbound', 'both')),
      trim: works(oneOf('trim-silence', 'do-not-trim')),
      ringTone: works(ringTone),
      callReason: works(reason),
      ...refused('referUrl', 'referMethod', 'events', 'passports'),
    },
    children: { ...PARTIES, ...Object.fromEntries(['Sim', 'Application', 'WhatsApp'].map((noun) => [noun, element('refused', { text: true })])), Conference: conference, Queue: queue },
    nestingCode: 13215,
    text: true,
    empty: { code: 12200 },
  }),
  Enqueue: element('works', {
    attributes: {
      action: works(url),
      method: works(method, 14201),
      waitUrl: works(anyText, 14202),
      waitUrlMethod: works(method, 14206),
      maxQueueSize: works(integer(1, 5000)),
      // TaskRouter is no part of this server.
      workflowSid: { support: 'refused', check: anyText, code: 12200 },
    },
    children: { Task: element('refused', { text: true }) },
    text: true,
  }),
  Leave: element('works'),
  Refer: element('works', { attributes: { action: works(url), method: works(method) }, children: { Sip: element('works', { text: true }) } }),
  Start: element('works', {
    attributes: refused('action', 'method'),
    children: { Stream: stream('inbound_track', 'outbound_track', 'both_tracks'), Recording: recording, Siprec: element('refused'), Transcription: element('refused') },
    nestingCode: 14300,
    empty: { code: 14300 },
  }),
  Stop: element('works', {
    children: { Stream: element('works', { attributes: { name: works(anyText) } }), Recording: element('works', { attributes: { name: works(upTo(128)) } }), Siprec: element('refused'), Transcription: element('refused') },
    nestingCode: 14300,
    empty: { code: 14300 },
  }),
  Pay: element('refused'),
  Prompt: element('refused'),
  Sms: element('refused'),
  Message: element('refused'),
  Echo: element('refused'),
};
