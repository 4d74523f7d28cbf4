import { asc, like } from 'drizzle-orm';
import type { AccountSid, SipCredentialListSid, SipDomainSid, SipIpAclSid } from '../base/sid.ts';
import type { SipCredentialListRecord, SipDirectory, SipDomainRecord, SipIpAclRecord } from '../voice/model.ts';
import type { Database } from './database.ts';
import { directoryWriter } from './directory-writer.ts';
import { directory } from './schema.ts';
import { Shelf, type ShelfWriter } from './shelf.ts';
import type { WriteQueue } from './write-queue.ts';

/** SIP domains and their lists, as documents beside those of the directory: a list and what stands in it are one document. */
export class SipStore implements SipDirectory {
  readonly #domains: Shelf<SipDomainRecord>;
  readonly #credentialLists: Shelf<SipCredentialListRecord>;
  readonly #ipAcls: Shelf<SipIpAclRecord>;
  readonly #byName = new Map<string, SipDomainRecord>();

  private constructor(writer: ShelfWriter) {
    this.#domains = new Shelf('sip-domain', writer);
    this.#credentialLists = new Shelf('sip-credential-list', writer);
    this.#ipAcls = new Shelf('sip-ip-acl', writer);
  }

  static async load(db: Database, queue: WriteQueue): Promise<SipStore> {
    const store = new SipStore(directoryWriter(queue));
    for (const { kind, record } of await db.select().from(directory).where(like(directory.kind, 'sip-%')).orderBy(asc(directory.seq))) {
      if (kind === 'sip-domain') store.#keepDomain(record as unknown as SipDomainRecord);
      else if (kind === 'sip-credential-list') store.#credentialLists.keep(record as unknown as SipCredentialListRecord);
      else if (kind === 'sip-ip-acl') store.#ipAcls.keep(record as unknown as SipIpAclRecord);
    }
    return store;
  }

  domainByName(domainName: string): SipDomainRecord | null {
    return this.#byName.get(domainName) ?? null;
  }
  domain(accountSid: AccountSid, sid: SipDomainSid): SipDomainRecord | null {
    return this.#domains.get(accountSid, sid);
  }
  domains(accountSid: AccountSid): SipDomainRecord[] {
    return this.#domains.of(accountSid);
  }
  saveDomain(record: SipDomainRecord): Promise<void> {
    this.#forgetName(record.sid);
    this.#byName.set(record.domainName, record);
    return this.#domains.save(record);
  }
  deleteDomain(sid: SipDomainSid): Promise<void> {
    this.#forgetName(sid);
    return this.#domains.delete(sid);
  }

  credentialList(accountSid: AccountSid, sid: SipCredentialListSid): SipCredentialListRecord | null {
    return this.#credentialLists.get(accountSid, sid);
  }
  credentialLists(accountSid: AccountSid): SipCredentialListRecord[] {
    return this.#credentialLists.of(accountSid);
  }
  saveCredentialList(record: SipCredentialListRecord): Promise<void> {
    return this.#credentialLists.save(record);
  }
  deleteCredentialList(sid: SipCredentialListSid): Promise<void> {
    return this.#credentialLists.delete(sid);
  }

  ipAcl(accountSid: AccountSid, sid: SipIpAclSid): SipIpAclRecord | null {
    return this.#ipAcls.get(accountSid, sid);
  }
  ipAcls(accountSid: AccountSid): SipIpAclRecord[] {
    return this.#ipAcls.of(accountSid);
  }
  saveIpAcl(record: SipIpAclRecord): Promise<void> {
    return this.#ipAcls.save(record);
  }
  deleteIpAcl(sid: SipIpAclSid): Promise<void> {
    return this.#ipAcls.delete(sid);
  }

  #keepDomain(record: SipDomainRecord): void {
    this.#domains.keep(record);
    this.#byName.set(record.domainName, record);
  }

  /** A domain may be renamed. */
  #forgetName(sid: SipDomainSid): void {
    for (const [name, known] of this.#byName) if (known.sid === sid) this.#byName.delete(name);
  }
}
