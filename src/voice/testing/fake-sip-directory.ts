import type { AccountSid } from '../../base/sid.ts';
import type { SipCredentialListRecord, SipDirectory, SipDomainRecord, SipIpAclRecord } from '../model.ts';

/** SIP domains and lists that nobody writes down. */
export class FakeSipDirectory implements SipDirectory {
  readonly #domains = new Map<string, SipDomainRecord>();
  readonly #lists = new Map<string, SipCredentialListRecord>();
  readonly #acls = new Map<string, SipIpAclRecord>();
  domainByName = (name: string): SipDomainRecord | null => [...this.#domains.values()].find(({ domainName }) => domainName === name) ?? null;
  domain = (accountSid: AccountSid, sid: string): SipDomainRecord | null => owned(this.#domains, accountSid, sid);
  domains = (accountSid: AccountSid): SipDomainRecord[] => [...this.#domains.values()].filter((record) => record.accountSid === accountSid);
  saveDomain = (record: SipDomainRecord): Promise<void> => save(this.#domains, record);
  deleteDomain = (sid: string): Promise<void> => erase(this.#domains, sid);
  credentialList = (accountSid: AccountSid, sid: string): SipCredentialListRecord | null => owned(this.#lists, accountSid, sid);
  credentialLists = (): SipCredentialListRecord[] => [...this.#lists.values()];
  saveCredentialList = (record: SipCredentialListRecord): Promise<void> => save(this.#lists, record);
  deleteCredentialList = (sid: string): Promise<void> => erase(this.#lists, sid);
  ipAcl = (accountSid: AccountSid, sid: string): SipIpAclRecord | null => owned(this.#acls, accountSid, sid);
  ipAcls = (): SipIpAclRecord[] => [...this.#acls.values()];
  saveIpAcl = (record: SipIpAclRecord): Promise<void> => save(this.#acls, record);
  deleteIpAcl = (sid: string): Promise<void> => erase(this.#acls, sid);
}

function owned<R extends { accountSid: AccountSid }>(all: ReadonlyMap<string, R>, accountSid: AccountSid, sid: string): R | null {
  const record = all.get(sid);
  return record?.accountSid === accountSid ? record : null;
}

function save<R extends { sid: string }>(all: Map<string, R>, record: R): Promise<void> {
  all.set(record.sid, record);
  return Promise.resolve();
}

function erase<R>(all: Map<string, R>, sid: string): Promise<void> {
  all.delete(sid);
  return Promise.resolve();
}
