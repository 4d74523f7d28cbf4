import { randomUUID } from 'node:crypto';
import { CookieJar } from 'tough-cookie';
import type { Dispatcher } from 'undici';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { HttpMethod } from '../model.ts';
import { ConnectionPools } from './connectors.ts';
import { failureOf, type RequestFailure } from './failure.ts';
import { ALLOW_ALL, type NetworkPolicy } from './network-policy.ts';
import { signRequest } from './signature.ts';
import { targetOf, type Target } from './target.ts';

export { resolveUrl } from './target.ts';
export type { CookieJar } from 'tough-cookie';

export interface WebhookRequest {
  url: string;
  method: HttpMethod;
  /** Form body of a POST, appended to the query of a GET. */
  parameters: readonly (readonly [name: string, value: string])[];
  /** Signs the request; never sent. */
  authToken: string;
  /** Those of the call: what one document sets, the next request returns. */
  cookies?: CookieJar;
  headers?: Readonly<Record<string, string>>;
  /** Accept header. Default: anything. */
  accept?: string;
  /** Aborts the request: the answer is `aborted`. */
  signal?: AbortSignal;
  /** The answer's body may not be longer. Default 65536 + 1: one byte more than TwiML may have. */
  maxBodyBytes?: number;
  /** The same for an answer that is audio. Default: `maxBodyBytes`. */
  maxAudioBytes?: number;
  /** Longest time in all. Default: what the URL's overrides say, 15000 at most. */
  timeoutMs?: number;
}

interface Answered {
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
  /** After redirects. */
  url: string;
  durationMs: number;
}

export type WebhookAnswer =
  | (Answered & { ok: true; statusCode: number; contentType: string | null })
  /** No answer, or none with a 2xx status. `errorCode` by contract §3.5. */
  | (Answered & { ok: false; errorCode: number; message: string; statusCode: number | null; aborted: boolean });

/** The one door to customers' HTTP servers. */
export interface WebhookClient {
  /** Never rejects. */
  request(request: WebhookRequest): Promise<WebhookAnswer>;
  close(): Promise<void>;
}

const MAX_REDIRECTS = 10;
const MAX_TOTAL_MS = 15_000;
const DEFAULT_MAX_BODY_BYTES = 64 * 1024 + 1;
const DEFAULT_MAX_HELD_BYTES = 256 * 1024 * 1024;

/** A jar for one call. */
export function createCookieJar(): CookieJar {
  return new CookieJar(undefined, { rejectPublicSuffixes: false, looseMode: true });
}

export interface WebhookClientDeps {
  clock: Clock;
  log: Log;
  product: string;
  /** Where requests may go. Default: anywhere. */
  policy?: NetworkPolicy;
  /** URLs that the policy does not apply to: pages of this server. */
  ownUrls?: () => readonly string[];
  /** PEM certificates trusted instead of the system's authorities. */
  authorities?: string[];
  /** Answers on their way may take so much memory together; a large one more is refused (11200), documents never. Default 256 MiB. */
  maxHeldBytes?: number;
}

export function createWebhookClient(deps: WebhookClientDeps): WebhookClient {
  return new UndiciWebhookClient(deps);
}

interface Attempt extends WebhookRequest {
  target: Target;
  idempotencyToken: string;
  signal: AbortSignal;
}

interface RawAnswer {
  statusCode: number;
  headers: Record<string, string>;
  setCookies: string[];
  body: Uint8Array;
}

