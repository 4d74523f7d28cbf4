import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import twilio from 'twilio';
import { prepareDatabase } from '../prepared-database.ts';
import { startChild, temporaryFolder, type Child } from './child.ts';
import { freePort, freePorts } from './ports.ts';
import { sleep, waitUntil } from './wait.ts';

/** The server under test, as a user starts it: `node bin/partyline.mjs serve` with settings in its environment. */

export interface ServerOptions {
  /** Environment variables over the defaults of a test; undefined removes one. */
  env?: Record<string, string | undefined>;
  /** Default: a new one with a prepared database. One that is given is left as it is. */
  dataDir?: string;
  /** Default 1: one worker is enough and this machine is small. */
  mediaWorkers?: number;
  demo?: boolean;
  /** A network namespace (`ip netns`) to run in; its PARTYLINE_BIND_ADDRESS is how this process reaches it. */
  namespace?: string;
}

export interface Server {
  readonly httpUrl: string;
  /** What a page gives to connect() as `wsServer`. */
  readonly wsUrl: string;
  readonly httpPort: number;
  readonly sipPort: number;
  readonly webrtcPort: number;
  readonly pid: number;
  readonly accountSid: string;
  readonly authToken: string;
  readonly apiKeySid: string;
  readonly apiKeySecret: string;
  readonly dataDir: string;
  /** The official client, its base URLs set to this server, signed in by account SID and auth token. */
  readonly client: twilio.Twilio;
  readonly child: Child;
  /** `sip:<number>@127.0.0.1:<port>` */
  sipUri(number: string): string;
  /** An access token by the official helper. `room` absent: any room. */
  token(identity: string, options?: { room?: string; ttlSeconds?: number }): string;
  /** Raw REST request, signed in. */
  rest(path: string, init?: { method?: string; form?: Record<string, string> | URLSearchParams; authorization?: string | null }): Promise<RestAnswer>;
  /** Direct children of the server: its media workers. */
  workerPids(): number[];
  log(): string;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

export interface RestAnswer {
  status: number;
  headers: Headers;
  // Tests read whatever fields they assert on.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any;
}

export const binary = fileURLToPath(new URL('../../bin/partyline.mjs', import.meta.url));

const hex = (bytes: number): string => randomBytes(bytes).toString('hex');
const RTP_PORTS = 240;
const STOP_GRACE_MS = 8000;

/** Settings of a server that shares nothing with another one. */
export async function serverEnvironment(options: ServerOptions = {}): Promise<Record<string, string>> {
  const workers = options.mediaWorkers ?? 1;
  const rtpFirst = await freePorts(RTP_PORTS);
  const settings: Record<string, string | undefined> = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    PARTYLINE_BIND_ADDRESS: '127.0.0.1',
    PARTYLINE_HTTP_PORT: String(await freePort()),
    PARTYLINE_SIP_PORT: String(await freePort()),
    PARTYLINE_WEBRTC_PORT: String(await freePorts(workers)),
    PARTYLINE_RTP_PORTS: `${rtpFirst}-${rtpFirst + RTP_PORTS - 1}`,
    PARTYLINE_DATA_DIR: options.dataDir ?? (await preparedFolder()),
    PARTYLINE_ACCOUNT_SID: `AC${hex(16)}`,
    PARTYLINE_AUTH_TOKEN: hex(16),
    PARTYLINE_API_KEY_SID: `SK${hex(16)}`,
    PARTYLINE_API_KEY_SECRET: hex(16),
    PARTYLINE_DEMO: options.demo === true ? 'on' : 'off',
    PARTYLINE_MEDIA_WORKERS: String(workers),
    PARTYLINE_LOG_LEVEL: 'debug',
    ...options.env,
  };
  return Object.fromEntries(Object.entries(settings).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** A folder of its own in which the server finds a database and need not make one. */
async function preparedFolder(): Promise<string> {
  const folder = temporaryFolder('data');
  await prepareDatabase(folder);
  return folder;
}

export function runServer(env: Record<string, string>, args: string[] = [], namespace?: string): Child {
  if (!existsSync(binary)) throw new Error(`${binary} is not there`);
  const command = [...(namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace]), process.execPath, binary, 'serve', ...args];
  return startChild({ name: 'partyline', command: command[0] ?? '', args: command.slice(1), env });
}

export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const env = await serverEnvironment(options);
  const child = runServer(env, [], options.namespace);
  const httpUrl = `http://${addressOf(env)}:${env['PARTYLINE_HTTP_PORT']}`;
  await waitUntil(
    async () => {
      if (child.exitCode !== undefined) return 'ended';
      return (await fetch(`${httpUrl}/healthz`, { signal: AbortSignal.timeout(2000) })).status === 200;
    },
    { timeoutMs: 55_000, what: () => `the server to be ready\n${child.log().slice(-4000)}` },
  );
  if (child.exitCode !== undefined) throw new Error(`The server ended with ${child.exitCode} at start:\n${child.log().slice(-4000)}`);
  return describeServer(env, child, httpUrl);
}

