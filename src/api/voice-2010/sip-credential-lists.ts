import { rfc2822 } from '../../base/dates.ts';
import { TwilioError } from '../../base/errors.ts';
import { newSid, parseSid } from '../../base/sid.ts';
import { sipSecret } from '../../voice/dial-plan/sip-domain.ts';
import type { SipCredentialListRecord, SipCredentialRecord } from '../../voice/model.ts';
import type { ApiDeps } from '../deps.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import type { Form } from '../form.ts';
import { listAnswer, pageOf, pageRequest } from '../paging.ts';
import { accountPath, requiredName } from './resource.ts';
import { refuseInUse } from './sip-mappings.ts';

type Deps = Pick<ApiDeps, 'sip' | 'clock'>;

const MAX_LISTS = 100;
const MAX_CREDENTIALS = 1000;
const PATH = '/2010-04-01/Accounts/:accountSid/SIP/CredentialLists';

/** Credential lists and the users in them (contract §6). No answer ever carries a password or what is kept of it. */
export function addSipCredentialLists(endpoints: Endpoints, deps: Deps): void {
  const { sip, clock } = deps;
  endpoints.add(PATH, {
    GET: (request) => listAnswer(request, { key: 'credential_lists', page: pageOf(sip.credentialLists(request.account.sid), pageRequest(request.query)), render: listBody }),
    POST: async ({ account, form }) => {
      if (sip.credentialLists(account.sid).length >= MAX_LISTS) throw new TwilioError(20001, `An account has at most ${MAX_LISTS} credential lists`);
      const nowMs = clock.wallMs();
      const record: SipCredentialListRecord = { sid: newSid('CL'), accountSid: account.sid, friendlyName: requiredName(form), credentials: [], createdAtMs: nowMs, updatedAtMs: nowMs };
      await sip.saveCredentialList(record);
      return { status: 201, body: listBody(record) };
    },
  });
  endpoints.add(`${PATH}/:sid`, {
    GET: (request) => ({ status: 200, body: listBody(listOf(request, deps, 'sid')) }),
    POST: async (request) => {
      const record = { ...listOf(request, deps, 'sid'), friendlyName: requiredName(request.form), updatedAtMs: clock.wallMs() };
      await sip.saveCredentialList(record);
      return { status: 200, body: listBody(record) };
    },
    DELETE: async (request) => {
      const { sid, accountSid } = listOf(request, deps, 'sid');
      refuseInUse(accountSid, sid, sip);
      await sip.deleteCredentialList(sid);
      return { status: 204 };
    },
  });
  addCredentials(endpoints, deps);
}

function addCredentials(endpoints: Endpoints, deps: Deps): void {
  endpoints.add(`${PATH}/:listSid/Credentials`, {
    GET: (request) => {
      const list = listOf(request, deps, 'listSid');
      return listAnswer(request, { key: 'credentials', page: pageOf(list.credentials, pageRequest(request.query)), render: (credential) => credentialBody(credential, list) });
    },
    POST: (request) => create(request, deps),
  });
  endpoints.add(`${PATH}/:listSid/Credentials/:sid`, {
    GET: (request) => {
      const list = listOf(request, deps, 'listSid');
      return { status: 200, body: credentialBody(credentialOf(request, list), list) };
    },
    POST: (request) => update(request, deps),
    DELETE: async (request) => {
      const list = listOf(request, deps, 'listSid');
      const { sid } = credentialOf(request, list);
      await deps.sip.saveCredentialList({ ...list, credentials: list.credentials.filter((credential) => credential.sid !== sid) });
      return { status: 204 };
    },
  });
}

