import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { CacheFolder } from './cache-folder.ts';
import type { CookieJar, WebhookAnswer, WebhookClient } from './webhook/client.ts';

/** A file of `<Play>` that could not be had. */
export class PromptError extends Error {
  override readonly name = 'PromptError';
  readonly errorCode: number;
  constructor(errorCode: number, message: string) {
    super(message);
    this.errorCode = errorCode;
  }
}

export interface Prompts {
  /** The file, revalidated by ETag or Last-Modified when it was fetched before. Rejects with PromptError. */
  fetch(options: { url: string; authToken: string; cookies?: CookieJar; signal?: AbortSignal }): Promise<{ path: string; contentType: string }>;
  /** The sound that came in the place of TwiML, as a file. Rejects with PromptError. */
  keep(answer: PromptAnswer): Promise<{ path: string; contentType: string }>;
}

interface PromptAnswer {
  contentType: string | null;
  body: Uint8Array;
}

interface Kept {
  contentType: string;
  etag: string | null;
  lastModified: string | null;
}

/** The largest file that is played. */
export const MAX_PROMPT_BYTES = 50 * 1024 * 1024;
const TOO_LARGE = `the file is larger than ${MAX_PROMPT_BYTES} bytes`;
const WAV_TYPES = ['audio/wav', 'audio/wave', 'audio/x-wav', 'audio/vnd.wave'];
const ULAW_TYPES = ['audio/basic', 'audio/ulaw', 'audio/x-ulaw', 'audio/pcmu'];
const PLAYABLE = [...WAV_TYPES, ...ULAW_TYPES, 'audio/mpeg', 'audio/mp3', 'audio/aiff', 'audio/x-aiff', 'audio/x-aifc', 'audio/gsm', 'audio/x-gsm'];

/** Prompts kept from the web; they are fetched anew when they are gone. */
const CACHE_BYTES = 1024 * 1024 * 1024;

export function createPrompts(options: { cacheDir: string; maxCacheBytes?: number }, deps: { client: WebhookClient; log: Log; clock: Clock }): Prompts {
  const folder = new CacheFolder({ dir: options.cacheDir, maxBytes: options.maxCacheBytes ?? CACHE_BYTES }, deps.log);
  return {
    async fetch(wanted) {
      const entry = createHash('sha256').update(wanted.url).digest('hex');
      const base = join(options.cacheDir, entry);
      const kept = await readKept(base);
      const answer = await ask(wanted, kept, deps.client);
      if (kept && answer.statusCode === 304) {
        await folder.used(entry);
        if (await exists(`${base}.audio`)) return { path: `${base}.audio`, contentType: kept.contentType };
      }
      return await keepAnswer(answer.statusCode === 304 ? await ask(wanted, null, deps.client) : answer, { base, entry, folder, clock: deps.clock });
    },
    async keep({ contentType, body }) {
      const entry = createHash('sha256').update(body).digest('hex');
      return await keepFile({ contentType, body, headers: {} }, { base: join(options.cacheDir, entry), entry, folder, clock: deps.clock });
    },
  };
}

type Wanted = Parameters<Prompts['fetch']>[0];

async function ask({ url, authToken, cookies, signal }: Wanted, kept: Kept | null, client: WebhookClient): Promise<WebhookAnswer> {
  return await client.request({ url, method: 'GET', parameters: [], authToken, accept: 'audio/*', maxBodyBytes: MAX_PROMPT_BYTES + 1, headers: conditions(kept), ...(cookies ? { cookies } : {}), ...(signal ? { signal } : {}) });
}

interface Place {
  base: string;
  entry: string;
  folder: CacheFolder;
  clock: Clock;
}

async function keepAnswer(answer: WebhookAnswer, place: Place): Promise<{ path: string; contentType: string }> {
  // Too long an answer is 11750 to the client, whatever it holds; of a prompt it is this.
  if (!answer.ok && answer.errorCode === 11750) throw new PromptError(13420, TOO_LARGE);
  if (!answer.ok) throw new PromptError(answer.errorCode, answer.message);
  return await keepFile(answer, place);
}

type Sound = PromptAnswer & { headers: Readonly<Record<string, string>> };

async function keepFile(sound: Sound, { base, entry, folder, clock }: Place): Promise<{ path: string; contentType: string }> {
  const contentType = playableType(sound);
  try {
    await write(base, { sound, contentType, dir: folder.dir, at: clock.nowMs() });
  } catch (error) {
    throw new PromptError(12400, `the file cannot be kept: ${messageOf(error)}`);
  }
  await folder.used(entry, sound.body.length);
  return { path: `${base}.audio`, contentType };
}

function playableType(sound: PromptAnswer): string {
  if (sound.body.length > MAX_PROMPT_BYTES) throw new PromptError(13420, TOO_LARGE);
  const type = sound.contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (PLAYABLE.includes(type)) return type;
  throw new PromptError(12300, type === '' ? 'the file has no Content-Type' : `${type} is no audio that can be played`);
}

function conditions(kept: Kept | null): Record<string, string> {
  return { ...(kept?.etag ? { 'if-none-match': kept.etag } : {}), ...(kept?.lastModified ? { 'if-modified-since': kept.lastModified } : {}) };
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(() => true, () => false);
}

/** Null without the file itself: there is nothing to revalidate then. */
async function readKept(base: string): Promise<Kept | null> {
  if (!(await exists(`${base}.audio`))) return null;
  try {
    const kept = JSON.parse(await readFile(`${base}.json`, 'utf8')) as Partial<Kept>;
    return typeof kept.contentType === 'string' ? { contentType: kept.contentType, etag: kept.etag ?? null, lastModified: kept.lastModified ?? null } : null;
  } catch {
    return null;
  }
}

/** Whole files only: written beside and renamed, so that a call that plays the old one keeps it. */
async function write(base: string, { sound, contentType, dir, at }: { sound: Sound; contentType: string; dir: string; at: number }): Promise<void> {
  await mkdir(dir, { recursive: true });
  const part = `${base}.${process.pid}.${Math.round(at * 1000)}.part`;
  try {
    await writeFile(part, sound.body);
    await rename(part, `${base}.audio`);
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined);
    throw error;
  }
  const kept: Kept = { contentType, etag: sound.headers['etag'] ?? null, lastModified: sound.headers['last-modified'] ?? null };
  await writeFile(`${base}.json`, JSON.stringify(kept));
}
