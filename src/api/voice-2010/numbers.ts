import { TwilioError } from '../../base/errors.ts';
import { newSid, parseSid, type AccountSid } from '../../base/sid.ts';
import type { PhoneNumberRecord } from '../../voice/model.ts';
import type { ApiDeps } from '../deps.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { listAnswer, pageOf, pageRequest } from '../paging.ts';
import { numberText } from './calls.ts';
import { numberBody } from './number-body.ts';
import { changedNumber } from './number-parameters.ts';
import { formatted } from './resource.ts';
import { NO_VOICE_URLS } from './voice-url-parameters.ts';

type Kind = 'Local' | 'Mobile' | 'TollFree';
type Deps = Pick<ApiDeps, 'directory' | 'clock'>;

const KINDS: readonly Kind[] = ['Local', 'Mobile', 'TollFree'];
const PATH = '/2010-04-01/Accounts/:accountSid/IncomingPhoneNumbers';

/** Numbers (contract §6): to create one is to declare it, nothing is bought. */
export function addNumbers(endpoints: Endpoints, deps: Deps): void {
  const { directory, clock } = deps;
  endpoints.add(PATH, { GET: (request) => list(request, deps), POST: (request) => create(request, deps) });
  for (const kind of KINDS) endpoints.add(`${PATH}/${kind}`, { GET: (request) => list(request, deps, kind), POST: (request) => create(request, deps) });
  endpoints.add(`${PATH}/:sid`, {
    GET: (request) => ({ status: 200, body: numberBody(numberOf(request, deps)) }),
    POST: async (request) => {
      const record = changedNumber(numberOf(request, deps), { ...request, directory, nowMs: clock.wallMs() });
      await directory.saveNumber(record);
      return { status: 200, body: numberBody(record) };
    },
    DELETE: async (request) => {
      await directory.deleteNumber(numberOf(request, deps).sid);
      return { status: 204 };
    },
  });
}

function numberOf({ account, path, part }: ApiRequest, { directory }: Deps): PhoneNumberRecord {
  const sid = parseSid('PN', part('sid'));
  const record = sid && directory.number(account.sid, sid);
  if (!record) throw notFound(path);
  return record;
}

async function create({ account, form, signedIn }: ApiRequest, { directory, clock }: Deps): Promise<Answer> {
  const phoneNumber = form.filled('PhoneNumber')?.replace(/[\s().-]/g, '');
  if (phoneNumber === undefined && form.filled('AreaCode') !== undefined) throw new TwilioError(21422, 'No numbers are for sale by area code: give the PhoneNumber you have');
  if (phoneNumber === undefined || !/^\+\d{3,15}$/.test(phoneNumber)) throw new TwilioError(21421, 'PhoneNumber is not a valid number: E.164, with its +');
  if (directory.numberByDigits(phoneNumber)) throw new TwilioError(21422, `PhoneNumber ${phoneNumber} is not available: it is declared already`);
  const record = changedNumber(blankNumber(account.sid, phoneNumber, clock.wallMs()), { form: form.without('AccountSid'), directory, signedIn, nowMs: clock.wallMs() });
  await directory.saveNumber(record);
  return { status: 201, body: numberBody(record) };
}

function blankNumber(accountSid: AccountSid, phoneNumber: string, nowMs: number): PhoneNumberRecord {
  return {
    sid: newSid('PN'),
    accountSid,
    phoneNumber,
    friendlyName: formatted(phoneNumber),
    ...NO_VOICE_URLS,
    voiceApplicationSid: null,
    trunkSid: null,
    voiceCallerIdLookup: false,
    voiceReceiveMode: 'voice',
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
}

function list(request: ApiRequest, { directory }: Deps, kind?: Kind): Answer {
  const { query } = request;
  const matches = digitPattern(numberText(query.filled('PhoneNumber')));
  const name = query.filled('FriendlyName');
  const none = query.boolean('Beta') === true || query.filled('Origin') === 'twilio';
  const found = directory
    .numbers(request.account.sid)
    .filter((record) => !none && matches(record.phoneNumber) && (name === undefined || record.friendlyName === name) && (kind === undefined || kindOf(record.phoneNumber) === kind));
  return listAnswer(request, { key: 'incoming_phone_numbers', page: pageOf(found, pageRequest(query)), render: numberBody });
}

/** A part of a number, `*` for any one digit; letters as on a phone's keys are not read. */
function digitPattern(pattern: string | undefined): (phoneNumber: string) => boolean {
  if (pattern === undefined) return () => true;
  if (!/^[\d*+\s().-]{1,40}$/.test(pattern)) return () => false;
  const plain = pattern.replace(/[\s().-]/g, '');
  const expression = new RegExp(`${plain.startsWith('+') ? '^' : ''}${plain.replaceAll('+', '\\+').replaceAll('*', '\\d')}`);
  return (phoneNumber) => expression.test(phoneNumber);
}

/** Nothing tells mobile numbers from others by their digits: none is counted as one. */
function kindOf(phoneNumber: string): Kind {
  return /^\+18(00|33|44|55|66|77|88)\d{7}$/.test(phoneNumber) ? 'TollFree' : 'Local';
}
