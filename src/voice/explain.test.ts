import { beforeEach, expect, it } from 'vitest';
import { silentLog } from '../base/log.ts';
import { Carriers } from './carrier/carriers.ts';
import { readTrunks } from './carrier/trunks-file.ts';
import { createExplainer, type Explanation, type ExplainRequest } from './explain.ts';
import { fakeWorld, type FakeWorld } from './testing/fake-world.ts';

const ACME = {
  name: 'acme',
  default: true,
  targets: [{ uri: 'sip:b.test:5070', priority: 20 }, { uri: 'sip:a.test', priority: 10 }, { uri: 'sip:off.test', enabled: false }],
  inbound: { networks: ['203.0.113.0/24'], credentials: [{ username: 'pbx', password: 'secret' }] },
  outbound: { username: 'us', password: 'hush', identity: 'pai', allowedPrefixes: ['+49'] },
  numbers: { countryCode: '49', nationalPrefix: '0', out: 'national' },
};

let world: FakeWorld;
beforeEach(() => {
  world = fakeWorld({ strangers: 'unless-trunks' });
  world.number.phoneNumber = '+4930123456';
  world.trunks.describe(readTrunks(JSON.stringify({ trunks: [ACME] }), { accountSid: world.accountSid, nowMs: 0 }));
});

function explain(request: Partial<ExplainRequest>, localHosts = ['127.0.0.1']): Explanation {
  const { directory, sipDirectory, trunks, sip, clock, accountSid } = world;
  const config = { publicAddress: '192.0.2.1', localHosts, strangers: 'unless-trunks' as const, carrier: null, dataDir: '', speech: { command: '' } };
  const carriers = new Carriers({ sip, trunks, clock, log: silentLog, publicAddress: '192.0.2.1' });
  return createExplainer({ directory, sipDirectory, trunks, config, carriers, mayDial: (destination) => world.live.mayDial(destination) }).explain(accountSid, { direction: 'inbound', from: '089998877', to: '030123456', ...request });
}
const rules = ({ steps }: Explanation): string[] => steps.map(({ rule, verdict }) => `${rule} ${verdict}`);

it('a call of the trunk: by which source, which number, who answers', () => {
  const explained = explain({ source: '203.0.113.9' });
  expect(explained).toMatchObject({ accepted: true, outcome: expect.stringContaining('From +4989998877, To +4930123456, POST http://app.test/voice') as string });
  expect(rules(explained)).toEqual(['domain no', 'host yes', 'trunk yes', 'number yes', 'application yes', 'caller note']);
  expect(explained.steps[2]?.text).toMatch(/^203\.0\.113\.9 is a source of trunk acme \(BY/);
});

it('a number is called at an address that the server has, not at the wildcard it binds to', () => {
  expect(explain({ source: '203.0.113.9' }, ['0.0.0.0', '198.51.100.5', 'localhost']).steps[1]?.text).toBe('198.51.100.5 is this server');
});

it('a stranger is asked who it is; a user of the trunk goes on, nobody else', () => {
  expect(explain({ source: '198.51.100.7' })).toMatchObject({ accepted: false, outcome: expect.stringContaining('407') as string });
  expect(rules(explain({ source: '198.51.100.7' })).slice(-1)).toEqual(['credentials note']);
  expect(explain({ source: '198.51.100.7', user: 'pbx' })).toMatchObject({ accepted: true });
  expect(explain({ source: '198.51.100.7', user: 'mallory' })).toMatchObject({ accepted: false, outcome: 'refused: mallory is none of the users that may call' });
});

it('an unknown number and an unknown host say what was looked for', () => {
  expect(explain({ source: '203.0.113.9', to: '030999' })).toMatchObject({ accepted: false, outcome: expect.stringContaining('404') as string });
  expect(explain({ source: '203.0.113.9', to: '030999' }).steps.find(({ rule }) => rule === 'number')?.text).toContain('looked for 030999');
  expect(explain({ source: '203.0.113.9', to: 'sip:030123456@elsewhere.test' })).toMatchObject({ accepted: false, outcome: expect.stringContaining('403 Unknown domain') as string });
});

it('a call out: by which trunk, to which targets, as whom; no password is told', () => {
  const explained = explain({ direction: 'outbound', from: '+4930123456', to: '+4989112233' });
  expect(explained).toMatchObject({ accepted: true, outcome: 'placed by trunk acme to sip:089112233@a.test, then 1 more target(s)' });
  expect(explained.steps.filter(({ rule }) => rule.startsWith('target')).map(({ text }) => text)).toEqual(['sip:089112233@a.test (priority 10, weight 10)', 'sip:089112233@b.test:5070 (priority 20, weight 10)']);
  expect(explained.steps.find(({ rule }) => rule === 'caller')?.text).toBe('From sip:030123456@192.0.2.1, P-Asserted-Identity: <sip:030123456@192.0.2.1>');
  expect(JSON.stringify(explained)).not.toContain('hush');
});

it('a call out that the fraud guard stops says what to change', () => {
  world.trunks.describe(readTrunks(JSON.stringify({ trunks: [{ ...ACME, outbound: {} }] }), { accountSid: world.accountSid, nowMs: 0 }));
  const explained = explain({ direction: 'outbound', from: '+4930123456', to: '+881612345678' });
  expect(explained).toMatchObject({ accepted: false, outcome: expect.stringMatching(/^refused: 21215 .*satellite/) as string });
  expect(rules(explained)).toEqual(['fraud guard refused']);
});

it('a call out that may not leave says so with the number of the API', () => {
  expect(explain({ direction: 'outbound', from: '+4930123456', to: '+15550100' })).toMatchObject({ accepted: false, outcome: expect.stringMatching(/^refused: 21215 /) as string });
  expect(explain({ direction: 'outbound', from: '+4930777', to: '+4989112233' })).toMatchObject({ accepted: false, outcome: expect.stringMatching(/^refused: 21210 /) as string });
});

it('what cannot be read is refused with 20001', () => {
  expect(() => explain({ source: 'example.com' })).toThrow(expect.objectContaining({ code: 20001 }) as Error);
  expect(() => explain({ to: 'sip:' })).toThrow(expect.objectContaining({ code: 20001 }) as Error);
});