async function create(request: ApiRequest, { sip, clock }: Deps): Promise<Answer> {
  const list = listOf(request, { sip }, 'listSid');
  const username = usernameOf(request.form);
  const password = passwordOf(request.form);
  if (password === undefined) throw new TwilioError(20001, 'Password is required');
  if (list.credentials.some((credential) => credential.username === username)) throw new TwilioError(20001, `Username ${username} is in this list already`);
  if (list.credentials.length >= MAX_CREDENTIALS) throw new TwilioError(20001, `A list has at most ${MAX_CREDENTIALS} credentials`);
  const nowMs = clock.wallMs();
  const credential: SipCredentialRecord = { sid: newSid('CR'), username, secret: sipSecret({ username, password }), createdAtMs: nowMs, updatedAtMs: nowMs };
  await sip.saveCredentialList({ ...list, credentials: [...list.credentials, credential] });
  return { status: 201, body: credentialBody(credential, list) };
}

async function update(request: ApiRequest, { sip, clock }: Deps): Promise<Answer> {
  const list = listOf(request, { sip }, 'listSid');
  const before = credentialOf(request, list);
  const password = passwordOf(request.form);
  if (password === undefined) return { status: 200, body: credentialBody(before, list) };
  const changed = { ...before, secret: sipSecret({ username: before.username, password }), updatedAtMs: clock.wallMs() };
  await sip.saveCredentialList({ ...list, credentials: list.credentials.map((credential) => (credential.sid === before.sid ? changed : credential)) });
  return { status: 200, body: credentialBody(changed, list) };
}

function listOf({ account, path, part }: ApiRequest, { sip }: Pick<Deps, 'sip'>, name: string): SipCredentialListRecord {
  const sid = parseSid('CL', part(name));
  const record = sid && sip.credentialList(account.sid, sid);
  if (!record) throw notFound(path);
  return record;
}

function credentialOf({ path, part }: ApiRequest, list: SipCredentialListRecord): SipCredentialRecord {
  const sid = parseSid('CR', part('sid'));
  const credential = list.credentials.find((candidate) => candidate.sid === sid);
  if (!credential) throw notFound(path);
  return credential;
}

/** Also the user part of a SIP address, so nothing that would need escaping there. */
function usernameOf(form: Form): string {
  const username = form.filled('Username');
  if (username === undefined || !/^[A-Za-z0-9\-_.!~*'()&=+$]{1,32}$/.test(username)) throw new TwilioError(20001, "Username must be 1 to 32 letters, digits or -_.!~*'()&=+$");
  return username;
}

const MAX_PASSWORD_CHARS = 128;

/** Undefined when none was given. Throws 20001 for a weak one. */
function passwordOf(form: Form): string | undefined {
  const password = form.filled('Password');
  if (password === undefined) return undefined;
  const strong = password.length >= 12 && password.length <= MAX_PASSWORD_CHARS && /[a-z]/.test(password) && /[A-Z]/.test(password) && /\d/.test(password);
  if (!strong) throw new TwilioError(20001, `Password must have 12 to ${MAX_PASSWORD_CHARS} characters, with lower and upper case letters and a digit`);
  return password;
}

function pathOf({ accountSid, sid }: SipCredentialListRecord): string {
  return `${accountPath(accountSid)}/SIP/CredentialLists/${sid}`;
}

function listBody(record: SipCredentialListRecord): object {
  return {
    account_sid: record.accountSid,
    date_created: rfc2822(record.createdAtMs),
    date_updated: rfc2822(record.updatedAtMs),
    friendly_name: record.friendlyName,
    sid: record.sid,
    subresource_uris: { credentials: `${pathOf(record)}/Credentials.json` },
    uri: `${pathOf(record)}.json`,
  };
}

function credentialBody(record: SipCredentialRecord, list: SipCredentialListRecord): object {
  return {
    sid: record.sid,
    account_sid: list.accountSid,
    credential_list_sid: list.sid,
    username: record.username,
    date_created: rfc2822(record.createdAtMs),
    date_updated: rfc2822(record.updatedAtMs),
    uri: `${pathOf(list)}/Credentials/${record.sid}.json`,
  };
}
