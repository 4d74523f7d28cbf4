import type { ApiDeps } from '../deps.ts';
import type { Endpoints } from '../endpoint.ts';
import { defaultStorageSettings, readStorageSettings, storageSettingsBody, type StorageRefusals } from './storage-settings.ts';

const PATH = '/v1/RecordingSettings/Default';
const REFUSALS: StorageRefusals = { what: 'recordings', storageCode: 53610, encryptionCode: 53612 };

/**
 * Where an account's recordings are stored (contract §7.8): on this server, in the clear. Storage elsewhere is refused with
 * 53610, encryption with 53612.
 */
export function addRecordingSettings(endpoints: Endpoints, { roomRecordings: { repository } }: Pick<ApiDeps, 'roomRecordings'>): void {
  endpoints.add(PATH, {
    GET: async ({ account, origin }) => ({ status: 200, body: storageSettingsBody((await repository.findSettings(account.sid)) ?? defaultStorageSettings(account.sid), `${origin}${PATH}`) }),
    POST: ({ account, form, origin }) => {
      const record = readStorageSettings(account.sid, form, REFUSALS);
      repository.saveSettings(record);
      return { status: 200, body: storageSettingsBody(record, `${origin}${PATH}`) };
    },
  });
}
