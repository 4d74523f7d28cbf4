import type { ApplicationSid } from '../../base/sid.ts';
import type { DirectoryRepository, PhoneNumberRecord, VoiceUrls } from '../model.ts';

export interface NumberUrls {
  urls: VoiceUrls;
  /** Which application they are of, for the webhook parameter ApplicationSid; null: the number's own. */
  applicationSid: ApplicationSid | null;
}

const NO_URLS: VoiceUrls = { voiceUrl: null, voiceMethod: 'POST', voiceFallbackUrl: null, voiceFallbackMethod: 'POST', statusCallback: null, statusCallbackMethod: 'POST' };

/**
 * Where calls to a number are answered: by its application when it has one, and then nothing of its own VoiceUrl and
 * VoiceFallbackUrl counts (contract §6). Its StatusCallback stands in where the application has none.
 */
export function urlsOfNumber(number: PhoneNumberRecord, directory: Pick<DirectoryRepository, 'application'>): NumberUrls {
  const { voiceApplicationSid: applicationSid, accountSid, statusCallback, statusCallbackMethod } = number;
  if (applicationSid === null) return { urls: number, applicationSid: null };
  const application = directory.application(accountSid, applicationSid) ?? NO_URLS;
  return { urls: application.statusCallback === null ? { ...application, statusCallback, statusCallbackMethod } : application, applicationSid };
}
