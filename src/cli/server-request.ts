import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { StartupError, messageOf } from '../base/errors.ts';
import { readConfig } from '../config.ts';
import { loadCredentials } from '../credentials.ts';
import { bracket } from '../sip/message/uri.ts';

const REQUEST_TIMEOUT_MS = 10_000;

/** What the running server answers to `GET path`, signed in as its owner. `url`: null for the one of this machine's settings. Throws StartupError. */
export async function askServer(path: string, url: string | null): Promise<Record<string, unknown>> {
  const config = readConfig([], process.env);
  const base = url ?? `http://${bracket(/^(0\.0\.0\.0|::)$/.test(config.bindAddress) ? '127.0.0.1' : config.bindAddress)}:${config.httpPort}`;
  const { accountSid, authToken } = credentialsOf(config);
  let answer: Response;
  try {
    answer = await fetch(`${base.replace(/\/+$/, '')}${path}`, { headers: { authorization: `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}` }, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
  } catch (error) {
    throw new StartupError(`no server answers at ${base} (${messageOf(error)}): does it run, and is --url right?`);
  }
  const body = (await answer.json().catch(() => null)) as Record<string, unknown> | null;
  if (answer.ok && body !== null && typeof body === 'object') return body;
  throw new StartupError(`the server answers ${answer.status}${typeof body?.['message'] === 'string' ? `: ${body['message']}` : ''}`);
}

function credentialsOf(config: ReturnType<typeof readConfig>): { accountSid: string; authToken: string } {
  if (config.accountSid !== null && config.authToken !== null) return { accountSid: config.accountSid, authToken: config.authToken };
  if (!existsSync(join(config.dataDir, 'credentials.json'))) throw new StartupError(`${config.dataDir} holds no credentials: set PARTYLINE_DATA_DIR, or PARTYLINE_ACCOUNT_SID and PARTYLINE_AUTH_TOKEN`);
  return loadCredentials(config.dataDir, config).credentials;
}
