import { TwilioError } from '../../base/errors.ts';
import { newSid, type AccountSid, type HookSid } from '../../base/sid.ts';
import { compositionSpec } from './composition-parameters.ts';
import type { CompositionHooks, HookParameters } from './contract.ts';
import type { CompositionHookRecord, CompositionRepository } from './model.ts';

const MAX_NAME_CHARS = 100;
/** Of an account: each makes a composition of every room. */
const MAX_HOOKS = 100;

export function createCompositionHooks(deps: { repository: CompositionRepository; wallMs: () => number }): CompositionHooks {
  return new StoredHooks(deps.repository, deps.wallMs);
}

class StoredHooks implements CompositionHooks {
  readonly #repository: CompositionRepository;
  readonly #wallMs: () => number;

  constructor(repository: CompositionRepository, wallMs: () => number) {
    this.#repository = repository;
    this.#wallMs = wallMs;
  }

  async create(accountSid: AccountSid, hook: HookParameters): Promise<CompositionHookRecord> {
    if (this.#repository.hooks(accountSid).length >= MAX_HOOKS) throw new TwilioError(20001, `An account has at most ${MAX_HOOKS} composition hooks`);
    const record: CompositionHookRecord = { sid: newSid('HK'), accountSid, ...this.#checked(accountSid, hook, null), createdAtMs: this.#wallMs(), updatedAtMs: null };
    await this.#repository.saveHook(record);
    return record;
  }

  async update(accountSid: AccountSid, sid: HookSid, hook: HookParameters): Promise<CompositionHookRecord | null> {
    const kept = this.#repository.hook(accountSid, sid);
    if (!kept) return null;
    const record: CompositionHookRecord = { ...kept, ...this.#checked(accountSid, hook, sid), updatedAtMs: this.#wallMs() };
    await this.#repository.saveHook(record);
    return record;
  }

  #checked(accountSid: AccountSid, hook: HookParameters, own: HookSid | null): Pick<CompositionHookRecord, 'friendlyName' | 'enabled' | 'spec'> {
    const friendlyName = hook.friendlyName ?? '';
    if (friendlyName.trim() === '' || [...friendlyName].length > MAX_NAME_CHARS) throw new TwilioError(20001, `FriendlyName must have 1 to ${MAX_NAME_CHARS} characters`);
    if (this.#repository.hooks(accountSid).some((other) => other.friendlyName === friendlyName && other.sid !== own)) throw new TwilioError(20001, 'FriendlyName is the name of another composition hook');
    return { friendlyName, enabled: hook.enabled ?? true, spec: compositionSpec(hook) };
  }
}
