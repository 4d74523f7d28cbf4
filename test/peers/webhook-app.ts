import http from 'node:http';
import type { AddressInfo } from 'node:net';
import twilio from 'twilio';
import { waitUntil } from './wait.ts';

/** A customer's application: a real HTTP receiver that checks signatures and answers TwiML, both by the `twilio` package. */

export interface WebhookRequest {
  path: string;
  method: string;
  /** Form body of a POST, query of a GET. */
  params: Record<string, string>;
  /** As they came, repeated names and all. */
  query: URLSearchParams;
  headers: http.IncomingHttpHeaders;
  /** What `validateRequest` of the package says. */
  valid: boolean;
  at: number;
}

export type WebhookAnswer = string | { toString(): string } | { status: number; contentType?: string; headers?: Record<string, string>; body?: string | Buffer };
type Handler = (request: WebhookRequest) => WebhookAnswer | Promise<WebhookAnswer>;

export class WebhookApp {
  readonly #authToken: string;
  readonly #routes = new Map<string, Handler>();
  readonly #server: http.Server;
  readonly requests: WebhookRequest[] = [];
  url = '';

  private constructor(authToken: string) {
    this.#authToken = authToken;
    this.#server = http.createServer((request, response) => void this.#handle(request, response));
  }

  static async start(authToken: string): Promise<WebhookApp> {
    const app = new WebhookApp(authToken);
    await new Promise<void>((resolve) => app.#server.listen(0, '127.0.0.1', resolve));
    app.url = `http://127.0.0.1:${(app.#server.address() as AddressInfo).port}`;
    return app;
  }

  /** Answers requests for a path: TwiML (a VoiceResponse or text), or a status. Paths without a handler get 204. */
  on(path: string, handler: Handler): void {
    this.#routes.set(path, handler);
  }

  async #handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const target = new URL(request.url ?? '/', this.url);
    const form = Object.fromEntries(new URLSearchParams(body));
    const signature = String(request.headers['x-twilio-signature'] ?? '');
    const record: WebhookRequest = {
      path: target.pathname,
      method: request.method ?? '',
      params: request.method === 'GET' ? Object.fromEntries(target.searchParams) : form,
      query: target.searchParams,
      headers: request.headers,
      valid: twilio.validateRequest(this.#authToken, signature, `${this.url}${request.url}`, request.method === 'GET' ? {} : form),
      at: Date.now(),
    };
    this.requests.push(record);
    await this.#answer(record, response);
  }

  async #answer(record: WebhookRequest, response: http.ServerResponse): Promise<void> {
    const handler = this.#routes.get(record.path);
    if (handler === undefined) {
      response.writeHead(204).end();
      return;
    }
    const answer = await handler(record);
    if (typeof answer === 'object' && 'status' in answer) {
      response.writeHead(answer.status, { ...answer.headers, ...(answer.contentType === undefined ? {} : { 'content-type': answer.contentType }) }).end(answer.body);
      return;
    }
    response.writeHead(200, { 'content-type': 'text/xml' }).end(String(answer));
  }

  /** All requests so far that fit. */
  matching(fits: Partial<Pick<WebhookRequest, 'path' | 'method'>> & { params?: Record<string, string> }): WebhookRequest[] {
    return this.requests.filter(
      (request) =>
        (fits.path === undefined || request.path === fits.path) &&
        (fits.method === undefined || request.method === fits.method) &&
        Object.entries(fits.params ?? {}).every(([name, value]) => request.params[name] === value),
    );
  }

  /** The `nth` (from 1) request that fits, waited for. */
  waitFor(fits: Parameters<WebhookApp['matching']>[0], { nth = 1, timeoutMs = 10_000 }: { nth?: number; timeoutMs?: number } = {}): Promise<WebhookRequest> {
    return waitUntil(() => this.matching(fits)[nth - 1], { timeoutMs, what: () => `request no. ${nth} like ${JSON.stringify(fits)}; there were\n${this.log()}` });
  }

  log(): string {
    return this.requests.map((request) => `${new Date(request.at).toISOString()} ${request.method} ${request.path} valid=${request.valid} ${JSON.stringify(request.params)}`).join('\n');
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
