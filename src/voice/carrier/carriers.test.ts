import { beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../base/log.ts';
import type { ByocTrunkSid } from '../../base/sid.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { OutgoingSipCall, SipEnding } from '../../sip/contract.ts';
import { FakeUserAgent, sdpBody } from '../testing/fake-sip.ts';
import { Carriers } from './carriers.ts';
import { DEFAULT_TRUNK_SETTINGS, type Trunk, type TrunkDirectory, type TrunkSettings } from './model.ts';

// Trunks whose targets take calls, refuse them, or are away; the user agent is played.

const NO_URLS = { voiceUrl: null, voiceMethod: 'POST', voiceFallbackUrl: null, voiceFallbackMethod: 'POST', statusCallback: null, statusCallbackMethod: 'POST' } as const;

let clock: FakeClock;
let sip: FakeUserAgent;
let trunks: Trunk[];
let listeners: Set<() => void>;
const changed = (): void => listeners.forEach((listener) => listener());
let carriers: Carriers;
let problems: string[];

function trunk(targets: string[], settings: Partial<TrunkSettings> = {}, more: Partial<Trunk> = {}): Trunk {
  return {
    sid: `BY${String(trunks.length).padStart(32, '0')}` as ByocTrunkSid,
    accountSid: null,
    ofOperator: true,
    name: 'Carrier',
    urls: NO_URLS,
    cnamLookupEnabled: false,
    fromDomain: null,
    targets: targets.map((target, n) => ({ target, priority: n, weight: 1, enabled: true })),
    settings: { ...DEFAULT_TRUNK_SETTINGS, probeIntervalMs: null, ...settings },
    ...more,
  };
}

beforeEach(() => {
  clock = new FakeClock();
  sip = new FakeUserAgent();
  trunks = [];
  problems = [];
  listeners = new Set();
  const directory: TrunkDirectory = {
    all: () => trunks,
    findTrunk: () => null,
    defaultTrunk: () => trunks[0] ?? null,
    onChanged: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  carriers = new Carriers({ sip, trunks: directory, clock, log: silentLog, publicAddress: '192.0.2.1' });
});

async function dial(by: Trunk, caller = '+15550100'): Promise<{ call: OutgoingSipCall; told: string[]; endings: SipEnding[] }> {
  const call = carriers.callerFor({ trunk: by, number: '+15557000', caller, journal: ({ message }) => problems.push(message) }).call({ to: '', from: '', body: sdpBody().bytes, contentType: 'application/sdp', headers: [['X-Id', '1']], ringTimeoutMs: 60_000 });
  const told: string[] = [];
  const endings: SipEnding[] = [];
  call.on('progressed', (code) => told.push(String(code)));
  call.on('accepted', () => told.push('accepted'));
  call.on('ended', (ending) => {
    told.push('ended');
    endings.push(ending);
  });
  await settle();
  return { call, told, endings };
}

const settle = (): Promise<void> => clock.advanceAsync(0.001, 1);
const tried = (): string[] => sip.placed.map(({ options }) => options.to.replace(/^sip:.*@/, ''));
const last = () => sip.placed.at(-1)!;
const options = () => last().options;

describe('a call that leaves by a trunk', () => {
  it('goes on to the next target when nobody is at the first, and is one call to who listens', async () => {
    const by = trunk(['sip:a.test', 'sip:b.test']);
    const { call, told } = await dial(by);
    expect(options()).toMatchObject({ to: 'sip:+15557000@a.test', from: 'sip:+15550100@192.0.2.1', silenceTimeoutMs: 2500 });
    last().fails('unreachable');
    expect(tried()).toEqual(['a.test', 'b.test']);
    expect(options().silenceTimeoutMs).toBe(10_000);
    expect(told).toEqual([]);
    last().rings();
    last().answers();
    expect(told).toEqual(['180', 'accepted']);
    expect([call.state, call.callId]).toEqual(['confirmed', last().callId]);
    expect(problems).toEqual(['sip:a.test of trunk Carrier did not take the call (unreachable): the next target is tried']);
    call.hangup();
    expect(last().said.at(-1)).toBe('BYE');
    expect(told.at(-1)).toBe('ended');
  });

  it('leaves out the dead target the next time, until its pause is over', async () => {
    const by = trunk(['sip:a.test', 'sip:b.test']);
    await dial(by);
    last().fails('unreachable');
    await dial(by);
    expect(tried()).toEqual(['a.test', 'b.test', 'b.test']);
    clock.advance(30_000);
    await dial(by);
    expect(tried().at(-1)).toBe('a.test');
  });

  it('rests a target that is overloaded as long as it asks', async () => {
    const by = trunk(['sip:a.test', 'sip:b.test']);
    await dial(by);
    last().answerHeaders = [['Retry-After', '90']];
    last().refuses(503);
    clock.advance(89_000);
    await dial(by);
    expect(tried()).toEqual(['a.test', 'b.test', 'b.test']);
    clock.advance(1_100);
    await dial(by);
    expect(tried().at(-1)).toBe('a.test');
  });

  it.each([
    [500, 2], [502, 2], [503, 2], [504, 2], [408, 2],
    [486, 1], [404, 1], [403, 1], [480, 1], [488, 1], [600, 1], [603, 1],
  ])('%i of the first target makes %i tries', async (statusCode, tries) => {
    const { endings } = await dial(trunk(['sip:a.test', 'sip:b.test']));
    last().refuses(statusCode);
    expect(sip.placed).toHaveLength(tries);
    if (tries === 1) expect(endings).toEqual([{ cause: 'rejected', statusCode }]);
  });

  it('stays where a phone rang, and ends as the last try did', async () => {
    const first = await dial(trunk(['sip:a.test', 'sip:b.test']));
    last().rings();
    last().refuses(500);
    expect(first.endings).toEqual([{ cause: 'rejected', statusCode: 500 }]);
    expect(sip.placed).toHaveLength(1);
    const second = await dial(trunk(['sip:c.test', 'sip:d.test']));
    last().refuses(500);
    last().fails('unreachable');
    expect(second.endings).toEqual([{ cause: 'unreachable' }]);
    expect(problems.at(-1)).toBe('sip:d.test of trunk Carrier did not take the call (unreachable)');
  });

  it('says in the debugger why a target did not let us in', async () => {
    await dial(trunk(['sip:a.test']));
    last().answerHeaders = [['WWW-Authenticate', 'Digest realm="x", nonce="y", qop="auth-int"']];
    last().refuses(401);
    await dial(trunk(['sip:a.test']));
    last().answerHeaders = [['Proxy-Authenticate', 'Digest realm="x", nonce="y", qop="auth"']];
    last().refuses(407);
    expect(problems.map((text) => text.replace(/.*\(/, '('))).toEqual(['(401: it wants qop=auth-int, which is not spoken here)', "(407: the trunk's credentials are missing or wrong)"]);
  });

  it('that is hung up, or rings too long, is not tried elsewhere', async () => {
    const first = await dial(trunk(['sip:a.test', 'sip:b.test']));
    first.call.hangup();
    const second = await dial(trunk(['sip:a.test', 'sip:b.test']));
    last().fails('ring-timeout');
    expect(sip.placed).toHaveLength(2);
    expect([first.endings, second.endings]).toEqual([[{ cause: 'local' }], [{ cause: 'ring-timeout' }]]);
    const { endings } = await dial(trunk([]));
    expect(endings).toEqual([{ cause: 'unreachable', reasonPhrase: 'No Target' }]);
  });

  it('rings no longer in all than it may', async () => {
    await dial(trunk(['sip:a.test', 'sip:b.test']));
    clock.advance(2_500);
    last().fails('unreachable');
    expect(options().ringTimeoutMs).toBeCloseTo(57_500, 0);
  });

  it('carries what the trunk wants: credentials, proxy, identity, numbers, domain', async () => {
    const outbound = { ...DEFAULT_TRUNK_SETTINGS.outbound, credentials: { username: 'u', password: 'p' }, proxy: 'sip:edge.test;lr', identity: 'pai' as const };
    const numbers = { ...DEFAULT_TRUNK_SETTINGS.numbers, countryCode: '1', nationalPrefix: '', out: 'national' as const, addOut: '9' };
    await dial(trunk(['sip:old@a.test:5070;transport=tcp'], { outbound, numbers }, { fromDomain: 'acme.test' }));
    expect(options()).toMatchObject({ to: 'sip:95557000@a.test:5070;transport=tcp', from: 'sip:5550100@acme.test', outboundProxy: 'sip:edge.test;lr', credentials: { username: 'u', password: 'p' } });
    expect(options().headers).toEqual([['X-Id', '1'], ['P-Asserted-Identity', '<sip:5550100@acme.test>']]);
    await dial(trunk(['sip:a.test'], { outbound: { ...outbound, withheld: true } }));
    expect(options()).toMatchObject({ from: 'sip:anonymous@anonymous.invalid', fromDisplayName: 'Anonymous' });
    expect(options().headers).toContainEqual(['Privacy', 'id']);
    await dial(trunk(['sip:a.test'], { outbound }), 'anonymous');
    expect(options().headers?.map(([name]) => name)).toEqual(['X-Id', 'Privacy']);
  });
});

describe('the targets of trunks', () => {
  const probeIntervalMs = 30_000;
  const pass = (ms: number): Promise<void> => clock.advanceAsync(ms, 500);

  it('are asked whether they are there; the silent one is passed over until it answers', async () => {
    trunks = [trunk(['sip:a.test', 'sip:b.test'], { probeIntervalMs })];
    sip.probeAnswers.set('sip:b.test', 404);
    carriers.start();
    await pass(2_000);
    expect(new Set(sip.probed)).toEqual(new Set(['sip:a.test', 'sip:b.test']));
    expect(carriers.counts().targets).toEqual({ healthy: 2, unhealthy: 0 });
    await pass(30_500);
    expect(carriers.counts().targets).toEqual({ healthy: 1, unhealthy: 1 });
    await dial(trunks[0]!);
    expect(tried()).toEqual(['b.test']);
    sip.probeAnswers.set('sip:a.test', 200);
    await pass(30_500);
    expect(carriers.counts().targets).toEqual({ healthy: 2, unhealthy: 0 });
    await dial(trunks[0]!);
    expect(tried()).toEqual(['b.test', 'a.test']);
    await carriers.stop();
    expect(clock.pending).toBe(0);
  });

  it.each([[503, 1], [408, 1], [null, 1], [200, 0], [405, 0], [481, 0]])('that answer %s count as unhealthy: %i', async (statusCode, unhealthy) => {
    trunks = [trunk(['sip:a.test'], { probeIntervalMs })];
    sip.probeAnswers.set('sip:a.test', statusCode);
    carriers.start();
    await pass(32_500);
    expect(carriers.counts().targets.unhealthy).toBe(unhealthy);
    await carriers.stop();
  });

  it('are followed as they change', async () => {
    trunks = [trunk(['sip:a.test'], { probeIntervalMs })];
    carriers.start();
    await pass(40_000);
    trunks = [trunk(['sip:b.test'], { probeIntervalMs })];
    changed();
    expect(carriers.counts().targets).toEqual({ healthy: 1, unhealthy: 0 });
    sip.probed.length = 0;
    await pass(2_500);
    expect(sip.probed).toEqual(['sip:b.test']);
    await carriers.stop();
    await pass(40_000);
    expect(sip.probed).toEqual(['sip:b.test']);
  });
});

describe('a trunk that wants it', () => {
  const register = { registrar: 'sip:a.test', username: 'u', password: 'p', expiresS: 300 };

  it('is registered, anew when it changes, and not when it is gone', async () => {
    trunks = [trunk(['sip:a.test'], { register }), trunk(['sip:b.test'])];
    carriers.start();
    expect(sip.registrations.map(({ options: wanted }) => wanted)).toEqual([{ registrar: 'sip:a.test', credentials: { username: 'u', password: 'p' }, expiresS: 300, contactUser: expect.stringMatching(/^pl[0-9a-f]{24}$/) as string }]);
    sip.registrations[0]!.becomes('registered');
    expect(carriers.counts().registrations).toEqual({ registering: 0, registered: 1, failed: 0 });
    changed();
    expect(sip.registrations).toHaveLength(1);
    const [old] = trunks;
    const first = sip.registrations[0]!;
    let left: () => void = () => undefined;
    const stop = first.stop.bind(first);
    first.stop = () => stop().then(() => new Promise<void>((resolve) => (left = resolve)));
    trunks = [{ ...old!, settings: { ...old!.settings, register: { ...register, password: 'new' } } }];
    changed();
    changed();
    await clock.advanceAsync(0, 1);
    // The registrar knows both by one Contact: what takes away the old must not come after the new.
    expect(sip.registrations.map(({ state }) => state)).toEqual(['stopped']);
    left();
    await expect.poll(() => sip.registrations.map(({ state }) => state)).toEqual(['stopped', 'registering']);
    trunks = [];
    changed();
    expect(sip.registrations.map(({ state }) => state)).toEqual(['stopped', 'stopped']);
    await carriers.stop();
  });

  it.each([
    ['sip:a.test', '<sip:edge.a.test;lr>,<sip:in.a.test;lr>', {}, '<sip:edge.a.test;lr>,<sip:in.a.test;lr>'],
    ['sips:a.test', '<sip:edge.a.test;lr;transport=tls>', {}, '<sip:edge.a.test;lr;transport=tls>'],
    // In clear, where the target is called over TLS.
    ['sips:a.test', '<sip:edge.a.test;lr>', {}, undefined],
    // Another host than the one that we are registered at.
    ['sip:b.test', '<sip:edge.a.test;lr>', {}, undefined],
    // What the trunk itself says goes before.
    ['sip:a.test', '<sip:edge.a.test;lr>', { proxy: 'sip:proxy.test;lr' }, 'sip:proxy.test;lr'],
    ['sip:a.test', null, {}, undefined],
  ])('calls %s on the way %s of its registrar', async (target, route, outbound, proxy) => {
    const by = trunk([target], { register, outbound: { ...DEFAULT_TRUNK_SETTINGS.outbound, ...outbound } });
    trunks = [by];
    carriers.start();
    sip.registrations[0]!.serviceRoute = route;
    await dial(by);
    expect(options().outboundProxy).toBe(proxy);
    await carriers.stop();
  });

  it('is registered at once when its target answers again', async () => {
    trunks = [trunk(['sip:a.test'], { register, probeIntervalMs: 5_000 })];
    carriers.start();
    await clock.advanceAsync(12_000, 500);
    expect(sip.registrations[0]!.refreshed).toBe(0);
    sip.probeAnswers.set('sip:a.test', 200);
    await clock.advanceAsync(6_000, 500);
    expect(sip.registrations[0]!.refreshed).toBe(1);
    await carriers.stop();
    expect(sip.registrations[0]!.state).toBe('stopped');
  });
});

describe('a trunk with limits', () => {
  const outbound = { ...DEFAULT_TRUNK_SETTINGS.outbound, maxCalls: 1 };

  it('takes no more calls than it may have at once; the debugger is told why', async () => {
    const by = trunk(['sip:a.test'], { outbound });
    trunks = [by];
    const first = await dial(by);
    const second = await dial(by);
    expect(second.endings).toEqual([{ cause: 'rejected', statusCode: 503, reasonPhrase: 'Trunk Limit Reached' }]);
    expect(problems).toEqual([expect.stringContaining('outbound.maxCalls')]);
    expect(sip.placed).toHaveLength(1);
    expect(carriers.preview({ trunk: by, number: '+15557000', caller: '+15550100' }).refusal).toMatch(/its 1 calls already/);
    first.call.hangup();
    expect(carriers.preview({ trunk: by, number: '+15557000', caller: '+15550100' })).toMatchObject({ refusal: null, targets: [{ target: 'sip:a.test', healthy: true, to: 'sip:+15557000@a.test' }], from: 'sip:+15550100@192.0.2.1' });
  });
});
