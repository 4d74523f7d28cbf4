import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { StartupError, messageOf } from './base/errors.ts';
import { newSid, parseSid, type AccountSid, type KeySid } from './base/sid.ts';

/** What a customer's app signs in with. Kept in `credentials.json` of the data folder, readable by its owner only. */
export interface Credentials {
  accountSid: AccountSid;
  authToken: string;
  apiKeySid: KeySid;
  apiKeySecret: string;
}

const sidOf = <P extends 'AC' | 'SK'>(prefix: P) =>
  z.string().transform((value, context) => {
    const sid = parseSid(prefix, value);
    if (!sid) context.addIssue({ code: 'custom', message: `is not an ${prefix} SID` });
    return sid ?? newSid(prefix);
  });

const fileShape = z.object({ accountSid: sidOf('AC'), authToken: z.string().min(16), apiKeySid: sidOf('SK'), apiKeySecret: z.string().min(16) });

/** What the configuration gives; the rest is made once and kept. */
export interface GivenCredentials {
  accountSid: string | null;
  authToken: string | null;
  apiKeySid: string | null;
  apiKeySecret: string | null;
}

/**
 * Credentials of this server: those given, else those of the data folder, else new ones. What was made is written before
 * it is returned. Throws StartupError when the folder cannot be written or the file is damaged.
 */
export function loadCredentials(dataDir: string, given: GivenCredentials): { credentials: Credentials; madeNow: boolean } {
  const path = join(dataDir, 'credentials.json');
  const kept = readKept(path);
  const base = kept ?? makeCredentials();
  if (!kept) keep(dataDir, path, base);
  const credentials: Credentials = {
    accountSid: (given.accountSid && parseSid('AC', given.accountSid)) || base.accountSid,
    authToken: given.authToken ?? base.authToken,
    apiKeySid: (given.apiKeySid && parseSid('SK', given.apiKeySid)) || base.apiKeySid,
    apiKeySecret: given.apiKeySecret ?? base.apiKeySecret,
  };
  return { credentials, madeNow: kept === null };
}

function makeCredentials(): Credentials {
  return { accountSid: newSid('AC'), authToken: randomBytes(16).toString('hex'), apiKeySid: newSid('SK'), apiKeySecret: randomBytes(24).toString('base64url') };
}

function readKept(path: string): Credentials | null {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new StartupError(`${path} cannot be read: ${messageOf(error)}`);
  }
  try {
    return fileShape.parse(JSON.parse(content));
  } catch {
    throw new StartupError(`${path} is damaged; mend it, or remove it to get new credentials`);
  }
}

function keep(dataDir: string, path: string, credentials: Credentials): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const draft = `${path}.${process.pid}.new`;
    writeFileSync(draft, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 });
    chmodSync(draft, 0o600);
    renameSync(draft, path);
  } catch (error) {
    throw new StartupError(`PARTYLINE_DATA_DIR ${dataDir} cannot be written: ${messageOf(error)}`);
  }
}
