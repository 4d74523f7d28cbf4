import { rfc2822 } from '../../base/dates.ts';
import { TwilioError } from '../../base/errors.ts';
import { newSid, parseSid } from '../../base/sid.ts';
import { addressBits } from '../../voice/dial-plan/ip-range.ts';
import type { SipIpAclRecord, SipIpAddressRecord } from '../../voice/model.ts';
import type { ApiDeps } from '../deps.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import type { Form } from '../form.ts';
import { listAnswer, pageOf, pageRequest } from '../paging.ts';
import { accountPath, friendlyName, requiredName } from './resource.ts';
import { refuseInUse } from './sip-mappings.ts';

type Deps = Pick<ApiDeps, 'sip' | 'clock'>;

const MAX_LISTS = 100;
const MAX_ADDRESSES = 100;
const PATH = '/2010-04-01/Accounts/:accountSid/SIP/IpAccessControlLists';

/** Access lists and the address ranges in them (contract §6). */
export function addSipIpAccessLists(endpoints: Endpoints, deps: Deps): void {
  const { sip, clock } = deps;
  endpoints.add(PATH, {
    GET: (request) => listAnswer(request, { key: 'ip_access_control_lists', page: pageOf(sip.ipAcls(request.account.sid), pageRequest(request.query)), render: listBody }),
    POST: async ({ account, form }) => {
      if (sip.ipAcls(account.sid).length >= MAX_LISTS) throw new TwilioError(20001, `An account has at most ${MAX_LISTS} access lists`);
      const nowMs = clock.wallMs();
      const record: SipIpAclRecord = { sid: newSid('AL'), accountSid: account.sid, friendlyName: requiredName(form), addresses: [], createdAtMs: nowMs, updatedAtMs: nowMs };
      await sip.saveIpAcl(record);
      return { status: 201, body: listBody(record) };
    },
  });
  endpoints.add(`${PATH}/:sid`, {
    GET: (request) => ({ status: 200, body: listBody(listOf(request, deps, 'sid')) }),
    POST: async (request) => {
      const record = { ...listOf(request, deps, 'sid'), friendlyName: requiredName(request.form), updatedAtMs: clock.wallMs() };
      await sip.saveIpAcl(record);
      return { status: 200, body: listBody(record) };
    },
    DELETE: async (request) => {
      const { sid, accountSid } = listOf(request, deps, 'sid');
      refuseInUse(accountSid, sid, sip);
      await sip.deleteIpAcl(sid);
      return { status: 204 };
    },
  });
  addAddresses(endpoints, deps);
}

function addAddresses(endpoints: Endpoints, deps: Deps): void {
  endpoints.add(`${PATH}/:listSid/IpAddresses`, {
    GET: (request) => {
      const list = listOf(request, deps, 'listSid');
      return listAnswer(request, { key: 'ip_addresses', page: pageOf(list.addresses, pageRequest(request.query)), render: (address) => addressBody(address, list) });
    },
    POST: (request) => create(request, deps),
  });
  endpoints.add(`${PATH}/:listSid/IpAddresses/:sid`, {
    GET: (request) => {
      const list = listOf(request, deps, 'listSid');
      return { status: 200, body: addressBody(addressOf(request, list), list) };
    },
    POST: (request) => update(request, deps),
    DELETE: async (request) => {
      const list = listOf(request, deps, 'listSid');
      const { sid } = addressOf(request, list);
      await deps.sip.saveIpAcl({ ...list, addresses: list.addresses.filter((address) => address.sid !== sid) });
      return { status: 204 };
    },
  });
}

async function create(request: ApiRequest, { sip, clock }: Deps): Promise<Answer> {
  const list = listOf(request, { sip }, 'listSid');
  const nowMs = clock.wallMs();
  const blank: SipIpAddressRecord = { sid: newSid('IP'), friendlyName: requiredName(request.form), ipAddress: '', cidrPrefixLength: -1, createdAtMs: nowMs, updatedAtMs: nowMs };
  const address = changed(blank, request.form, nowMs);
  if (list.addresses.length >= MAX_ADDRESSES) throw new TwilioError(20001, `An access list has at most ${MAX_ADDRESSES} addresses`);
  await sip.saveIpAcl({ ...list, addresses: [...list.addresses, address] });
  return { status: 201, body: addressBody(address, list) };
}

async function update(request: ApiRequest, { sip, clock }: Deps): Promise<Answer> {
  const list = listOf(request, { sip }, 'listSid');
  const before = addressOf(request, list);
  const address = changed({ ...before, friendlyName: friendlyName(request.form) ?? before.friendlyName }, request.form, clock.wallMs());
  await sip.saveIpAcl({ ...list, addresses: list.addresses.map((candidate) => (candidate.sid === before.sid ? address : candidate)) });
  return { status: 200, body: addressBody(address, list) };
}

/** Throws 20001 for what is no address, or a prefix that is longer than it. The whole address counts unless said otherwise. */
function changed(before: SipIpAddressRecord, form: Form, nowMs: number): SipIpAddressRecord {
  const ipAddress = form.filled('IpAddress')?.trim() ?? before.ipAddress;
  const bits = addressBits(ipAddress);
  if (bits === null) throw new TwilioError(20001, 'IpAddress must be an IPv4 or IPv6 address');
  const kept = before.ipAddress === ipAddress ? before.cidrPrefixLength : bits;
  const cidrPrefixLength = form.number('CidrPrefixLength') ?? kept;
  if (!(cidrPrefixLength >= 0 && cidrPrefixLength <= bits)) throw new TwilioError(20001, `CidrPrefixLength must be a whole number from 0 to ${bits}`);
  return { ...before, ipAddress, cidrPrefixLength, updatedAtMs: nowMs };
}

function listOf({ account, path, part }: ApiRequest, { sip }: Pick<Deps, 'sip'>, name: string): SipIpAclRecord {
  const sid = parseSid('AL', part(name));
  const record = sid && sip.ipAcl(account.sid, sid);
  if (!record) throw notFound(path);
  return record;
}

function addressOf({ path, part }: ApiRequest, list: SipIpAclRecord): SipIpAddressRecord {
  const sid = parseSid('IP', part('sid'));
  const address = list.addresses.find((candidate) => candidate.sid === sid);
  if (!address) throw notFound(path);
  return address;
}

function pathOf({ accountSid, sid }: SipIpAclRecord): string {
  return `${accountPath(accountSid)}/SIP/IpAccessControlLists/${sid}`;
}

function listBody(record: SipIpAclRecord): object {
  return {
    sid: record.sid,
    account_sid: record.accountSid,
    friendly_name: record.friendlyName,
    date_created: rfc2822(record.createdAtMs),
    date_updated: rfc2822(record.updatedAtMs),
    subresource_uris: { ip_addresses: `${pathOf(record)}/IpAddresses.json` },
    uri: `${pathOf(record)}.json`,
  };
}

function addressBody(record: SipIpAddressRecord, list: SipIpAclRecord): object {
  return {
    sid: record.sid,
    account_sid: list.accountSid,
    friendly_name: record.friendlyName,
    ip_address: record.ipAddress,
    cidr_prefix_length: record.cidrPrefixLength,
    ip_access_control_list_sid: list.sid,
    date_created: rfc2822(record.createdAtMs),
    date_updated: rfc2822(record.updatedAtMs),
    uri: `${pathOf(list)}/IpAddresses/${record.sid}.json`,
  };
}
