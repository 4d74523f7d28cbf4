import type { ApiDeps } from '../deps.ts';
import type { Endpoints } from '../endpoint.ts';
import { defaultStorageSettings, readStorageSettings, storageSettingsBody, type StorageRefusals } from './storage-settings.ts';

const PATH = '/v1/CompositionSettings/Default';
const REFUSALS: StorageRefusals = { what: 'compositions', storageCode: 53620, encryptionCode: 53620 };

/** Where an account's compositions are stored (contract §7.8): on this server, in the clear. Everything else is refused with 53620. */
export function addCompositionSettings(endpoints: Endpoints, { compositionRepository }: ApiDeps): void {
  endpoints.add(PATH, {
    GET: ({ account, origin }) => ({ status: 200, body: storageSettingsBody(compositionRepository.settings(account.sid) ?? defaultStorageSettings(account.sid), `${origin}${PATH}`) }),
    POST: async ({ account, form, origin }) => {
      const record = readStorageSettings(account.sid, form, REFUSALS);
      await compositionRepository.saveSettings(record);
      return { status: 200, body: storageSettingsBody(record, `${origin}${PATH}`) };
    },
  });
}
