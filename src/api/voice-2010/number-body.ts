import type { PhoneNumberRecord } from '../../voice/model.ts';
import { rfc2822 } from '../../base/dates.ts';
import { accountPath, API_VERSION } from './resource.ts';

/** IncomingPhoneNumber with every documented member (contract §6). What belongs to messaging and regulation is shown as it was given. */
export function numberBody(record: PhoneNumberRecord): object {
  const { kept } = record;
  return {
    account_sid: record.accountSid,
    address_sid: kept?.addressSid ?? null,
    address_requirements: 'none',
    api_version: API_VERSION,
    beta: false,
    capabilities: { voice: true, sms: false, mms: false, fax: false },
    date_created: rfc2822(record.createdAtMs),
    date_updated: rfc2822(record.updatedAtMs),
    friendly_name: record.friendlyName,
    identity_sid: kept?.identitySid ?? null,
    phone_number: record.phoneNumber,
    origin: 'hosted',
    sid: record.sid,
    sms_application_sid: kept?.smsApplicationSid ?? null,
    sms_fallback_method: kept?.smsFallbackMethod ?? 'POST',
    sms_fallback_url: kept?.smsFallbackUrl ?? null,
    sms_method: kept?.smsMethod ?? 'POST',
    sms_url: kept?.smsUrl ?? null,
    status_callback: record.statusCallback,
    status_callback_method: record.statusCallbackMethod,
    trunk_sid: record.trunkSid,
    uri: `${accountPath(record.accountSid)}/IncomingPhoneNumbers/${record.sid}.json`,
    voice_receive_mode: record.voiceReceiveMode,
    voice_application_sid: record.voiceApplicationSid,
    voice_caller_id_lookup: record.voiceCallerIdLookup,
    voice_fallback_method: record.voiceFallbackMethod,
    voice_fallback_url: record.voiceFallbackUrl,
    voice_method: record.voiceMethod,
    voice_url: record.voiceUrl,
    emergency_status: 'Inactive',
    emergency_address_sid: kept?.addressSid ?? null,
    emergency_address_status: 'unregistered',
    bundle_sid: kept?.bundleSid ?? null,
    status: 'in-use',
  };
}
