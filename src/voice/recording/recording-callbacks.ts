import { rfc2822 } from '../../base/dates.ts';
import { newSid } from '../../base/sid.ts';
import type { CallbackSender } from '../contract.ts';
import type { CallRepository } from '../model.ts';
import type { RecordingEvent, RecordingRecord } from './model.ts';
import { recordingSeconds } from './recordings.ts';

type Refused = NonNullable<Parameters<CallbackSender['send']>[0]['refused']>;

export interface RecordingCallbackDeps {
  callbacks: CallbackSender;
  calls: CallRepository;
  wallMs: () => number;
}

/** Tells one step of a recording to its RecordingStatusCallback, if it wants to know of it (contract §4.3). */
export function tellRecording(event: RecordingEvent, { record, url }: { record: Readonly<RecordingRecord>; url: string }, deps: RecordingCallbackDeps): void {
  const target = record.callback;
  if (!target?.events.includes(event)) return;
  deps.callbacks.send({
    accountSid: record.accountSid,
    url: target.url,
    method: target.method,
    parameters: parametersOf(event, record, url),
    refused: (problem) => journal(record, problem, deps),
  });
}

function parametersOf(event: RecordingEvent, record: Readonly<RecordingRecord>, url: string): [name: string, value: string][] {
  const seconds = recordingSeconds(record);
  const parameters: [string, string | null][] = [
    ['AccountSid', record.accountSid],
    ['CallSid', record.callSid],
    ['ConferenceSid', record.conferenceSid],
    ['RecordingSid', record.sid],
    ['RecordingUrl', url],
    ['RecordingStatus', event],
    ['RecordingDuration', seconds === null ? null : String(seconds)],
    ['RecordingChannels', String(record.channels)],
    ['RecordingStartTime', rfc2822(record.startedAtMs)],
    ['RecordingSource', record.source],
    ['RecordingTrack', record.track],
  ];
  return parameters.filter((parameter): parameter is [string, string] => parameter[1] !== null);
}

/** The debugger knows entries of calls only: for a conference the log has it. */
function journal(record: Readonly<RecordingRecord>, { errorCode, message, url }: Parameters<Refused>[0], { calls, wallMs }: RecordingCallbackDeps): void {
  if (record.callSid === null) return;
  calls.saveNotification({
    sid: newSid('NO'),
    accountSid: record.accountSid,
    callSid: record.callSid,
    log: 1,
    errorCode,
    messageText: `${message} (${url})`,
    messageAtMs: wallMs(),
    requestMethod: record.callback?.method ?? null,
    requestUrl: url,
    requestVariables: '',
    responseBody: '',
    responseHeaders: '',
  });
}
