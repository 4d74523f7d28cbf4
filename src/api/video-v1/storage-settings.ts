import { TwilioError } from '../../base/errors.ts';
import { parseSid, type AccountSid } from '../../base/sid.ts';
import type { StorageSettings } from '../../recording/model.ts';
import type { Form } from '../form.ts';

const MAX_NAME_CHARS = 100;
const MAX_URL_CHARS = 1024;

/** What is stored, and the numbers of the refusals: all of it stays on this server, in the clear. */
export interface StorageRefusals {
  what: 'recordings' | 'compositions';
  storageCode: number;
  encryptionCode: number;
}

/** Throws TwilioError 20001, or with the given number for storage elsewhere and for encryption. */
export function readStorageSettings(accountSid: AccountSid, form: Form, { what, storageCode, encryptionCode }: StorageRefusals): StorageSettings {
  const friendlyName = form.filled('FriendlyName') ?? '';
  if (friendlyName.trim() === '' || [...friendlyName].length > MAX_NAME_CHARS) throw new TwilioError(20001, `FriendlyName must have 1 to ${MAX_NAME_CHARS} characters`);
  if (form.boolean('AwsStorageEnabled') === true) throw new TwilioError(storageCode, `AwsStorageEnabled: this server keeps ${what} in its own data folder`);
  if (form.boolean('EncryptionEnabled') === true) throw new TwilioError(encryptionCode, `EncryptionEnabled: this server does not encrypt ${what}`);
  return { accountSid, friendlyName, awsCredentialsSid: credential(form, 'AwsCredentialsSid'), awsS3Url: bucket(form), encryptionKeySid: credential(form, 'EncryptionKeySid') };
}

export function defaultStorageSettings(accountSid: AccountSid): StorageSettings {
  return { accountSid, friendlyName: 'Default', awsCredentialsSid: null, awsS3Url: null, encryptionKeySid: null };
}

export function storageSettingsBody(settings: StorageSettings, url: string): object {
  return {
    account_sid: settings.accountSid,
    friendly_name: settings.friendlyName,
    aws_credentials_sid: settings.awsCredentialsSid,
    aws_s3_url: settings.awsS3Url,
    aws_storage_enabled: false,
    encryption_key_sid: settings.encryptionKeySid,
    encryption_enabled: false,
    url,
  };
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
