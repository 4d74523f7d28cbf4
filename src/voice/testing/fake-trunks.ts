import type { AccountSid } from '../../base/sid.ts';
import type { ByocTrunkRecord, ConnectionPolicyRecord, TrunkRepository } from '../carrier/model.ts';

/** Trunks and policies that nobody writes down. */
export class FakeTrunkRepository implements TrunkRepository {
  readonly #trunks = new Map<string, ByocTrunkRecord>();
  readonly #policies = new Map<string, ConnectionPolicyRecord>();
  trunk = (accountSid: AccountSid, sid: string): ByocTrunkRecord | null => owned(this.#trunks.get(sid), accountSid);
  trunks = (accountSid: AccountSid): ByocTrunkRecord[] => this.allTrunks().filter((record) => record.accountSid === accountSid);
  allTrunks = (): ByocTrunkRecord[] => [...this.#trunks.values()].reverse();
  saveTrunk = (record: ByocTrunkRecord): Promise<void> => Promise.resolve(void this.#trunks.set(record.sid, record));
  deleteTrunk = (sid: string): Promise<void> => Promise.resolve(void this.#trunks.delete(sid));
  policy = (accountSid: AccountSid, sid: string): ConnectionPolicyRecord | null => owned(this.#policies.get(sid), accountSid);
  policies = (accountSid: AccountSid): ConnectionPolicyRecord[] => [...this.#policies.values()].filter((record) => record.accountSid === accountSid).reverse();
  savePolicy = (record: ConnectionPolicyRecord): Promise<void> => Promise.resolve(void this.#policies.set(record.sid, record));
  deletePolicy = (sid: string): Promise<void> => Promise.resolve(void this.#policies.delete(sid));
}

function owned<R extends { accountSid: AccountSid }>(record: R | undefined, accountSid: AccountSid): R | null {
  return record?.accountSid === accountSid ? record : null;
}
