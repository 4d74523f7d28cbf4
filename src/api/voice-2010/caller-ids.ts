import { rfc2822 } from '../../base/dates.ts';
import { TwilioError } from '../../base/errors.ts';
import { parseSid } from '../../base/sid.ts';
import type { CallerIdRecord } from '../../voice/model.ts';
import type { ApiDeps } from '../deps.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { given } from '../form.ts';
import { listAnswer, pageOf, pageRequest } from '../paging.ts';
import { numberText } from './calls.ts';
import { accountPath, formatted, friendlyName } from './resource.ts';

type Deps = Pick<ApiDeps, 'directory' | 'clock' | 'callerIds'>;

const PATH = '/2010-04-01/Accounts/:accountSid/OutgoingCallerIds';

/** Numbers of others that an account has verified: they may stand in From and callerId. */
export function addCallerIds(endpoints: Endpoints, deps: Deps): void {
  const { directory, clock } = deps;
  endpoints.add(PATH, { GET: (request) => list(request, deps), POST: (request) => validate(request, deps) });
  endpoints.add(`${PATH}/:sid`, {
    GET: (request) => ({ status: 200, body: callerIdBody(callerIdOf(request, deps)) }),
    POST: async (request) => {
      const before = callerIdOf(request, deps);
      const record = { ...before, friendlyName: friendlyName(request.form) ?? before.friendlyName, updatedAtMs: clock.wallMs() };
      await directory.saveCallerId(record);
      return { status: 200, body: callerIdBody(record) };
    },
    DELETE: async (request) => {
      await directory.deleteCallerId(callerIdOf(request, deps).sid);
      return { status: 204 };
    },
  });
}

function callerIdOf({ account, path, part }: ApiRequest, { directory }: Deps): CallerIdRecord {
  const sid = parseSid('PN', part('sid'));
  const record = sid && directory.callerId(account.sid, sid);
  if (!record) throw notFound(path);
  return record;
}

/** Nothing is verified yet by this answer: the phone rings, and wants the code. */
async function validate({ account, form }: ApiRequest, { callerIds }: Deps): Promise<Answer> {
  const phoneNumber = form.filled('PhoneNumber')?.replace(/[\s().-]/g, '');
  if (phoneNumber === undefined) throw new TwilioError(21401, 'PhoneNumber is required');
  const request = await callerIds.validate(account.sid, {
    phoneNumber,
    friendlyName: friendlyName(form) ?? formatted(phoneNumber),
    ...given({ callDelay: form.filled('CallDelay'), extension: form.filled('Extension'), statusCallback: form.filled('StatusCallback'), statusCallbackMethod: form.filled('StatusCallbackMethod') }),
  });
  return {
    status: 200,
    body: { account_sid: request.accountSid, call_sid: request.callSid, friendly_name: request.friendlyName, phone_number: request.phoneNumber, validation_code: request.validationCode },
  };
}

function list(request: ApiRequest, { directory }: Deps): Answer {
  const number = numberText(request.query.filled('PhoneNumber'));
  const name = request.query.filled('FriendlyName');
  const found = directory
    .callerIds(request.account.sid)
    .filter((record) => (number === undefined || record.phoneNumber === number) && (name === undefined || record.friendlyName === name));
  return listAnswer(request, { key: 'outgoing_caller_ids', page: pageOf(found, pageRequest(request.query)), render: callerIdBody });
}

function callerIdBody(record: CallerIdRecord): object {
  return {
    sid: record.sid,
    date_created: rfc2822(record.createdAtMs),
    date_updated: rfc2822(record.updatedAtMs),
    friendly_name: record.friendlyName,
    account_sid: record.accountSid,
    phone_number: record.phoneNumber,
    uri: `${accountPath(record.accountSid)}/OutgoingCallerIds/${record.sid}.json`,
  };
}
