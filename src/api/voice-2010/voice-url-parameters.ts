import { TwilioError } from '../../base/errors.ts';
import type { HttpMethod, KeptSettings, VoiceUrls } from '../../voice/model.ts';
import { resolveUrl } from '../../voice/webhook/target.ts';
import type { Form } from '../form.ts';
import { API_VERSION } from './resource.ts';

/** Parameters that numbers and applications have in common (contract §6). An empty value clears. */

/** Of what nobody has set up yet. */
export const NO_VOICE_URLS: Readonly<VoiceUrls> = {
  voiceUrl: null,
  voiceMethod: 'POST',
  voiceFallbackUrl: null,
  voiceFallbackMethod: 'POST',
  statusCallback: null,
  statusCallbackMethod: 'POST',
};

/** Throws 21402 (URL), 21403 (method), 21405 (a fallback without a URL). */
export function changedUrls(before: VoiceUrls, form: Form): VoiceUrls {
  const changed: VoiceUrls = {
    voiceUrl: url(form, 'VoiceUrl', before.voiceUrl),
    voiceMethod: method(form, 'VoiceMethod', before.voiceMethod),
    voiceFallbackUrl: url(form, 'VoiceFallbackUrl', before.voiceFallbackUrl),
    voiceFallbackMethod: method(form, 'VoiceFallbackMethod', before.voiceFallbackMethod),
    statusCallback: url(form, 'StatusCallback', before.statusCallback),
    statusCallbackMethod: method(form, 'StatusCallbackMethod', before.statusCallbackMethod),
  };
  if (changed.voiceFallbackUrl !== null && changed.voiceUrl === null) throw new TwilioError(21405, 'VoiceFallbackUrl needs a VoiceUrl');
  return changed;
}

/** What belongs to messaging and to regulation: kept and shown. Throws 21402, 21403, 21406 (a fallback without a URL), 20001 (a SID). */
export function changedKept(before: KeptSettings | undefined, form: Form): KeptSettings {
  const old: KeptSettings = before ?? {};
  const changed: Required<KeptSettings> = {
    smsUrl: url(form, 'SmsUrl', old.smsUrl ?? null),
    smsMethod: method(form, 'SmsMethod', old.smsMethod ?? 'POST'),
    smsFallbackUrl: url(form, 'SmsFallbackUrl', old.smsFallbackUrl ?? null),
    smsFallbackMethod: method(form, 'SmsFallbackMethod', old.smsFallbackMethod ?? 'POST'),
    smsStatusCallback: url(form, 'SmsStatusCallback', old.smsStatusCallback ?? null),
    messageStatusCallback: url(form, 'MessageStatusCallback', old.messageStatusCallback ?? null),
    smsApplicationSid: sid(form, { name: 'SmsApplicationSid', prefix: 'AP' }, old.smsApplicationSid),
    addressSid: sid(form, { name: 'AddressSid', prefix: 'AD' }, old.addressSid),
    identitySid: sid(form, { name: 'IdentitySid', prefix: 'RI' }, old.identitySid),
    bundleSid: sid(form, { name: 'BundleSid', prefix: 'BU' }, old.bundleSid),
  };
  if (changed.smsFallbackUrl !== null && changed.smsUrl === null) throw new TwilioError(21406, 'SmsFallbackUrl needs a SmsUrl');
  return changed;
}

/** There is one version of the API here. Throws 20001 for another. */
export function checkApiVersion(form: Form): void {
  const version = form.filled('ApiVersion');
  if (version !== undefined && version !== API_VERSION) throw new TwilioError(20001, `ApiVersion must be ${API_VERSION}`);
}

/** A URL that was given, null where it was cleared. Throws `code`. */
export function url(form: Form, name: string, before: string | null, code = 21402): string | null {
  const text = form.text(name)?.trim();
  if (text === undefined) return before;
  if (text === '') return null;
  if (resolveUrl(null, text) === null) throw new TwilioError(code, `${name} is not a valid http or https URL`);
  return text;
}

/** GET or POST. Throws 21403. */
export function method(form: Form, name: string, before: HttpMethod): HttpMethod {
  const text = form.filled(name)?.toUpperCase();
  if (text === undefined) return before;
  if (text !== 'GET' && text !== 'POST') throw new TwilioError(21403, `${name} must be GET or POST`);
  return text;
}

function sid(form: Form, { name, prefix }: { name: string; prefix: string }, before: string | null | undefined): string | null {
  const text = form.text(name)?.trim();
  if (text === undefined) return before ?? null;
  if (text === '') return null;
  if (!new RegExp(`^${prefix}[0-9a-fA-F]{32}$`).test(text)) throw new TwilioError(20001, `${name} is not a SID (${prefix} and 32 hexadecimal digits)`);
  return text;
}
