import { TwilioError } from '../../base/errors.ts';
import { parseSid } from '../../base/sid.ts';
import type { CreateCallOptions, UpdateCallOptions } from '../../voice/contract.ts';
import type { CallFilter, CallRecord, CallStatus } from '../../voice/model.ts';
import type { ApiDeps } from '../deps.ts';
import { rfc2822 } from '../../base/dates.ts';
import { dateOrNull, filterDate, secondsBetween } from '../dates.ts';
import type { ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { given, type Form } from '../form.ts';
import { listAnswer, pageRequest } from '../paging.ts';
import { API_VERSION, callPath, formatted } from './resource.ts';

const STATUSES: readonly CallStatus[] = ['queued', 'ringing', 'in-progress', 'completed', 'busy', 'failed', 'no-answer', 'canceled'];
const LIVE_STATUSES: readonly CallStatus[] = ['queued', 'ringing', 'in-progress'];
const SUBRESOURCES: readonly [key: string, word: string][] = [
  ['notifications', 'Notifications'],
  ['recordings', 'Recordings'],
  ['payments', 'Payments'],
  ['events', 'Events'],
  ['siprec', 'Siprec'],
  ['streams', 'Streams'],
  ['transcriptions', 'Transcriptions'],
  ['user_defined_message_subscriptions', 'UserDefinedMessageSubscriptions'],
  ['user_defined_messages', 'UserDefinedMessages'],
];

type Deps = Pick<ApiDeps, 'calls' | 'callRepository'>;

/** Calls (contract §5). */
export function addCalls(endpoints: Endpoints, deps: Deps): void {
  const { calls, callRepository } = deps;
  endpoints.add('/2010-04-01/Accounts/:accountSid/Calls', {
    GET: async (request) => {
      const page = await callRepository.listCalls(filterOf(request), pageRequest(request.query));
      return listAnswer(request, { key: 'calls', page, render: callBody });
    },
    POST: async ({ account, form }) => ({ status: 201, body: callBody(await calls.create(account.sid, createOptions(form))) }),
  });
  endpoints.add('/2010-04-01/Accounts/:accountSid/Calls/:callSid', {
    GET: async (request) => ({ status: 200, body: callBody(await callOf(request, deps)) }),
    POST: async (request) => {
      const { sid } = await callOf(request, deps);
      return { status: 200, body: callBody(await calls.update(request.account.sid, sid, updateOptions(request.form))) };
    },
    DELETE: async (request) => {
      const { sid, status } = await callOf(request, deps);
      if (LIVE_STATUSES.includes(status)) throw new TwilioError(20009, 'A call that is not over cannot be deleted', { status: 409 });
      await callRepository.deleteCall(request.account.sid, sid);
      return { status: 204 };
    },
  });
  endpoints.add('/2010-04-01/Accounts/:accountSid/Calls/:callSid/Events', {
    GET: async (request) => {
      const { sid } = await callOf(request, deps);
      const page = await callRepository.listEvents(sid, pageRequest(request.query));
      return listAnswer(request, { key: 'events', page, render: eventBody });
    },
  });
}

/** The call that a path names. Throws 404/20404. */
export async function callOf(request: ApiRequest, { calls, callRepository }: Deps): Promise<CallRecord> {
  const sid = parseSid('CA', request.part('callSid'));
  const live = sid && calls.live(sid);
  if (live?.accountSid === request.account.sid) return live;
  const record = sid && (await callRepository.findCall(request.account.sid, sid));
  if (!record) throw notFound(request.path);
  return record;
}

function callBody(record: CallRecord): object {
  const path = callPath(record.accountSid, record.sid);
  return {
    sid: record.sid,
    date_created: rfc2822(record.createdAtMs),
    date_updated: rfc2822(record.updatedAtMs),
    parent_call_sid: record.parentCallSid,
    account_sid: record.accountSid,
    to: record.to,
    to_formatted: formatted(record.to),
    from: record.from,
    from_formatted: formatted(record.from),
    phone_number_sid: record.phoneNumberSid,
    status: record.status,
    start_time: dateOrNull(rfc2822, record.startedAtMs),
    end_time: dateOrNull(rfc2822, record.endedAtMs),
    duration: durationText(record),
    price: null,
    price_unit: 'USD',
    direction: record.direction,
    answered_by: record.answeredBy,
    api_version: API_VERSION,
    forwarded_from: record.forwardedFrom,
    group_sid: null,
    caller_name: record.callerName,
    queue_time: queueTimeMs(record),
    trunk_sid: null,
    uri: `${path}.json`,
    subresource_uris: Object.fromEntries(SUBRESOURCES.map(([key, word]) => [key, `${path}/${word}.json`])),
  };
}

/** How long it waited to be dialled, as text. */
function queueTimeMs({ direction, createdAtMs, startedAtMs }: CallRecord): string {
  return String(direction === 'outbound-api' && startedAtMs !== null ? Math.max(0, startedAtMs - createdAtMs) : 0);
}

/** Seconds as text; null while the call lasts and for calls that nobody answered (contract §5.2). */
function durationText({ status, answeredAtMs, endedAtMs }: CallRecord): string | null {
  if (endedAtMs === null || status !== 'completed') return null;
  return String(answeredAtMs === null ? 0 : secondsBetween(answeredAtMs, endedAtMs));
}

function eventBody({ request, response, atMs }: { atMs: number; request: object; response: { responseCode: number | null; contentType: string | null; responseBody: string; requestDurationMs: number; validTwiml: boolean } }): object {
  return {
    request,
    response: {
      response_code: response.responseCode,
      content_type: response.contentType,
      response_body: response.responseBody,
      request_duration: response.requestDurationMs,
      valid_twiml: response.validTwiml,
      date_created: rfc2822(atMs),
    },
  };
}

function filterOf({ account, query }: ApiRequest): CallFilter {
  const [startedAfterMs, startedBeforeMs] = dateRange(query, 'StartTime');
  const [endedAfterMs, endedBeforeMs] = dateRange(query, 'EndTime');
  return given<CallFilter>({
    accountSid: account.sid,
    to: numberText(query.filled('To')),
    from: numberText(query.filled('From')),
    parentCallSid: query.filled('ParentCallSid'),
    status: query.oneOf('Status', STATUSES),
    startedAfterMs,
    startedBeforeMs,
    endedAfterMs,
    endedBeforeMs,
  });
}

/** `Name=` is a day or a second, `Name>=` and `Name<=` are bounds; the wire has the operator in the name (contract §2.1). */
export function dateRange(query: Form, name: string): [afterMs: number | undefined, beforeMs: number | undefined] {
  const read = (key: string): ReturnType<typeof filterDate> | undefined => {
    const text = query.filled(key);
    return text === undefined ? undefined : filterDate(name, text);
  };
  const equal = read(name);
  const after = read(`${name}>`)?.startMs;
  const before = read(`${name}<`)?.startMs;
  return [larger(after, equal?.startMs), smaller(before, equal?.endMs)];
}

function larger(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** A `+` typed into a query by hand arrives as a blank. */
export function numberText(text: string | undefined): string | undefined {
  return text?.replace(/^ (?=\d)/, '+');
}

const CREATE_NAMES: Readonly<Record<string, keyof CreateCallOptions>> = {
  To: 'to',
  From: 'from',
  Url: 'url',
  Method: 'method',
  Twiml: 'twiml',
  ApplicationSid: 'applicationSid',
  FallbackUrl: 'fallbackUrl',
  FallbackMethod: 'fallbackMethod',
  StatusCallback: 'statusCallback',
  StatusCallbackMethod: 'statusCallbackMethod',
  SendDigits: 'sendDigits',
  Timeout: 'timeout',
  TimeLimit: 'timeLimit',
  CallerId: 'callerId',
  SipAuthUsername: 'sipAuthUsername',
  SipAuthPassword: 'sipAuthPassword',
  CallReason: 'callReason',
  Byoc: 'byoc',
  MachineDetection: 'machineDetection',
  MachineDetectionTimeout: 'machineDetectionTimeout',
  MachineDetectionSpeechThreshold: 'machineDetectionSpeechThreshold',
  MachineDetectionSpeechEndThreshold: 'machineDetectionSpeechEndThreshold',
  MachineDetectionSilenceTimeout: 'machineDetectionSilenceTimeout',
  AsyncAmd: 'asyncAmd',
  AsyncAmdStatusCallback: 'asyncAmdStatusCallback',
  AsyncAmdStatusCallbackMethod: 'asyncAmdStatusCallbackMethod',
};

export function createOptions(form: Form): CreateCallOptions {
  const known: Record<string, string> = {};
  const other: Record<string, string> = {};
  for (const [name, value] of form.pairs()) {
    const member = Object.hasOwn(CREATE_NAMES, name) ? CREATE_NAMES[name] : undefined;
    if (member) known[member] = value;
    else if (name === 'RecordingStatusCallbackEvent') other[name] = `${other[name] ?? ''} ${value}`;
    else if (name !== 'StatusCallbackEvent') other[name] = value;
  }
  const events = form.all('StatusCallbackEvent');
  return { ...known, ...(events ? { statusCallbackEvents: events } : {}), other };
}

function updateOptions(form: Form): UpdateCallOptions {
  return given<UpdateCallOptions>({
    url: form.text('Url'),
    method: form.text('Method'),
    twiml: form.text('Twiml'),
    status: form.filled('Status'),
    fallbackUrl: form.text('FallbackUrl'),
    fallbackMethod: form.text('FallbackMethod'),
    statusCallback: form.text('StatusCallback'),
    statusCallbackMethod: form.text('StatusCallbackMethod'),
    timeLimit: form.text('TimeLimit'),
  });
}
