import { TwilioError } from '../../base/errors.ts';
import type { Form } from '../form.ts';

/** What resources of v2010 have in common. */

export const API_VERSION = '2010-04-01';

export function accountPath(accountSid: string): string {
  return `/${API_VERSION}/Accounts/${accountSid}`;
}

export function callPath(accountSid: string, callSid: string): string {
  return `${accountPath(accountSid)}/Calls/${callSid}`;
}

/** North American numbers as people write them, everything else as it is. */
export function formatted(text: string): string {
  const parts = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(text);
  return parts ? `(${parts[1]}) ${parts[2]}-${parts[3]}` : text;
}

const MAX_FRIENDLY_NAME_CHARS = 64;

/** FriendlyName where it was given. Throws 20002. */
export function friendlyName(form: Form): string | undefined {
  const name = form.text('FriendlyName');
  if (name !== undefined && [...name].length > MAX_FRIENDLY_NAME_CHARS) throw new TwilioError(20002, `FriendlyName must not be longer than ${MAX_FRIENDLY_NAME_CHARS} characters`);
  return name;
}

/** FriendlyName of what cannot be without one. Throws 20002. */
export function requiredName(form: Form): string {
  const name = friendlyName(form);
  if (name === undefined || name.trim() === '') throw new TwilioError(20002, 'FriendlyName is required');
  return name;
}
