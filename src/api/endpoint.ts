import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AccountRecord, DirectoryRepository } from '../voice/model.ts';
import { parseSid } from '../base/sid.ts';
import { accountOfPath, inactive, signIn, unauthorized, type SignIn } from './auth.ts';
import { sendFile, type FileAnswer } from './file-answer.ts';
import { methodNotAllowed, unreadable } from './errors.ts';
import { Form } from './form.ts';

/** A request as resources see it: signed in, its parameters read. */
export interface ApiRequest {
  /** The account it acts for. */
  account: AccountRecord;
  /** Whose credentials it came with: that account or the one that owns it. */
  signedIn: AccountRecord;
  /** Path as it came, without the query. */
  path: string;
  /** Scheme, host and port that absolute URLs begin with. */
  origin: string;
  query: Form;
  /** Parameters of the body. */
  form: Form;
  /** A decoded part of the path, its `.json` taken off where the family carries one. */
  part(name: string): string;
}

export interface Answer {
  status: number;
  /** Absent with 204. */
  body?: object;
  /** Instead of a body: a file, whose status a range may change. */
  file?: FileAnswer;
  /** With 302: where else to look. */
  location?: string;
}

export type Handler = (request: ApiRequest) => Promise<Answer> | Answer;
type Method = 'GET' | 'POST' | 'DELETE';
type Handlers = Partial<Record<Method, Handler>>;

interface Access {
  /** API keys may not come here. */
  tokenOnly?: boolean;
  closedToo?: boolean;
  /** Requests that need no credentials: they act for the account that their path names. */
  open?: (request: { path: string; method: string }) => boolean;
}

const READING: readonly string[] = ['GET', 'HEAD'];
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** Registers resources on the HTTP server: sign-in, path variants, methods that are not there. */
export class Endpoints {
  readonly #app: FastifyInstance;
  readonly #directory: DirectoryRepository;
  readonly #publicUrl: () => string | null;
  readonly #signedIn = new WeakMap<FastifyRequest, SignIn>();

  constructor(app: FastifyInstance, deps: { directory: DirectoryRepository; publicUrl: () => string | null }) {
    this.#app = app;
    this.#directory = deps.directory;
    this.#publicUrl = deps.publicUrl;
  }

  /**
   * A resource and its methods. Paths that end in a fixed word are there with `.json` too; on paths that end in a
   * variable `part` takes it off. Of a closed account its owner may read everything and change nothing, unless `closedToo`.
   */
  add(path: string, handlers: Handlers, access: Access = {}): void {
    const endsInVariable = path.slice(path.lastIndexOf('/') + 1).startsWith(':');
    for (const url of endsInVariable ? [path] : [path, `${path}.json`]) this.#addPath(url, handlers, access);
  }

  #addPath(url: string, handlers: Handlers, { tokenOnly = false, closedToo = false, open }: Access): void {
    const onRequest = async (request: FastifyRequest): Promise<void> => {
      if (!open?.({ path: pathOf(request), method: request.method }) || !this.#letIn(request)) this.#signIn(request, tokenOnly);
    };
    const allowed = METHODS.filter((method) => method in handlers);
    for (const method of METHODS) {
      const handler = handlers[method as Method];
      this.#app.route({ method, url, onRequest, handler: handler ? (request, reply) => this.#run(handler, { request, reply, closedToo }) : refuse(allowed) });
    }
    this.#app.options(url, (_request, reply) => reply.code(204).header('allow', allowed.join(', ')).send());
  }

  #signIn(request: FastifyRequest, tokenOnly: boolean): void {
    const who = signIn(request.headers.authorization, this.#directory);
    if (tokenOnly && who.by === 'key') throw unauthorized('API keys may not use this resource: sign in with the account SID and its auth token');
    this.#signedIn.set(request, who);
  }

  /** A request without credentials, as its path's account; false when it has some, or names no account that is active. */
  #letIn(request: FastifyRequest): boolean {
    const sid = parseSid('AC', (request.params as Record<string, string | undefined>)['accountSid'] ?? '');
    const account = sid && this.#directory.account(sid);
    if (request.headers.authorization !== undefined || account?.status !== 'active') return false;
    this.#signedIn.set(request, { account, by: 'key' });
    return true;
  }

  async #run(handler: Handler, { request, reply, closedToo }: { request: FastifyRequest; reply: FastifyReply; closedToo: boolean }): Promise<FastifyReply> {
    const read = this.#read(request);
    if (read.account.status === 'closed' && !closedToo && !READING.includes(request.method)) throw inactive();
    const { status, body, file, location } = await handler(read);
    if (location !== undefined) void reply.header('location', location);
    if (file) return sendFile(file, { request, reply });
    return body === undefined ? reply.code(status).send() : reply.code(status).type('application/json; charset=utf-8').send(body);
  }

  #read(request: FastifyRequest): ApiRequest {
    const who = this.#signedIn.get(request);
    if (!who) throw unauthorized();
    const [path = '', query = ''] = splitOnce(request.raw.url ?? '', '?');
    const parts = request.params as Record<string, string | undefined>;
    // No text of the database may hold a NUL, what is looked for neither.
    const part = (name: string): string => withoutSuffix(parts[name]?.replaceAll('\0', '\ufffd') ?? '', path.startsWith('/2010-04-01/'));
    return {
      signedIn: who.account,
      account: parts['accountSid'] === undefined ? who.account : accountOfPath(part('accountSid'), who, this.#directory),
      path,
      origin: this.#publicUrl()?.replace(/\/+$/, '') ?? originOf(request),
      query: Form.parse(query),
      form: formOf(request.body),
      part,
    };
  }
}

function pathOf(request: FastifyRequest): string {
  return splitOnce(request.raw.url ?? '', '?')[0] ?? '';
}

/** A body of another kind is refused, not taken for an empty one. */
function formOf(body: unknown): Form {
  if (body instanceof Form) return body;
  if (body === undefined || body === null) return Form.empty;
  throw unreadable(415);
}

/** Names of rooms and identities may end in `.json` themselves: on v1 only SIDs lose it. */
function withoutSuffix(text: string, always: boolean): string {
  return always || /^[A-Z]{2}[0-9a-fA-F]{32}\.json$/.test(text) ? text.replace(/\.json$/, '') : text;
}

function refuse(allowed: readonly string[]): (request: FastifyRequest, reply: FastifyReply) => never {
  return (request, reply) => {
    void reply.header('allow', allowed.join(', '));
    throw methodNotAllowed(request.method);
  };
}

/** Where the request was sent to, as far as its headers tell. */
function originOf(request: FastifyRequest): string {
  const forwarded = request.headers['x-forwarded-proto'];
  const scheme = String(forwarded ?? '').split(',')[0]?.trim().toLowerCase();
  const host = request.headers.host ?? '';
  return `${scheme === 'https' ? 'https' : 'http'}://${/^[\w.:[\]-]{1,255}$/.test(host) ? host : 'localhost'}`;
}

function splitOnce(text: string, mark: string): string[] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