/** A failure inside the exchange that has its number already. */
class ExchangeError extends Error {
  readonly failure: RequestFailure;
  constructor(failure: RequestFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

class UndiciWebhookClient implements WebhookClient {
  readonly #clock: Clock;
  readonly #product: string;
  readonly #policy: NetworkPolicy;
  readonly #ownUrls: () => readonly string[];
  readonly #pools: ConnectionPools;
  readonly #memory: Memory;

  constructor({ clock, product, policy = ALLOW_ALL, ownUrls = () => [], authorities, maxHeldBytes = DEFAULT_MAX_HELD_BYTES }: WebhookClientDeps) {
    this.#memory = { heldBytes: 0, maxBytes: maxHeldBytes };
    this.#clock = clock;
    this.#product = product;
    this.#policy = policy;
    this.#ownUrls = ownUrls;
    this.#pools = new ConnectionPools(clock, authorities);
  }

  async request(request: WebhookRequest): Promise<WebhookAnswer> {
    const startedMs = this.#clock.nowMs();
    const target = targetOf(request.url);
    const end = { url: request.url, durationMs: () => this.#clock.nowMs() - startedMs };
    if (!target) return failed({ errorCode: 11100, message: `'${request.url.slice(0, 200)}' is no http or https URL`, kind: 'other' }, end);
    const deadline = new AbortController();
    const timeoutMs = request.timeoutMs ?? Math.min(target.overrides.totalTimeoutMs, MAX_TOTAL_MS);
    const timer = this.#clock.after(timeoutMs, () => deadline.abort());
    const signal = request.signal ? AbortSignal.any([request.signal, deadline.signal]) : deadline.signal;
    try {
      return await this.#withRetries({ ...request, target, signal, idempotencyToken: randomUUID() }, end);
    } catch (error) {
      if (request.signal?.aborted) return { ...failed({ errorCode: 11200, message: 'the request was given up', kind: 'other' }, end), aborted: true };
      if (deadline.signal.aborted) return failed({ errorCode: 11205, message: `no answer within ${timeoutMs} ms`, kind: 'rt' }, end);
      return failed(error instanceof ExchangeError ? error.failure : failureOf(error), end);
    } finally {
      timer.cancel();
    }
  }

  async #withRetries(attempt: Attempt, end: Ending): Promise<WebhookAnswer> {
    const { retries, retryOn } = attempt.target.overrides;
    for (let tried = 0; ; tried++) {
      try {
        const answer = await this.#followRedirects(attempt, end);
        if (answer.ok || tried >= retries || !worthRetrying(`${Math.floor((answer.statusCode ?? 0) / 100)}xx`, retryOn)) return answer;
      } catch (error) {
        const failure = error instanceof ExchangeError ? error.failure : failureOf(error);
        if (attempt.signal.aborted || tried >= retries || !worthRetrying(failure.kind, retryOn)) throw error;
      }
    }
  }

  async #followRedirects(first: Attempt, end: Ending): Promise<WebhookAnswer> {
    let attempt = first;
    for (let redirects = 0; ; redirects++) {
      const raw = await this.#exchange(attempt);
      const next = raw.statusCode >= 300 && raw.statusCode < 400 && raw.statusCode !== 304 ? redirected(attempt, raw) : null;
      if (!next) return answered(raw, { ...end, url: attempt.url });
      if (redirects >= MAX_REDIRECTS) throw new ExchangeError({ errorCode: 11215, message: `more than ${MAX_REDIRECTS} redirects`, kind: 'never' });
      attempt = next;
    }
  }

  async #exchange(attempt: Attempt): Promise<RawAnswer> {
    const { target, cookies } = attempt;
    const { path, signedUrl, body } = bodyOf(attempt);
    const cookie = cookies ? cookies.getCookieStringSync(target.origin + target.path) : '';
    const headers: Record<string, string> = {
      'user-agent': this.#product,
      accept: attempt.accept ?? '*/*',
      'x-twilio-signature': signRequest({ url: signedUrl, parameters: body === null ? [] : attempt.parameters, authToken: attempt.authToken }),
      'i-twilio-idempotency-token': attempt.idempotencyToken,
      ...(body === null ? {} : { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }),
      ...(target.authorization ? { authorization: target.authorization } : {}),
      ...(cookie === '' ? {} : { cookie }),
      ...attempt.headers,
    };
    const { readTimeoutMs, connectTimeoutMs, serverName } = target.overrides;
    const policy = this.#ownUrls().includes(attempt.url) ? ALLOW_ALL : this.#policy;
    const response = await this.#pools.for({ connectTimeoutMs, serverName, policy }).request({
      origin: target.origin,
      path,
      method: attempt.method,
      headers,
      body,
      signal: attempt.signal,
      headersTimeout: readTimeoutMs,
      bodyTimeout: readTimeoutMs,
    });
    const answer = await readAnswer(response, attempt, this.#memory);
    for (const line of cookies ? answer.setCookies : []) cookies?.setCookieSync(line, target.origin + target.path, { ignoreError: true });
    return answer;
  }

  async close(): Promise<void> {
    await this.#pools.close();
  }
}

