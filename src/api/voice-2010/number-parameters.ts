import { TwilioError } from '../../base/errors.ts';
import { parseSid, type AccountSid, type ApplicationSid } from '../../base/sid.ts';
import type { AccountRecord, DirectoryRepository, PhoneNumberRecord } from '../../voice/model.ts';
import type { Form } from '../form.ts';
import { friendlyName } from './resource.ts';
import { changedKept, changedUrls, checkApiVersion } from './voice-url-parameters.ts';

interface Context {
  form: Form;
  directory: Pick<DirectoryRepository, 'application' | 'account'>;
  /** Whose credentials the request came with. */
  signedIn: AccountRecord;
  nowMs: number;
}

/**
 * A number with what a create or an update gives; an empty value clears. Throws 21402 (URL), 21403 (method), 21405 and
 * 21406 (a fallback without a URL), 21420 (an application that is not the account's), 21470–21474 (a transfer), 20002
 * (name), 20001 for what cannot be read or is not built.
 */
export function changedNumber(before: PhoneNumberRecord, { form, directory, signedIn, nowMs }: Context): PhoneNumberRecord {
  checkApiVersion(form);
  refuseEmergency(form);
  const accountSid = changedOwner(before, { form, directory, signedIn });
  const moved = accountSid !== before.accountSid;
  return {
    ...before,
    ...changedUrls(before, form),
    ...changedHandler(moved ? { ...before, accountSid, voiceApplicationSid: null, trunkSid: null } : before, { form, directory }),
    accountSid,
    friendlyName: friendlyName(form) ?? before.friendlyName,
    voiceCallerIdLookup: form.boolean('VoiceCallerIdLookup') ?? before.voiceCallerIdLookup,
    voiceReceiveMode: form.oneOf('VoiceReceiveMode', ['voice', 'fax']) ?? before.voiceReceiveMode,
    kept: changedKept(before.kept, form),
    updatedAtMs: nowMs,
  };
}

/** Setting one of the two deletes the other (contract §6). */
function changedHandler(before: PhoneNumberRecord, { form, directory }: Pick<Context, 'form' | 'directory'>): Pick<PhoneNumberRecord, 'voiceApplicationSid' | 'trunkSid'> {
  const application = applicationSid(before.accountSid, { form, directory });
  const trunk = trunkSid(form);
  if (application && trunk) throw new TwilioError(20001, 'VoiceApplicationSid and TrunkSid exclude each other');
  if (application) return { voiceApplicationSid: application, trunkSid: null };
  if (trunk) return { voiceApplicationSid: null, trunkSid: trunk };
  return { voiceApplicationSid: application === undefined ? before.voiceApplicationSid : null, trunkSid: trunk === undefined ? before.trunkSid : null };
}

/** Undefined: not given; null: cleared. */
function applicationSid(accountSid: AccountSid, { form, directory }: Pick<Context, 'form' | 'directory'>): ApplicationSid | null | undefined {
  const text = form.text('VoiceApplicationSid')?.trim();
  if (text === undefined) return undefined;
  if (text === '') return null;
  const sid = parseSid('AP', text);
  if (!sid || !directory.application(accountSid, sid)) throw new TwilioError(21420, `VoiceApplicationSid ${text} is no application of this account`);
  return sid;
}

function trunkSid(form: Form): string | null | undefined {
  const text = form.text('TrunkSid')?.trim();
  if (text === undefined) return undefined;
  if (text === '') return null;
  if (!/^TK[0-9a-fA-F]{32}$/.test(text)) throw new TwilioError(20001, 'TrunkSid is not a SID (TK and 32 hexadecimal digits)');
  return text;
}

/** Numbers may change hands inside a family of accounts, by the hand of the owner. */
function changedOwner(before: PhoneNumberRecord, { form, directory, signedIn }: Omit<Context, 'nowMs'>): AccountSid {
  const text = form.filled('AccountSid')?.trim();
  if (text === undefined) return before.accountSid;
  const sid = parseSid('AC', text);
  if (!sid) throw new TwilioError(21470, `AccountSid ${text} is not valid`);
  if (sid === before.accountSid) return sid;
  const target = directory.account(sid);
  if (!target) throw new TwilioError(21471, `AccountSid ${text} does not exist`);
  if (target.ownerAccountSid !== signedIn.ownerAccountSid) throw new TwilioError(21473, `AccountSid ${text} is not related to the owner of this number`);
  if (signedIn.sid !== signedIn.ownerAccountSid) throw new TwilioError(21474, 'Only the owner of both accounts can move a number between them');
  if (target.status !== 'active') throw new TwilioError(21472, `AccountSid ${text} is not active`);
  return sid;
}

/** Nothing here can call for help: an application must not believe it. */
function refuseEmergency(form: Form): void {
  if (form.oneOf('EmergencyStatus', ['Active', 'Inactive']) === 'Active') throw new TwilioError(20001, 'EmergencyStatus Active is not supported: this server places no emergency calls');
  if (form.filled('EmergencyAddressSid') !== undefined) throw new TwilioError(20001, 'EmergencyAddressSid is not supported: this server places no emergency calls');
}
