import { TwilioError } from '../../base/errors.ts';
import { parseSid, type AccountSid } from '../../base/sid.ts';
import type { CompositionSettingsRecord } from '../../recording/composition/model.ts';
import type { ApiDeps } from '../deps.ts';
import type { Endpoints } from '../endpoint.ts';
import type { Form } from '../form.ts';

const MAX_NAME_CHARS = 100;
const MAX_URL_CHARS = 1024;

/** Where an account's compositions are stored (contract §7.8): on this server, in the clear. Everything else is refused with 53620. */
export function addCompositionSettings(endpoints: Endpoints, { compositionRepository }: ApiDeps): void {
  endpoints.add('/v1/CompositionSettings/Default', {
    GET: ({ account, origin }) => ({ status: 200, body: settingsBody(compositionRepository.settings(account.sid) ?? defaultsOf(account.sid), origin) }),
    POST: async ({ account, form, origin }) => {
      const record = settingsOf(account.sid, form);
      await compositionRepository.saveSettings(record);
      return { status: 200, body: settingsBody(record, origin) };
    },
  });
}

function settingsOf(accountSid: AccountSid, form: Form): CompositionSettingsRecord {
  const friendlyName = form.filled('FriendlyName') ?? '';
  if (friendlyName.trim() === '' || [...friendlyName].length > MAX_NAME_CHARS) throw new TwilioError(20001, `FriendlyName must have 1 to ${MAX_NAME_CHARS} characters`);
  if (form.boolean('AwsStorageEnabled') === true) throw new TwilioError(53620, 'AwsStorageEnabled: this server keeps compositions in its own data folder');
  if (form.boolean('EncryptionEnabled') === true) throw new TwilioError(53620, 'EncryptionEnabled: this server does not encrypt compositions');
  return {
    accountSid,
    friendlyName,
    awsCredentialsSid: credential(form, 'AwsCredentialsSid'),
    awsS3Url: url(form, 'AwsS3Url'),
    encryptionKeySid: credential(form, 'EncryptionKeySid'),
  };
}

function credential(form: Form, name: string): string | null {
  const text = form.filled(name);
  if (text === undefined) return null;
  const sid = parseSid('CR', text);
  if (!sid) throw new TwilioError(20001, `${name} is not the SID of a credential`);
  return sid;
}

function url(form: Form, name: string): string | null {
  const text = form.filled(name);
  if (text === undefined) return null;
  if (text.length > MAX_URL_CHARS || !URL.canParse(text) || new URL(text).protocol !== 'https:') throw new TwilioError(20001, `${name} is not a valid https URL`);
  return text;
}

function defaultsOf(accountSid: AccountSid): CompositionSettingsRecord {
  return { accountSid, friendlyName: 'Default', awsCredentialsSid: null, awsS3Url: null, encryptionKeySid: null };
}

function settingsBody(record: CompositionSettingsRecord, origin: string): object {
  return {
    account_sid: record.accountSid,
    friendly_name: record.friendlyName,
    aws_credentials_sid: record.awsCredentialsSid,
    aws_s3_url: record.awsS3Url,
    aws_storage_enabled: false,
    encryption_key_sid: record.encryptionKeySid,
    encryption_enabled: false,
    url: `${origin}/v1/CompositionSettings/Default`,
  };
}
