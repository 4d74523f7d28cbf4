import { randomBytes } from 'node:crypto';
import { rfc2822 } from '../../base/dates.ts';
import { TwilioError } from '../../base/errors.ts';
import { newSid } from '../../base/sid.ts';
import type { AccountRecord } from '../../voice/model.ts';
import type { ApiDeps } from '../deps.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { listAnswer, pageOf, pageRequest } from '../paging.ts';
import { accountPath, friendlyName } from './resource.ts';

type Deps = Pick<ApiDeps, 'directory' | 'clock' | 'calls' | 'rooms'>;

const STATUSES = ['active', 'suspended', 'closed'] as const;
const MAX_SUBACCOUNTS = 1000;
const TOKEN_BYTES = 16;
const SUBRESOURCES: readonly [key: string, word: string][] = [
  ['applications', 'Applications'],
  ['calls', 'Calls'],
  ['conferences', 'Conferences'],
  ['incoming_phone_numbers', 'IncomingPhoneNumbers'],
  ['keys', 'Keys'],
  ['notifications', 'Notifications'],
  ['outgoing_caller_ids', 'OutgoingCallerIds'],
  ['queues', 'Queues'],
  ['recordings', 'Recordings'],
  ['signing_keys', 'SigningKeys'],
  ['sip', 'SIP'],
];

/** The account and those it owns (contract §9). */
export function addAccounts(endpoints: Endpoints, deps: Deps): void {
  endpoints.add('/2010-04-01/Accounts', { GET: (request) => list(request, deps), POST: (request) => create(request, deps) }, { tokenOnly: true });
  endpoints.add(
    '/2010-04-01/Accounts/:accountSid',
    { GET: ({ account }) => ({ status: 200, body: accountBody(account) }), POST: (request) => update(request, deps) },
    { tokenOnly: true, closedToo: true },
  );
}

function list(request: ApiRequest, { directory }: Deps): Answer {
  const status = request.query.oneOf('Status', STATUSES);
  const name = request.query.filled('FriendlyName');
  const own = directory
    .accounts()
    .filter((account) => account.sid === request.account.sid || account.ownerAccountSid === request.account.sid)
    .filter((account) => (status === undefined || account.status === status) && (name === undefined || account.friendlyName === name));
  return listAnswer(request, { key: 'accounts', page: pageOf(own, pageRequest(request.query)), render: accountBody });
}

async function create({ signedIn: owner, form }: ApiRequest, { directory, clock }: Deps): Promise<Answer> {
  if (owner.ownerAccountSid !== owner.sid) throw new TwilioError(21101, 'Subaccounts cannot contain subaccounts');
  const owned = directory.accounts().filter(({ ownerAccountSid, status }) => ownerAccountSid === owner.sid && status !== 'closed');
  if (owned.length > MAX_SUBACCOUNTS) throw new TwilioError(21480, `An account has at most ${MAX_SUBACCOUNTS} subaccounts`);
  const nowMs = clock.wallMs();
  const record: AccountRecord = {
    sid: newSid('AC'),
    friendlyName: friendlyName(form) ?? `SubAccount Created at ${new Date(nowMs).toISOString().slice(0, 16).replace('T', ' ')}`,
    status: 'active',
    authToken: randomBytes(TOKEN_BYTES).toString('hex'),
    ownerAccountSid: owner.sid,
    clientRoomCreation: owner.clientRoomCreation,
    roomStatusCallback: null,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  await directory.saveAccount(record);
  return { status: 201, body: accountBody(record) };
}

async function update(request: ApiRequest, deps: Deps): Promise<Answer> {
  const { account: before, form } = request;
  const status = changedStatus(request);
  const record: AccountRecord = { ...before, friendlyName: friendlyName(form) ?? before.friendlyName, status, updatedAtMs: deps.clock.wallMs() };
  await deps.directory.saveAccount(record);
  if (status === 'closed' && before.status !== 'closed') await closed(record, deps);
  return { status: 200, body: accountBody(record) };
}

/** Only the owner changes a status, and never back from closed. Throws 21475, 21477, 21479, 20403. */
function changedStatus({ account, signedIn, form }: ApiRequest): AccountRecord['status'] {
  const status = form.oneOf('Status', STATUSES, 21475) ?? account.status;
  if (form.filled('Status') === undefined) return status;
  if (account.ownerAccountSid === account.sid) throw new TwilioError(21477, 'The status of a main account cannot be changed');
  if (signedIn.sid !== account.ownerAccountSid) throw new TwilioError(20403, 'Only the owner of a subaccount changes its status', { status: 403 });
  if (account.status === 'closed' && status !== 'closed') throw new TwilioError(21479, 'The subaccount has been closed, and stays so');
  return status;
}

/** A closed account gives its numbers back and falls silent; what it did can still be read. */
async function closed({ sid }: AccountRecord, { directory, calls, rooms }: Deps): Promise<void> {
  calls.accountClosed(sid);
  for (const room of rooms.all()) if (room.accountSid === sid) room.end('completed-by-api');
  for (const number of directory.numbers(sid)) await directory.deleteNumber(number.sid);
}

function accountBody(account: AccountRecord): object {
  const path = accountPath(account.sid);
  return {
    auth_token: account.authToken,
    date_created: rfc2822(account.createdAtMs),
    date_updated: rfc2822(account.updatedAtMs),
    friendly_name: account.friendlyName,
    owner_account_sid: account.ownerAccountSid,
    sid: account.sid,
    status: account.status,
    subresource_uris: Object.fromEntries(SUBRESOURCES.map(([key, word]) => [key, `${path}/${word}.json`])),
    type: 'Full',
    uri: `${path}.json`,
  };
}
