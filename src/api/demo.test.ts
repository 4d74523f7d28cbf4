import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRestWorld, type RestWorld } from '../../test/rest-world.ts';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { TwilioError } from '../base/errors.ts';
import { createApi } from './api.ts';
import { registerDemo } from './demo.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
/** The demo looks at the room this much later than people came in. */
const LATER_S = 75;

let world: RestWorld;
let folder: string;
let demo: FastifyInstance;

/** The API as it is served, with the demo and a page that was built into `consoleDir`. */
function withDemo(consoleDir: string): FastifyInstance {
  const { store, rooms, calls, account, gatherings, voiceRecordings } = world;
  const app = createApi({
    gatherings,
    conferenceRepository: store.conferences,
    log: silentLog,
    clock: systemClock,
    calls,
    callerIds: { validate: () => Promise.reject(new TwilioError(20001, 'not here')) },
    callRepository: store.calls,
    voiceRecordings,
    directory: store.directory,
    sip: store.sip,
    trunks: world.trunks,
    explainer: world.explainer,
    sipDomainSuffix: 'sip.localhost',
    rooms,
    roomRepository: store.rooms,
    ...world.compositionDeps,
    roomRecordings: { recordings: world.roomRecordings, repository: store.roomRecordings },
    transcriptions: world.transcriptions,
    publicUrl: () => null,
    ready: () => true,
  });
  registerDemo(app, {
    clock: { ...systemClock, wallMs: () => Date.now() + LATER_S * 1000 },
    rooms,
    consoleDir,
    info: () => ({ room: 'DailyStandup', number: '+15550100', sipUri: 'sip:+15550100@127.0.0.1:5060', accountSid: account.sid, version: '1.2.3' }),
    makeToken: (identity, room) => Promise.resolve(`token for ${identity} in ${room}`),
  });
  return app;
}

const askToken = (payload: string | object) => demo.inject({ method: 'POST', url: '/demo/token', headers: { 'content-type': 'application/json' }, payload });

beforeAll(async () => {
  world = await openRestWorld();
  folder = mkdtempSync(join(tmpdir(), 'partyline-page-'));
  mkdirSync(join(folder, 'built', 'assets'), { recursive: true });
  writeFileSync(join(folder, 'built', 'index.html'), '<!doctype html><title>The page</title>');
  writeFileSync(join(folder, 'built', 'assets', 'page.js'), 'page();');
  writeFileSync(join(folder, 'secret.txt'), 'not to be served');
  demo = withDemo(join(folder, 'built'));
}, 60_000);

afterAll(async () => {
  await demo.close();
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the page', () => {
  it('is served with its files under a policy that runs no script but its own', async () => {
    const page = await demo.inject('/');
    expect([page.statusCode, page.headers['content-type'], page.body]).toEqual([200, 'text/html; charset=utf-8', '<!doctype html><title>The page</title>']);
    expect(page.headers['content-security-policy']).toMatch(/default-src 'none'; script-src 'self';/);
    expect(page.headers['content-security-policy']).not.toContain('unsafe');
    expect(page.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
    expect((await demo.inject('/assets/page.js')).body).toBe('page();');
  });

  it('gives nothing beside its folder away', async () => {
    for (const url of ['/secret.txt', '/../secret.txt', '/%2e%2e/secret.txt', '/assets/..%2f..%2fsecret.txt', '/assets/']) {
      const answer = await demo.inject(url);
      expect(answer.statusCode, url).toBeGreaterThanOrEqual(400);
      expect(answer.body, url).not.toContain('not to be served');
    }
  });

  it('that was not built is told in a sentence, and the rest works', async () => {
    const app = withDemo(join(folder, 'never-built'));
    const answer = await app.inject('/');
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([503, 'text/plain']);
    expect(answer.body).toContain('npm run build');
    expect((await app.inject('/demo/info')).statusCode).toBe(200);
    await app.close();
  });
});

describe('what the page asks for', () => {
  it('tells what to dial, never to be kept', async () => {
    const answer = await demo.inject('/demo/info');
    expect(answer.json()).toEqual({ room: 'DailyStandup', number: '+15550100', sipUri: 'sip:+15550100@127.0.0.1:5060', accountSid: world.account.sid, version: '1.2.3' });
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('gives a token for the demo room to whoever says a name', async () => {
    const answer = await askToken({ identity: '  Zoë Müller ' });
    expect(answer.json()).toEqual({ token: 'token for Zoë Müller in DailyStandup', identity: 'Zoë Müller', room: 'DailyStandup' });
    expect(answer.headers['cache-control']).toBe('no-store');
    expect((await askToken({ identity: '🙂'.repeat(60) })).statusCode).toBe(200);
  });

  it('refuses names that are none, and says so', async () => {
    for (const payload of [{}, { identity: '' }, { identity: '   ' }, { identity: 'a\nb' }, { identity: 'x'.repeat(61) }, { identity: '\ud800' }, { identity: 7 }, { identity: ['a'] }, 'null', '[]', '"a"']) {
      const answer = await askToken(payload);
      expect([answer.statusCode, answer.json().message], JSON.stringify(payload)).toEqual([400, 'Give a name of 1 to 60 characters.']);
    }
    const broken = await askToken('{"identity":');
    expect([broken.statusCode, typeof broken.json().message]).toEqual([400, 'string']);
    expect((await demo.inject({ method: 'POST', url: '/demo/token', headers: FORM, payload: 'identity=Eve' })).statusCode).toBe(400);
  });

  it('tells who is in the room, and who is a phone', async () => {
    expect((await demo.inject('/demo/room')).json()).toEqual({ participants: [] });
    const room = await world.rooms.findOrCreateForSdk(world.account.sid, 'DailyStandup');
    room.join({ identity: 'Anna', medium: 'browser' });
    const caller = room.join({ identity: '+15551234567', medium: 'phone' });
    const both = (await demo.inject('/demo/room')).json();
    expect(both.participants).toMatchObject([
      { identity: 'Anna', medium: 'browser' },
      { identity: '+15551234567', medium: 'phone' },
    ]);
    for (const { connectedSeconds } of both.participants) expect(Math.abs(connectedSeconds - LATER_S)).toBeLessThan(5);
    caller.disconnect('left');
    expect((await demo.inject('/demo/room')).json().participants).toHaveLength(1);
    room.end('completed-by-api');
    expect((await demo.inject('/demo/room')).json()).toEqual({ participants: [] });
  });
});

describe('the application behind the number', () => {
  it('puts callers into the room, asked either way', async () => {
    const asked = await Promise.all([demo.inject('/demo/voice?CallSid=CA1'), demo.inject({ method: 'POST', url: '/demo/voice', headers: FORM, payload: 'CallSid=CA1&From=%2B1555' })]);
    for (const answer of asked) {
      expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'text/xml']);
      expect(answer.body).toContain('<Response><Connect><Room>DailyStandup</Room></Connect></Response>');
    }
  });
});
