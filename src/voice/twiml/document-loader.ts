import type { CallJournal, Exchange } from '../call-journal.ts';
import type { HttpMethod } from '../model.ts';
import { MAX_PROMPT_BYTES, PromptError, type Prompts } from '../prompts.ts';
import type { CookieJar, WebhookAnswer, WebhookClient } from '../webhook/client.ts';
import { CharsetError, decodeText } from './charset.ts';
import { TwimlError, isSound, playing, readTwiml, type TwimlAnswer, type TwimlDocument } from './document.ts';

/** Where a document comes from. */
export type DocumentSource =
  | { kind: 'url'; url: string; method: HttpMethod; parameters?: readonly (readonly [name: string, value: string])[] }
  /** `Twiml` of a REST request: relative URLs in it have nothing to resolve against. */
  | { kind: 'inline'; twiml: string };

export interface LoadedDocument {
  document: TwimlDocument;
  /** After redirects; null for inline TwiML. */
  url: string | null;
  method: HttpMethod;
  exchange?: Exchange;
}

export interface DocumentFailure {
  errorCode: number;
  message: string;
  url: string | null;
}

export interface LoaderDeps {
  client: WebhookClient;
  /** Keeps an answer that is a sound until it is played. */
  prompts: Pick<Prompts, 'keep'>;
  journal: CallJournal;
  cookies: CookieJar;
  authToken: string;
  /** The standard parameters at this moment (contract §4.1). */
  parameters: () => readonly (readonly [name: string, value: string])[];
  fallback: () => { url: string; method: HttpMethod } | null;
}

/** A fallback that sends the call back to what failed must not go on for ever. */
const MAX_FALLBACKS = 10;

/** Asks the customer's application for TwiML, and its fallback URL where that fails (contract §3.5). Everything is journaled. */
export class DocumentLoader {
  readonly #deps: LoaderDeps;
  #fallbacksUsed = 0;

  constructor(deps: LoaderDeps) {
    this.#deps = deps;
  }

  /** A loader for documents beside the call's own: more parameters with each request, no fallback. */
  beside(parameters: LoaderDeps['parameters']): DocumentLoader {
    return new DocumentLoader({ ...this.#deps, parameters: () => [...this.#deps.parameters(), ...parameters()], fallback: () => null });
  }

  /** Null when neither the source nor the fallback gave a document, or the signal aborted. */
  async load(source: DocumentSource, signal: AbortSignal): Promise<LoadedDocument | null> {
    const first = source.kind === 'inline' ? this.#readInline(source.twiml) : await this.#request(source, signal);
    if ('document' in first || signal.aborted) return 'document' in first ? first : null;
    return await this.fallBack(first, signal);
  }

  /** What the fallback URL says to a failure; null without a usable one. */
  async fallBack(failure: DocumentFailure, signal: AbortSignal): Promise<LoadedDocument | null> {
    const fallback = this.#deps.fallback();
    if (!fallback || this.#fallbacksUsed >= MAX_FALLBACKS) return null;
    this.#fallbacksUsed++;
    const parameters: [string, string][] = [['ErrorCode', String(failure.errorCode)], ['ErrorUrl', failure.url ?? '']];
    const answer = await this.#request({ kind: 'url', ...fallback, parameters }, signal);
    return 'document' in answer ? answer : null;
  }

  async #request(source: DocumentSource & { kind: 'url' }, signal: AbortSignal): Promise<LoadedDocument | DocumentFailure> {
    const { client, cookies, authToken } = this.#deps;
    const parameters = [...this.#deps.parameters(), ...(source.parameters ?? [])];
    const answer = await client.request({ url: source.url, method: source.method, parameters, authToken, cookies, signal, maxAudioBytes: MAX_PROMPT_BYTES + 1 });
    if (!answer.ok && answer.aborted) return { errorCode: answer.errorCode, message: 'the call left', url: source.url };
    const exchange = exchangeOf(source, parameters, answer);
    if (!answer.ok) return this.#failed({ errorCode: answer.errorCode, message: answer.message, url: source.url }, exchange);
    return await this.#read(answer, { source, exchange });
  }

  async #read(answer: TwimlAnswer & { url: string }, { source, exchange }: { source: DocumentSource & { kind: 'url' }; exchange: Exchange }): Promise<LoadedDocument | DocumentFailure> {
    try {
      const document = isSound(answer) ? playing(answer.url, await this.#deps.prompts.keep(answer)) : readTwiml(answer);
      this.#deps.journal.exchanged(exchange, true);
      this.#warn(document, exchange);
      return { document, url: answer.url, method: source.method, exchange };
    } catch (error) {
      if (error instanceof PromptError) return this.#failed({ errorCode: error.errorCode, message: `The answer is sound that cannot be played: ${error.message}`, url: source.url }, exchange);
      if (!(error instanceof TwimlError)) throw error;
      return this.#failed({ errorCode: error.code, message: placed(error), url: source.url }, exchange);
    }
  }

  #readInline(twiml: string): LoadedDocument | DocumentFailure {
    try {
      const document = readTwiml({ body: Buffer.from(twiml), contentType: 'text/xml' });
      this.#warn(document);
      return { document, url: null, method: 'POST' };
    } catch (error) {
      if (!(error instanceof TwimlError)) throw error;
      return this.#failed({ errorCode: error.code, message: placed(error), url: null });
    }
  }

  #failed(failure: DocumentFailure, exchange?: Exchange): DocumentFailure {
    if (exchange) this.#deps.journal.exchanged(exchange, false);
    this.#deps.journal.problem({ errorCode: failure.errorCode, message: failure.message, log: 0, exchange });
    return failure;
  }

  #warn(document: TwimlDocument, exchange?: Exchange): void {
    for (const warning of document.warnings) this.#deps.journal.problem({ errorCode: warning.code, message: placed(warning), log: 1, exchange });
  }
}

function placed(problem: { message: string; line: number; column: number }): string {
  return `${problem.message} (line ${problem.line}, column ${problem.column})`;
}

const KEPT_BODY_CHARS = 65_536;

function exchangeOf(source: { url: string; method: HttpMethod }, parameters: Exchange['parameters'], answer: WebhookAnswer): Exchange {
  return {
    method: source.method,
    url: source.url,
    parameters,
    statusCode: answer.statusCode,
    contentType: answer.headers['content-type'] ?? null,
    responseHeaders: answer.headers,
    responseBody: readable(answer).replaceAll('\0', '').slice(0, KEPT_BODY_CHARS),
    durationMs: answer.durationMs,
  };
}

/** In the character set it came in, so that the debugger shows what the application sent; nothing of a sound. */
function readable({ body, headers }: WebhookAnswer): string {
  if (isSound({ contentType: headers['content-type'] ?? null })) return '';
  try {
    return decodeText(body, headers['content-type'] ?? null);
  } catch (error) {
    if (!(error instanceof CharsetError)) throw error;
    return Buffer.from(body).toString('utf8');
  }
}
