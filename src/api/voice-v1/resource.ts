import { TwilioError } from '../../base/errors.ts';
import { parseSid, type Sid, type SidPrefix } from '../../base/sid.ts';
import type { Form } from '../form.ts';

/** What resources of Twilio's Voice v1 have in common. */

const MAX_FRIENDLY_NAME_CHARS = 255;

/** FriendlyName where it was given. Throws 20002. */
export function friendlyName(form: Form): string | undefined {
  const name = form.text('FriendlyName');
  if (name !== undefined && [...name].length > MAX_FRIENDLY_NAME_CHARS) throw new TwilioError(20002, `FriendlyName must not be longer than ${MAX_FRIENDLY_NAME_CHARS} characters`);
  return name;
}

/** A trunk or policy of the trunks file is changed there and nowhere else. Throws 20001. */
export function refuseDescribed(sid: string, trunks: { isDescribed(sid: string): boolean }): void {
  if (trunks.isDescribed(sid)) throw new TwilioError(20001, `${sid} is described by the trunks file (PARTYLINE_TRUNKS_FILE): change it there`);
}

/** A SID of something that the account has; an empty value clears. Throws 20001. */
export function sidOf<P extends SidPrefix>(form: Form, { name, prefix, before, exists }: { name: string; prefix: P; before: Sid<P> | null; exists: (sid: Sid<P>) => boolean }): Sid<P> | null {
  const text = form.text(name)?.trim();
  if (text === undefined) return before;
  if (text === '') return null;
  const sid = parseSid(prefix, text);
  if (!sid || !exists(sid)) throw new TwilioError(20001, `${name} ${text.slice(0, 40)} is none of this account`);
  return sid;
}
