import { createHash } from 'node:crypto';
import { parseSid, type AccountSid, type ByocTrunkSid, type ConnectionPolicySid, type Sid, type SidPrefix } from '../../base/sid.ts';
import type { DirectoryRepository, SipDirectory } from '../model.ts';
import { DEFAULT_PRIORITY, DEFAULT_TRUNK_SETTINGS, DEFAULT_WEIGHT, type ByocTrunkRecord, type ConnectionPolicyRecord, type Trunk, type TrunkDirectory, type TrunkRepository } from './model.ts';

/** Trunks that a file describes: read-only for the REST API. */
export interface DescribedTrunk {
  trunk: ByocTrunkRecord;
  policy: ConnectionPolicyRecord;
}

/** All trunks: those of the REST API, those of the file, and PARTYLINE_CARRIER. What REST sees are the records of the first two. */
export interface Trunks extends TrunkDirectory, TrunkRepository {
  /** Whether the file describes a trunk or policy of this SID. */
  isDescribed(sid: string): boolean;
  /** Replaces what the file describes. */
  describe(trunks: readonly DescribedTrunk[]): void;
}

interface Sources {
  repository: TrunkRepository;
  sipDirectory: Pick<SipDirectory, 'domain'>;
  directory: Pick<DirectoryRepository, 'account'>;
  /** `sip:host:port` of PARTYLINE_CARRIER: a trunk of every account, with one target. */
  carrier: string | null;
}

const NO_URLS = { voiceUrl: null, voiceMethod: 'POST', voiceFallbackUrl: null, voiceFallbackMethod: 'POST', statusCallback: null, statusCallbackMethod: 'POST' } as const;

/** Joins what was described where. */
export function createTrunks(sources: Sources): Trunks {
  return new JoinedTrunks(sources);
}

/** A SID that is the same at every start, for what has no row of its own. */
export function derivedSid<P extends SidPrefix>(prefix: P, ...from: string[]): Sid<P> {
  return (prefix + createHash('sha256').update(JSON.stringify(from)).digest('hex').slice(0, 32)) as Sid<P>;
}

class JoinedTrunks implements Trunks {
  readonly #sources: Sources;
  readonly #carrier: Trunk | null;
  #described: readonly DescribedTrunk[] = [];
  readonly #listeners = new Set<() => void>();

  constructor(sources: Sources) {
    this.#sources = sources;
    this.#carrier = sources.carrier === null ? null : carrierTrunk(sources.carrier);
  }

  all(): Trunk[] {
    return [...this.allTrunks().map((record) => this.#join(record)), ...(this.#carrier ? [this.#carrier] : [])];
  }

  findTrunk(accountSid: AccountSid, text: string): Trunk | null {
    const sid = parseSid('BY', text);
    const record = sid && this.trunk(accountSid, sid);
    if (record) return this.#join(record);
    return this.#carrier?.sid === sid ? this.#carrier : null;
  }

  defaultTrunk(accountSid: AccountSid): Trunk | null {
    const record = this.trunks(accountSid).find(({ settings }) => settings?.isDefault);
    return record ? this.#join(record) : this.#carrier;
  }

  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  describe(trunks: readonly DescribedTrunk[]): void {
    this.#described = [...trunks];
    this.#changed();
  }

  isDescribed(sid: string): boolean {
    return this.#described.some(({ trunk, policy }) => trunk.sid === sid || policy.sid === sid);
  }

  trunk(accountSid: AccountSid, sid: ByocTrunkSid): ByocTrunkRecord | null {
    return this.#described.find(({ trunk }) => trunk.sid === sid && trunk.accountSid === accountSid)?.trunk ?? this.#sources.repository.trunk(accountSid, sid);
  }
  trunks(accountSid: AccountSid): ByocTrunkRecord[] {
    return this.allTrunks().filter((record) => record.accountSid === accountSid);
  }
  allTrunks(): ByocTrunkRecord[] {
    return [...this.#described.map(({ trunk }) => trunk), ...this.#sources.repository.allTrunks()];
  }
  async saveTrunk(record: ByocTrunkRecord): Promise<void> {
    await this.#after(this.#sources.repository.saveTrunk(record));
  }
  async deleteTrunk(sid: ByocTrunkSid): Promise<void> {
    await this.#after(this.#sources.repository.deleteTrunk(sid));
  }

  policy(accountSid: AccountSid, sid: ConnectionPolicySid): ConnectionPolicyRecord | null {
    return this.#described.find(({ policy }) => policy.sid === sid && policy.accountSid === accountSid)?.policy ?? this.#sources.repository.policy(accountSid, sid);
  }
  policies(accountSid: AccountSid): ConnectionPolicyRecord[] {
    const described = this.#described.map(({ policy }) => policy).filter((policy) => policy.accountSid === accountSid);
    return [...described, ...this.#sources.repository.policies(accountSid)];
  }
  async savePolicy(record: ConnectionPolicyRecord): Promise<void> {
    await this.#after(this.#sources.repository.savePolicy(record));
  }
  async deletePolicy(sid: ConnectionPolicySid): Promise<void> {
    await this.#after(this.#sources.repository.deletePolicy(sid));
  }

  async #after(written: Promise<void>): Promise<void> {
    this.#changed();
    await written;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #join(record: ByocTrunkRecord): Trunk {
    const { sid, accountSid, friendlyName, cnamLookupEnabled, connectionPolicySid, fromDomainSid } = record;
    const policy = connectionPolicySid === null ? null : this.policy(accountSid, connectionPolicySid);
    return {
      sid,
      accountSid,
      // The trunks file is the main account's too.
      ofOperator: this.#sources.directory.account(accountSid)?.ownerAccountSid === accountSid,
      name: friendlyName === '' ? sid : friendlyName,
      urls: record,
      cnamLookupEnabled,
      fromDomain: fromDomainSid === null ? null : (this.#sources.sipDirectory.domain(accountSid, fromDomainSid)?.domainName ?? null),
      targets: policy?.targets ?? [],
      settings: record.settings ?? DEFAULT_TRUNK_SETTINGS,
    };
  }
}

function carrierTrunk(carrier: string): Trunk {
  return {
    sid: derivedSid('BY', 'PARTYLINE_CARRIER', carrier),
    accountSid: null,
    ofOperator: true,
    name: 'PARTYLINE_CARRIER',
    urls: NO_URLS,
    cnamLookupEnabled: false,
    fromDomain: null,
    targets: [{ target: carrier, priority: DEFAULT_PRIORITY, weight: DEFAULT_WEIGHT, enabled: true }],
    settings: { ...DEFAULT_TRUNK_SETTINGS, isDefault: true, probeIntervalMs: null },
  };
}