/** How this process reaches a server that was given these settings. */
function addressOf(env: Record<string, string>): string {
  const bound = env['PARTYLINE_BIND_ADDRESS'] ?? '127.0.0.1';
  return bound === '0.0.0.0' ? '127.0.0.1' : bound;
}

function describeServer(env: Record<string, string>, child: Child, httpUrl: string): Server {
  const value = (name: string): string => env[name] ?? '';
  const accountSid = value('PARTYLINE_ACCOUNT_SID');
  const authToken = value('PARTYLINE_AUTH_TOKEN');
  const apiKeySid = value('PARTYLINE_API_KEY_SID');
  const apiKeySecret = value('PARTYLINE_API_KEY_SECRET');
  const client = clientFor(httpUrl, { username: accountSid, password: authToken, accountSid });
  return {
    httpUrl,
    wsUrl: `${httpUrl.replace('http', 'ws')}/signaling`,
    httpPort: Number(value('PARTYLINE_HTTP_PORT')),
    sipPort: Number(value('PARTYLINE_SIP_PORT')),
    webrtcPort: Number(value('PARTYLINE_WEBRTC_PORT')),
    pid: child.pid,
    accountSid,
    authToken,
    apiKeySid,
    apiKeySecret,
    dataDir: value('PARTYLINE_DATA_DIR'),
    client,
    child,
    sipUri: (number) => `sip:${number}@${addressOf(env)}:${value('PARTYLINE_SIP_PORT')}`,
    token: (identity, tokenOptions = {}) => accessToken({ accountSid, keySid: apiKeySid, keySecret: apiKeySecret, identity, ...tokenOptions }),
    rest: (path, init = {}) => rest(httpUrl, `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`, path, init),
    workerPids: () => childrenOf(child.pid),
    log: () => child.log(),
    stop: () => child.stop(STOP_GRACE_MS),
  };
}

/** The official client with the base URLs of the server. */
export function clientFor(httpUrl: string, login: { username: string; password: string; accountSid: string }): twilio.Twilio {
  const client = twilio(login.username, login.password, { accountSid: login.accountSid });
  client.api.baseUrl = httpUrl;
  client.video.baseUrl = httpUrl;
  client.voice.baseUrl = httpUrl;
  return client;
}

export interface TokenOptions {
  accountSid: string;
  keySid: string;
  keySecret: string;
  identity: string;
  room?: string;
  ttlSeconds?: number;
  algorithm?: 'HS256' | 'HS384' | 'HS512';
}

export function accessToken(options: TokenOptions): string {
  const { AccessToken } = twilio.jwt;
  const token = new AccessToken(options.accountSid, options.keySid, options.keySecret, { identity: options.identity, ttl: options.ttlSeconds ?? 3600 });
  token.addGrant(new AccessToken.VideoGrant(options.room === undefined ? {} : { room: options.room }));
  return token.toJwt(options.algorithm ?? 'HS256');
}

async function rest(httpUrl: string, signIn: string, path: string, init: { method?: string; form?: Record<string, string> | URLSearchParams; authorization?: string | null }): Promise<RestAnswer> {
  const authorization = init.authorization === undefined ? signIn : init.authorization;
  const response = await fetch(path.startsWith('http') ? path : `${httpUrl}${path}`, {
    method: init.method ?? (init.form === undefined ? 'GET' : 'POST'),
    headers: authorization === null ? {} : { authorization },
    ...(init.form === undefined ? {} : { body: init.form instanceof URLSearchParams ? init.form : new URLSearchParams(init.form) }),
    redirect: 'manual',
    signal: AbortSignal.timeout(20_000),
  });
  const text = await response.text();
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // Left as text.
  }
  return { status: response.status, headers: response.headers, body };
}

/** Processes whose parent is `pid`, from /proc. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => {
      try {
        const stat = readFileSync(`/proc/${candidate}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false;
      }
    });
}

/** Waits until nothing of the server's children with that pid is left. */
export async function waitProcessGone(pid: number, timeoutMs = 5000): Promise<void> {
  await waitUntil(() => !existsSync(`/proc/${pid}`), { timeoutMs, what: `process ${pid} to be gone` });
  await sleep(0);
}
