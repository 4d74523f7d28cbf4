import { rfc2822 } from '../../base/dates.ts';
import { TwilioError } from '../../base/errors.ts';
import { parseSid, type AccountSid } from '../../base/sid.ts';
import type { SipDirectory, SipDomainRecord, SipMapping } from '../../voice/model.ts';
import type { ApiDeps } from '../deps.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { listAnswer, pageOf, pageRequest } from '../paging.ts';
import { domainOf, domainPath } from './sip-domains.ts';

type Deps = Pick<ApiDeps, 'sip' | 'clock'>;

/** One kind of mapping and where it hangs: at the domain itself, or below `Auth`. */
interface Kind {
  /** Below the domain. */
  path: string;
  /** Key of lists. */
  key: string;
  prefix: 'CL' | 'AL';
  parameter: string;
  read: (domain: SipDomainRecord) => readonly SipMapping[];
  write: (domain: SipDomainRecord, mappings: SipMapping[]) => SipDomainRecord;
  /** Name of the list; null when the account has no such list. */
  nameOf: (sip: SipDirectory, accountSid: AccountSid, sid: string) => string | null;
  /** The older resources tell their domain and their own address. */
  old: boolean;
}

const credentialList = (sip: SipDirectory, accountSid: AccountSid, text: string): string | null => {
  const sid = parseSid('CL', text);
  return (sid && sip.credentialList(accountSid, sid)?.friendlyName) ?? null;
};
const accessList = (sip: SipDirectory, accountSid: AccountSid, text: string): string | null => {
  const sid = parseSid('AL', text);
  return (sid && sip.ipAcl(accountSid, sid)?.friendlyName) ?? null;
};

const CREDENTIALS = { prefix: 'CL' as const, parameter: 'CredentialListSid', nameOf: credentialList };
const ACCESS = { prefix: 'AL' as const, parameter: 'IpAccessControlListSid', nameOf: accessList };
const OF_CALLS = { read: (domain: SipDomainRecord) => domain.callCredentialLists, write: (domain: SipDomainRecord, mappings: SipMapping[]) => ({ ...domain, callCredentialLists: mappings as SipDomainRecord['callCredentialLists'] }) };
const OF_SOURCES = { read: (domain: SipDomainRecord) => domain.callIpAcls, write: (domain: SipDomainRecord, mappings: SipMapping[]) => ({ ...domain, callIpAcls: mappings as SipDomainRecord['callIpAcls'] }) };
const OF_REGISTRATIONS = {
  read: (domain: SipDomainRecord) => domain.registrationCredentialLists,
  write: (domain: SipDomainRecord, mappings: SipMapping[]) => ({ ...domain, registrationCredentialLists: mappings as SipDomainRecord['registrationCredentialLists'] }),
};

/** The older paths and those of `Auth/Calls` are two doors to the same mappings. */
const KINDS: readonly Kind[] = [
  { path: 'CredentialListMappings', key: 'credential_list_mappings', ...CREDENTIALS, ...OF_CALLS, old: true },
  { path: 'IpAccessControlListMappings', key: 'ip_access_control_list_mappings', ...ACCESS, ...OF_SOURCES, old: true },
  { path: 'Auth/Calls/CredentialListMappings', key: 'contents', ...CREDENTIALS, ...OF_CALLS, old: false },
  { path: 'Auth/Calls/IpAccessControlListMappings', key: 'contents', ...ACCESS, ...OF_SOURCES, old: false },
  { path: 'Auth/Registrations/CredentialListMappings', key: 'contents', ...CREDENTIALS, ...OF_REGISTRATIONS, old: false },
];

/** Lists of one kind that guard one domain. */
const MAX_MAPPINGS = 100;

/** Which lists guard which domain (contract §6). */
export function addSipMappings(endpoints: Endpoints, deps: Deps): void {
  for (const kind of KINDS) {
    const path = `/2010-04-01/Accounts/:accountSid/SIP/Domains/:domainSid/${kind.path}`;
    endpoints.add(path, { GET: (request) => list(request, kind, deps), POST: (request) => create(request, kind, deps) });
    endpoints.add(`${path}/:sid`, {
      GET: (request) => {
        const domain = domainOf(request, deps, 'domainSid');
        return { status: 200, body: mappingBody(mappingOf(request, domain, kind), { domain, kind, sip: deps.sip }) };
      },
      DELETE: (request) => remove(request, kind, deps),
    });
  }
}

/** Domains of the account that a list guards. A list in use cannot be deleted. */
export function refuseInUse(accountSid: AccountSid, sid: string, sip: SipDirectory): void {
  const user = sip.domains(accountSid).find((domain) => KINDS.some(({ read }) => read(domain).some((mapping) => mapping.sid === sid)));
  if (user) throw new TwilioError(20001, `The list is mapped to the SIP domain ${user.domainName}: delete the mapping first`);
}

function list(request: ApiRequest, kind: Kind, deps: Deps): Answer {
  const domain = domainOf(request, deps, 'domainSid');
  return listAnswer(request, { key: kind.key, page: pageOf(kind.read(domain), pageRequest(request.query)), render: (mapping) => mappingBody(mapping, { domain, kind, sip: deps.sip }) });
}

async function create(request: ApiRequest, kind: Kind, deps: Deps): Promise<Answer> {
  const domain = domainOf(request, deps, 'domainSid');
  const text = request.form.filled(kind.parameter);
  const sid = text === undefined ? null : parseSid(kind.prefix, text);
  if (!sid) throw new TwilioError(20001, `${kind.parameter} must be the SID of a list (${kind.prefix} and 32 hexadecimal digits)`);
  if (kind.nameOf(deps.sip, domain.accountSid, sid) === null) throw new TwilioError(20404, `${kind.parameter} ${sid} is no list of this account`, { status: 404 });
  const before = kind.read(domain);
  if (before.some((mapping) => mapping.sid === sid)) throw new TwilioError(20001, `${sid} is mapped to this domain already`);
  if (before.length >= MAX_MAPPINGS) throw new TwilioError(20001, `At most ${MAX_MAPPINGS} lists are mapped to a domain`);
  const mapping = { sid, createdAtMs: deps.clock.wallMs() };
  await deps.sip.saveDomain(kind.write(domain, [...before, mapping]));
  return { status: 201, body: mappingBody(mapping, { domain, kind, sip: deps.sip }) };
}

async function remove(request: ApiRequest, kind: Kind, deps: Deps): Promise<Answer> {
  const domain = domainOf(request, deps, 'domainSid');
  const { sid } = mappingOf(request, domain, kind);
  await deps.sip.saveDomain(kind.write(domain, kind.read(domain).filter((mapping) => mapping.sid !== sid)));
  return { status: 204 };
}

function mappingOf({ part, path }: ApiRequest, domain: SipDomainRecord, { prefix, read }: Kind): SipMapping {
  const sid = parseSid(prefix, part('sid'));
  const mapping = read(domain).find((candidate) => candidate.sid === sid);
  if (!mapping) throw notFound(path);
  return mapping;
}

function mappingBody({ sid, createdAtMs }: SipMapping, { domain, kind, sip }: { domain: SipDomainRecord; kind: Kind; sip: SipDirectory }): object {
  return {
    account_sid: domain.accountSid,
    date_created: rfc2822(createdAtMs),
    date_updated: rfc2822(createdAtMs),
    friendly_name: kind.nameOf(sip, domain.accountSid, sid),
    sid,
    ...(kind.old ? { domain_sid: domain.sid, uri: `${domainPath(domain)}/${kind.path}/${sid}.json` } : {}),
  };
}
