import { TwilioError } from '../base/errors.ts';

/** Checks of what a REST create says about SIP (contract §5.1: 21221–21229). */

const MAX_URI_CHARS = 255;
const MAX_HEADERS_CHARS = 1024;
const MAX_CREDENTIAL_CHARS = 255;
/** Characters without control characters and quotation marks: what fits into a quoted string of RFC 3261 as it is. */
const CREDENTIAL = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
const ADDRESS = /^sips?:[^\s<>"@]+@(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?(;[\w.~%=;-]*)?$/i;
/** RFC 3261 §25.1: token. */
const HEADER_NAME = /^[A-Za-z0-9.!%*_+`'~-]+$/;

/** Throws 21221–21224 (too long, characters), 21225 (one without the other). */
export function sipCredentials({ sipAuthUsername: username = '', sipAuthPassword: password = '' }: { sipAuthUsername?: string; sipAuthPassword?: string }): { username: string; password: string } | null {
  if (username === '' && password === '') return null;
  if (username.length > MAX_CREDENTIAL_CHARS) throw new TwilioError(21221, `'SipAuthUsername' must not be longer than ${MAX_CREDENTIAL_CHARS} characters.`);
  if (!CREDENTIAL.test(username)) throw new TwilioError(21222, "'SipAuthUsername' holds characters that are not allowed.");
  if (password.length > MAX_CREDENTIAL_CHARS) throw new TwilioError(21223, `'SipAuthPassword' must not be longer than ${MAX_CREDENTIAL_CHARS} characters.`);
  if (!CREDENTIAL.test(password)) throw new TwilioError(21224, "'SipAuthPassword' holds characters that are not allowed.");
  if (username === '' || password === '') throw new TwilioError(21225, "'SipAuthUsername' and 'SipAuthPassword' go together.");
  return { username, password };
}

/** `sip:user@host;transport=tcp?X-Name=value`, its scheme in lower case. Throws 21211 (address), 21227–21229 (headers). */
export function sipUri(to: string): string {
  const [address = '', ...rest] = to.split('?');
  if (!ADDRESS.test(address) || address.length > MAX_URI_CHARS) throw new TwilioError(21211, `'To' ${printable(to)} is not a valid SIP address.`);
  checkHeaders(rest.join('?'));
  return to.replace(/^sips?:/i, (scheme) => scheme.toLowerCase());
}

function checkHeaders(text: string): void {
  if (text.length > MAX_HEADERS_CHARS) throw new TwilioError(21227, `The headers of 'To' must not be longer than ${MAX_HEADERS_CHARS} characters.`);
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    const name = decoded(at < 0 ? pair : pair.slice(0, at));
    const value = decoded(at < 0 ? '' : pair.slice(at + 1));
    if (name === null || !HEADER_NAME.test(name)) throw new TwilioError(21228, "A header name of 'To' holds characters that are not allowed.");
    if (value === null || /[\x00-\x08\x0a-\x1f\x7f]/.test(value)) throw new TwilioError(21229, `The value of header ${name} of 'To' holds characters that are not allowed.`);
  }
}

/** Null for what is badly encoded. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function printable(text: string): string {
  return text.replace(/[\x00-\x1f\x7f]/g, '?').slice(0, MAX_URI_CHARS);
}
