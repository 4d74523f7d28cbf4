import { TwilioError } from '../../base/errors.ts';
import type { HttpMethod, PhoneNumberRecord } from '../../voice/model.ts';
import { resolveUrl } from '../../voice/webhook/target.ts';
import type { Form } from '../form.ts';
import { friendlyName } from './resource.ts';

/**
 * A number with what a create or an update gives; an empty URL clears it. Throws 21402 (URL), 21403 (method), 21405 (a
 * fallback without a URL), 20002 (name), 20001 for what is not built.
 */
export function changedNumber(before: PhoneNumberRecord, form: Form, nowMs: number): PhoneNumberRecord {
  refuseNotBuilt(form);
  const changed: PhoneNumberRecord = {
    ...before,
    friendlyName: friendlyName(form) ?? before.friendlyName,
    voiceUrl: url(form, 'VoiceUrl', before.voiceUrl),
    voiceMethod: method(form, 'VoiceMethod', before.voiceMethod),
    voiceFallbackUrl: url(form, 'VoiceFallbackUrl', before.voiceFallbackUrl),
    voiceFallbackMethod: method(form, 'VoiceFallbackMethod', before.voiceFallbackMethod),
    statusCallback: url(form, 'StatusCallback', before.statusCallback),
    statusCallbackMethod: method(form, 'StatusCallbackMethod', before.statusCallbackMethod),
    voiceCallerIdLookup: form.boolean('VoiceCallerIdLookup') ?? before.voiceCallerIdLookup,
    voiceReceiveMode: form.oneOf('VoiceReceiveMode', ['voice', 'fax']) ?? before.voiceReceiveMode,
    updatedAtMs: nowMs,
  };
  if (changed.voiceFallbackUrl !== null && changed.voiceUrl === null) throw new TwilioError(21405, 'VoiceFallbackUrl needs a VoiceUrl');
  return changed;
}

/** Both would take precedence over VoiceUrl, and calls would reach nobody: refused instead of kept. */
function refuseNotBuilt(form: Form): void {
  for (const name of ['VoiceApplicationSid', 'TrunkSid']) {
    if (form.filled(name) !== undefined) throw new TwilioError(20001, `${name} is not supported by this server yet: use VoiceUrl`);
  }
}

function url(form: Form, name: string, before: string | null): string | null {
  const text = form.text(name)?.trim();
  if (text === undefined) return before;
  if (text === '') return null;
  if (resolveUrl(null, text) === null) throw new TwilioError(21402, `${name} is not a valid http or https URL`);
  return text;
}

function method(form: Form, name: string, before: HttpMethod): HttpMethod {
  const text = form.filled(name)?.toUpperCase();
  if (text === undefined) return before;
  if (text !== 'GET' && text !== 'POST') throw new TwilioError(21403, `${name} must be GET or POST`);
  return text;
}
