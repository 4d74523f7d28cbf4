import { parseSid, type CallSid } from '../../base/sid.ts';
import type { NotificationFilter, NotificationRecord } from '../../voice/model.ts';
import type { ApiDeps } from '../deps.ts';
import { rfc2822 } from '../../base/dates.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { given } from '../form.ts';
import { listAnswer, pageRequest } from '../paging.ts';
import { callOf, dateRange } from './calls.ts';
import { accountPath, API_VERSION, callPath } from './resource.ts';

type Deps = Pick<ApiDeps, 'calls' | 'callRepository'>;

/** Debugger entries, of one call and of the account (contract §5.4). */
export function addNotifications(endpoints: Endpoints, deps: Deps): void {
  endpoints.add('/2010-04-01/Accounts/:accountSid/Notifications', { GET: (request) => list(request, deps) });
  endpoints.add('/2010-04-01/Accounts/:accountSid/Notifications/:sid', { GET: (request) => fetchOne(request, deps) });
  endpoints.add('/2010-04-01/Accounts/:accountSid/Calls/:callSid/Notifications', {
    GET: async (request) => list(request, deps, (await callOf(request, deps)).sid),
  });
  endpoints.add('/2010-04-01/Accounts/:accountSid/Calls/:callSid/Notifications/:sid', {
    GET: async (request) => fetchOne(request, deps, (await callOf(request, deps)).sid),
  });
}

async function list(request: ApiRequest, { callRepository }: Deps, callSid?: CallSid): Promise<Answer> {
  const log = request.query.oneOf('Log', ['0', '1']);
  const [messageAfterMs, messageBeforeMs] = dateRange(request.query, 'MessageDate');
  const filter = given<NotificationFilter>({ accountSid: request.account.sid, callSid, log: log === undefined ? undefined : log === '0' ? 0 : 1, messageAfterMs, messageBeforeMs });
  const page = await callRepository.listNotifications(filter, pageRequest(request.query));
  return listAnswer(request, { key: 'notifications', page, render: (record) => entryBody(record, callSid !== undefined) });
}

async function fetchOne(request: ApiRequest, { callRepository }: Deps, callSid?: CallSid): Promise<Answer> {
  const sid = parseSid('NO', request.part('sid'));
  const record = sid && (await callRepository.findNotification(request.account.sid, sid));
  if (!record || (callSid !== undefined && record.callSid !== callSid)) throw notFound(request.path);
  return {
    status: 200,
    body: { ...entryBody(record, callSid !== undefined), request_variables: record.requestVariables, response_body: record.responseBody, response_headers: record.responseHeaders },
  };
}

/** An entry is at home under its call and under the account; `uri` says where it was found. */
function entryBody(record: NotificationRecord, underCall: boolean): object {
  const parent = underCall ? callPath(record.accountSid, record.callSid) : accountPath(record.accountSid);
  return {
    account_sid: record.accountSid,
    api_version: API_VERSION,
    call_sid: record.callSid,
    date_created: rfc2822(record.messageAtMs),
    date_updated: rfc2822(record.messageAtMs),
    error_code: String(record.errorCode),
    log: String(record.log),
    message_date: rfc2822(record.messageAtMs),
    message_text: record.messageText,
    more_info: `https://www.twilio.com/docs/errors/${record.errorCode}`,
    request_method: record.requestMethod,
    request_url: record.requestUrl,
    sid: record.sid,
    uri: `${parent}/Notifications/${record.sid}.json`,
  };
}
