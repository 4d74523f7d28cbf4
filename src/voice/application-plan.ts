import { TwilioError } from '../base/errors.ts';
import { parseSid, type AccountSid, type ApplicationSid } from '../base/sid.ts';
import type { CallEvent, DirectoryRepository, HttpMethod } from './model.ts';
import type { DocumentSource } from './twiml/document-loader.ts';

/** What an application says about a call that names it. */
export interface ApplicationPlan {
  applicationSid: ApplicationSid;
  source: DocumentSource;
  fallback: { url: string; method: HttpMethod } | null;
  statusCallback: { url: string; method: HttpMethod; events: CallEvent[] } | null;
}

/**
 * The plan of a call's ApplicationSid: all its URLs are the application's, those of the request are ignored (contract §5.1).
 * Throws 21218 for an application that is not there, not this account's, or without a VoiceUrl.
 */
export function planOfApplication(text: string, { accountSid, directory }: { accountSid: AccountSid; directory: Pick<DirectoryRepository, 'application'> }): ApplicationPlan {
  const sid = parseSid('AP', text.trim());
  const application = sid && directory.application(accountSid, sid);
  if (!application) throw new TwilioError(21218, `ApplicationSid '${text}' is no application of this account.`);
  const { voiceUrl, voiceMethod, voiceFallbackUrl, voiceFallbackMethod, statusCallback, statusCallbackMethod } = application;
  if (voiceUrl === null) throw new TwilioError(21218, `ApplicationSid '${text}' has no VoiceUrl.`);
  return {
    applicationSid: application.sid,
    source: { kind: 'url', url: voiceUrl, method: voiceMethod },
    fallback: voiceFallbackUrl === null ? null : { url: voiceFallbackUrl, method: voiceFallbackMethod },
    statusCallback: statusCallback === null ? null : { url: statusCallback, method: statusCallbackMethod, events: ['completed'] },
  };
}
