import { TwilioError } from '../../base/errors.ts';
import { parseSid, type AccountSid } from '../../base/sid.ts';
import type { RecordingSettingsRecord } from '../../recording/model.ts';
import type { ApiDeps } from '../deps.ts';
import type { Endpoints } from '../endpoint.ts';
import type { Form } from '../form.ts';

const MAX_NAME_CHARS = 100;
const MAX_URL_CHARS = 1024;

/**
 * Where an account's recordings are stored (contract §7.8): on this server, in the clear. Storage elsewhere is refused with
 * 53610, encryption with 53612.
 */
export function addRecordingSettings(endpoints: Endpoints, { roomRecordings: { repository } }: Pick<ApiDeps, 'roomRecordings'>): void {
  endpoints.add('/v1/RecordingSettings/Default', {
    GET: async ({ account, origin }) => ({ status: 200, body: settingsBody((await repository.findSettings(account.sid)) ?? defaultsOf(account.sid), origin) }),
    POST: ({ account, form, origin }) => {
      const record = settingsOf(account.sid, form);
      repository.saveSettings(record);
      return { status: 200, body: settingsBody(record, origin) };
    },
  });
}

function settingsOf(accountSid: AccountSid, form: Form): RecordingSettingsRecord {
  const friendlyName = form.filled('FriendlyName') ?? '';
  if (friendlyName.trim() === '' || [...friendlyName].length > MAX_NAME_CHARS) throw new TwilioError(20001, `FriendlyName must have 1 to ${MAX_NAME_CHARS} characters`);
  if (form.boolean('AwsStorageEnabled') === true) throw new TwilioError(53610, 'AwsStorageEnabled: this server keeps recordings in its own data folder');
  if (form.boolean('EncryptionEnabled') === true) throw new TwilioError(53612, 'EncryptionEnabled: this server does not encrypt recordings');
  return { accountSid, friendlyName, awsCredentialsSid: credential(form, 'AwsCredentialsSid'), awsS3Url: bucket(form), encryptionKeySid: credential(form, 'EncryptionKeySid') };
}

function credential(form: Form, name: string): string | null {
  const text = form.filled(name);
  const sid = text === undefined ? null : parseSid('CR', text);
  if (text !== undefined && sid === null) throw new TwilioError(20001, `${name} is not the SID of a credential`);
  return sid;
}

function bucket(form: Form): string | null {
  const text = form.filled('AwsS3Url');
  if (text === undefined) return null;
  if (text.length > MAX_URL_CHARS || !URL.canParse(text) || new URL(text).protocol !== 'https:') throw new TwilioError(20001, 'AwsS3Url is not a valid https URL');
  return text;
}

function defaultsOf(accountSid: AccountSid): RecordingSettingsRecord {
  return { accountSid, friendlyName: 'Default', awsCredentialsSid: null, awsS3Url: null, encryptionKeySid: null };
}

function settingsBody(record: RecordingSettingsRecord, origin: string): object {
  return {
    account_sid: record.accountSid,
    friendly_name: record.friendlyName,
    aws_credentials_sid: record.awsCredentialsSid,
    aws_s3_url: record.awsS3Url,
    aws_storage_enabled: false,
    encryption_key_sid: record.encryptionKeySid,
    encryption_enabled: false,
    url: `${origin}/v1/RecordingSettings/Default`,
  };
}
