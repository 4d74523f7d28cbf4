import { createHash, timingSafeEqual } from 'node:crypto';
import { TwilioError } from '../base/errors.ts';
import { parseSid } from '../base/sid.ts';
import type { AccountRecord, DirectoryRepository } from '../voice/model.ts';

/** Who signed in, and how. */
export interface SignIn {
  account: AccountRecord;
  /** The account's own token, or an API key. */
  by: 'token' | 'key';
}

/** Reads an Authorization header (contract §1). Throws 401/20003, or 403/20005 for an account that is not active. */
export function signIn(header: string | undefined, directory: DirectoryRepository): SignIn {
  const { user, password } = basic(header);
  const found = lookUp(user, directory);
  const expected = found?.secret ?? '';
  if (!sameText(password, expected) || !found || expected === '') throw unauthorized();
  if (found.account.status !== 'active') throw inactive();
  return { account: found.account, by: found.by };
}

/** The account a v2010 path names: the signed-in one or one that it owns. */
export function accountOfPath(text: string, { account }: SignIn, directory: DirectoryRepository): AccountRecord {
  const sid = parseSid('AC', text);
  const named = sid && directory.account(sid);
  if (!named || (named.sid !== account.sid && named.ownerAccountSid !== account.sid)) throw unauthorized();
  return named;
}

export function inactive(): TwilioError {
  return new TwilioError(20005, 'The account is not active', { status: 403 });
}

export function unauthorized(message = 'Authenticate'): TwilioError {
  return new TwilioError(20003, message, { status: 401 });
}

function lookUp(user: string, directory: DirectoryRepository): (SignIn & { secret: string }) | null {
  const accountSid = parseSid('AC', user);
  if (accountSid) {
    const account = directory.account(accountSid);
    return account && { account, by: 'token', secret: account.authToken };
  }
  const keySid = parseSid('SK', user);
  const key = keySid && directory.key(keySid);
  const account = key && directory.account(key.accountSid);
  return account ? { account, by: 'key', secret: key.secret } : null;
}

function basic(header: string | undefined): { user: string; password: string } {
  const encoded = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header ?? '')?.[1] ?? '';
  const plain = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = plain.indexOf(':');
  return colon < 0 ? { user: '', password: '' } : { user: plain.slice(0, colon), password: plain.slice(colon + 1) };
}

/** Takes the same time whatever differs. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
