import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { createPrompts, PromptError, type Prompts } from './prompts.ts';
import { createWebhookClient, type WebhookClient } from './webhook/client.ts';

let dir: string;
let server: Server;
let base: string;
let seen: { url: string; headers: IncomingHttpHeaders }[];
let answer: (response: ServerResponse, headers: IncomingHttpHeaders) => void;
let client: WebhookClient;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'partyline-prompts-'));
  seen = [];
  server = createServer((request, response) => {
    seen.push({ url: request.url ?? '', headers: request.headers });
    answer(response, request.headers);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = createWebhookClient({ clock: systemClock, log: silentLog, product: 'Partyline' });
});

afterEach(async () => {
  await client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true, force: true });
});

const prompts = (maxCacheBytes?: number): Prompts => createPrompts({ cacheDir: dir, ...(maxCacheBytes === undefined ? {} : { maxCacheBytes }) }, { client, log: silentLog, clock: systemClock });
const serve = (text: string, contentType = 'audio/wav') => (response: ServerResponse, headers: IncomingHttpHeaders): void => {
  if (headers['if-none-match'] === '"v1"') response.writeHead(304).end();
  else response.writeHead(200, { 'content-type': contentType, etag: '"v1"' }).end(text);
};
const refusal = async (path: string): Promise<number> => {
  try {
    await prompts().fetch({ url: base + path, authToken: 'x' });
  } catch (error) {
    if (error instanceof PromptError) return error.errorCode;
  }
  return 0;
};

describe('a prompt', () => {
  it('is asked for without parameters, kept, and revalidated by its ETag', async () => {
    answer = serve('sound');
    const first = await prompts().fetch({ url: `${base}/a.wav`, authToken: 'x' });
    const again = await prompts().fetch({ url: `${base}/a.wav`, authToken: 'x' });
    expect(readFileSync(first.path, 'utf8')).toBe('sound');
    expect(again).toEqual({ path: first.path, contentType: 'audio/wav' });
    expect(seen.map(({ url, headers }) => [url, headers['if-none-match']])).toEqual([['/a.wav', undefined], ['/a.wav', '"v1"']]);
    expect(seen[0]?.headers['x-twilio-signature']).toBeDefined();
  });

  it('whose file is gone is fetched anew, though the web server would say 304', async () => {
    answer = serve('sound');
    const { path } = await prompts().fetch({ url: `${base}/a.wav`, authToken: 'x' });
    rmSync(path);
    expect(readFileSync((await prompts().fetch({ url: `${base}/a.wav`, authToken: 'x' })).path, 'utf8')).toBe('sound');
    expect(seen.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, undefined]);
  });

  it('whose file goes while it is revalidated is fetched anew as well', async () => {
    answer = serve('sound');
    const { path } = await prompts().fetch({ url: `${base}/a.wav`, authToken: 'x' });
    answer = (response, headers) => {
      rmSync(path, { force: true });
      serve('sound again')(response, headers);
    };
    const again = await prompts().fetch({ url: `${base}/a.wav`, authToken: 'x' });
    expect(again).toEqual({ path, contentType: 'audio/wav' });
    expect(seen.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"v1"', undefined]);
  });

  it('is deleted when others need the room', async () => {
    answer = serve('x'.repeat(60));
    const shelf = prompts(100);
    const first = await shelf.fetch({ url: `${base}/a.wav`, authToken: 'x' });
    const second = await shelf.fetch({ url: `${base}/b.wav`, authToken: 'x' });
    expect(readdirSync(dir).filter((name) => name.endsWith('.audio')).map((name) => join(dir, name))).toEqual([second.path]);
    expect(first.path).not.toBe(second.path);
  });

  it('that is no audio, or none that can be played, or not there, fails with its number', async () => {
    answer = serve('<html>', 'text/html');
    expect(await refusal('/x')).toBe(12300);
    answer = serve('x', 'audio/ogg');
    expect(await refusal('/x')).toBe(12300);
    answer = (response) => response.writeHead(404).end();
    expect(await refusal('/x')).toBe(11200);
  });

  it('that came in the place of TwiML is kept as it came', async () => {
    const { path, contentType } = await prompts().keep({ contentType: 'Audio/Wav; x=y', body: Buffer.from('sound') });
    expect([readFileSync(path, 'utf8'), contentType, seen]).toEqual(['sound', 'audio/wav', []]);
    await expect(prompts().keep({ contentType: 'audio/ogg', body: Buffer.from('sound') })).rejects.toMatchObject({ errorCode: 12300 });
  });

  it('of more than 50 MB is 13420', async () => {
    answer = (response) => {
      response.writeHead(200, { 'content-type': 'audio/wav' });
      const piece = Buffer.alloc(1024 * 1024);
      const more = (left: number): void => void (left === 0 ? response.end() : response.write(piece, () => more(left - 1)));
      more(51);
    };
    expect(await refusal('/long.wav')).toBe(13420);
    expect(readdirSync(dir)).toEqual([]);
  });
});
