import type { AccountRecord } from '../../voice/model.ts';
import type { ApiDeps } from '../deps.ts';
import { rfc2822 } from '../../base/dates.ts';
import type { Endpoints } from '../endpoint.ts';
import { listAnswer, pageOf, pageRequest } from '../paging.ts';
import { accountPath } from './resource.ts';

const STATUSES = ['active', 'suspended', 'closed'] as const;
const SUBRESOURCES: readonly [key: string, word: string][] = [
  ['calls', 'Calls'],
  ['incoming_phone_numbers', 'IncomingPhoneNumbers'],
  ['keys', 'Keys'],
  ['notifications', 'Notifications'],
];

/** The account and those it owns (contract §9). */
export function addAccounts(endpoints: Endpoints, { directory }: Pick<ApiDeps, 'directory'>): void {
  const list = (request: Parameters<typeof listAnswer>[0]): ReturnType<typeof listAnswer> => {
    const status = request.query.oneOf('Status', STATUSES);
    const name = request.query.filled('FriendlyName');
    const own = directory
      .accounts()
      .filter((account) => account.sid === request.account.sid || account.ownerAccountSid === request.account.sid)
      .filter((account) => (status === undefined || account.status === status) && (name === undefined || account.friendlyName === name));
    return listAnswer(request, { key: 'accounts', page: pageOf(own, pageRequest(request.query)), render: accountBody });
  };
  endpoints.add('/2010-04-01/Accounts', { GET: list }, { tokenOnly: true });
  endpoints.add('/2010-04-01/Accounts/:accountSid', { GET: ({ account }) => ({ status: 200, body: accountBody(account) }) }, { tokenOnly: true });
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
