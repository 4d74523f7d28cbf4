import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Clock } from '../base/clock.ts';
import { parseSid, type AccountSid } from '../base/sid.ts';
import type { Rooms } from '../rooms/contract.ts';

/** What the demo page tells about this server. */
export interface DemoInfo {
  /** The demo room's name. */
  room: string;
  /** The number whose application joins it, E.164. */
  number: string;
  /** The number as a SIP address to dial. */
  sipUri: string;
  accountSid: string;
  version: string;
}

export interface DemoDeps {
  clock: Clock;
  rooms: Rooms;
  /** Where the built page lies. */
  consoleDir: string;
  info: () => DemoInfo;
  /** An access token for a room. */
  makeToken: (identity: string, room?: string) => Promise<string>;
}

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "media-src 'self' blob: mediastream:",
  "connect-src 'self' ws: wss:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const NOT_BUILT = 'The page is not built. Run `npm run build`, then start again.\n';

/**
 * The demo: the page at `/`, what it asks for, and the application behind the demo number. Anybody who reaches the HTTP port
 * may join the demo room, so it is for laptops and tests; PARTYLINE_DEMO=off leaves all of it out.
 */
export function registerDemo(app: FastifyInstance, deps: DemoDeps): void {
  const { consoleDir, info, makeToken } = deps;
  const voice = (): string => `<?xml version="1.0" encoding="UTF-8"?><Response><Connect><Room>${info().room}</Room></Connect></Response>`;
  app.route({ method: ['GET', 'POST'], url: '/demo/voice', handler: (_request, reply) => reply.type('text/xml').send(voice()) });
  app.get('/demo/info', (_request, reply) => fresh(reply).send(info()));
  app.get('/demo/room', (_request, reply) => fresh(reply).send({ participants: whoIsIn(deps) }));
  app.post('/demo/token', async (request, reply) => {
    const identity = identityOf(request.body);
    if (identity === null) return reply.code(400).send({ message: 'Give a name of 1 to 60 characters.' });
    const { room } = info();
    return fresh(reply).send({ token: await makeToken(identity, room), identity, room });
  });
  registerPage(app, consoleDir);
}

function registerPage(app: FastifyInstance, consoleDir: string): void {
  if (!existsSync(join(consoleDir, 'index.html'))) {
    app.get('/', (_request, reply) => reply.code(503).type('text/plain').send(NOT_BUILT));
    return;
  }
  void app.register(fastifyStatic, {
    root: consoleDir,
    wildcard: false,
    setHeaders: (reply) => {
      reply.header('content-security-policy', CONTENT_SECURITY_POLICY);
      reply.header('x-content-type-options', 'nosniff');
      reply.header('referrer-policy', 'no-referrer');
      reply.header('permissions-policy', 'camera=(self), microphone=(self)');
    },
  });
}

function fresh(reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store');
}

function whoIsIn({ rooms, clock, info }: DemoDeps): { identity: string; medium: string; connectedSeconds: number }[] {
  const { room, accountSid } = info();
  const sid: AccountSid | null = parseSid('AC', accountSid);
  const found = sid && rooms.find(sid, room);
  if (!found) return [];
  return [...found.participants.values()].map(({ identity, medium, record }) => ({ identity, medium, connectedSeconds: Math.max(0, Math.round((clock.wallMs() - record.startedAtMs) / 1000)) }));
}

/** A name as people type it: trimmed, no control characters. */
function identityOf(body: unknown): string | null {
  const identity = typeof body === 'object' && body !== null && 'identity' in body && typeof body.identity === 'string' ? body.identity.trim() : '';
  return /^[^\p{Cc}\p{Cs}]{1,60}$/u.test(identity) ? identity : null;
}