function worthRetrying(kind: string, retryOn: readonly string[]): boolean {
  return kind !== 'never' && (retryOn.includes(kind) || retryOn.includes('all'));
}

function bodyOf({ method, target, parameters }: Attempt): { path: string; signedUrl: string; body: string | null } {
  const form = new URLSearchParams(parameters.map(([name, value]): [string, string] => [name, value])).toString();
  if (method === 'POST') return { path: target.path, signedUrl: target.signedUrl, body: form };
  const query = form === '' ? '' : (target.path.includes('?') ? '&' : '?') + form;
  return { path: target.path + query, signedUrl: target.signedUrl + query, body: null };
}

/** After 301, 302 and 303 a POST goes on as GET, its parameters in the query; 307 and 308 keep the method. */
function redirected(attempt: Attempt, answer: RawAnswer): Attempt | null {
  const location = answer.headers['location'];
  if (location === undefined || location === '') return null;
  const url = URL.canParse(location, attempt.target.origin + attempt.target.path) ? new URL(location, attempt.target.origin + attempt.target.path).href : null;
  const target = url === null ? null : targetOf(url);
  if (url === null || !target) throw new ExchangeError({ errorCode: 11100, message: 'the redirect leads to no http or https URL', kind: 'other' });
  const keepsMethod = answer.statusCode === 307 || answer.statusCode === 308;
  return { ...attempt, url, target: { ...target, overrides: attempt.target.overrides }, method: keepsMethod ? attempt.method : 'GET' };
}

/** What the answers that are being read hold together. */
interface Memory {
  heldBytes: number;
  readonly maxBytes: number;
}

async function readAnswer(response: Dispatcher.ResponseData, { maxBodyBytes = DEFAULT_MAX_BODY_BYTES, maxAudioBytes = maxBodyBytes }: WebhookRequest, memory: Memory): Promise<RawAnswer> {
  const isAudio = /^audio\//i.test(String(response.headers['content-type'] ?? ''));
  const body = await readBody(response.body, isAudio ? maxAudioBytes : maxBodyBytes, memory);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  const cookies = response.headers['set-cookie'];
  return { statusCode: response.statusCode, headers, setCookies: cookies === undefined ? [] : [cookies].flat(), body };
}

/** An answer that began and broke off is not asked for again (contract §3.5). */
async function readBody(body: AsyncIterable<Buffer>, maxBytes: number, memory: Memory): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      length += chunk.length;
      memory.heldBytes += chunk.length;
      chunks.push(chunk);
      if (length > DEFAULT_MAX_BODY_BYTES && memory.heldBytes > memory.maxBytes) throw new ExchangeError({ errorCode: 11200, message: 'too many large answers come at the same time', kind: 'never' });
      if (length > maxBytes) throw new ExchangeError({ errorCode: 11750, message: `the answer is longer than ${maxBytes - 1} bytes`, kind: 'never' });
    }
  } catch (error) {
    throw error instanceof ExchangeError ? error : new ExchangeError({ ...failureOf(error), kind: 'never' });
  } finally {
    memory.heldBytes -= length;
  }
  return Buffer.concat(chunks);
}

interface Ending {
  url: string;
  durationMs: () => number;
}

function answered({ statusCode, headers, body }: RawAnswer, { url, durationMs }: Ending): WebhookAnswer {
  const common = { statusCode, headers, body, url, durationMs: durationMs() };
  if (statusCode >= 200 && statusCode < 300) return { ...common, ok: true, contentType: headers['content-type'] ?? null };
  return { ...common, ok: false, errorCode: 11200, message: `the answer has status ${statusCode}`, aborted: false };
}

function failed(failure: RequestFailure, { url, durationMs }: Ending): WebhookAnswer & { ok: false } {
  return { ok: false, errorCode: failure.errorCode, message: failure.message, statusCode: null, headers: {}, body: new Uint8Array(), url, durationMs: durationMs(), aborted: false };
}
