import { describe, expect, it } from 'vitest';
import { StartupError } from '../../base/errors.ts';
import { newSid } from '../../base/sid.ts';
import { FakeSipDirectory } from '../testing/fake-sip-directory.ts';
import { FakeTrunkRepository } from '../testing/fake-trunks.ts';
import { DEFAULT_TRUNK_SETTINGS } from './model.ts';
import { readTrunks } from './trunks-file.ts';
import { createTrunks } from './trunks.ts';

const accountSid = newSid('AC');
const read = (trunks: unknown) => readTrunks(JSON.stringify({ trunks }), { accountSid, nowMs: 1000 });
const refusal = (trunks: unknown): string => {
  try {
    read(trunks);
  } catch (error) {
    if (error instanceof StartupError) return error.message;
    throw error;
  }
  return 'accepted';
};

describe('the trunks file', () => {
  it('of a name alone is a trunk of the defaults', () => {
    expect(read([{ name: 'acme' }])[0]?.trunk).toMatchObject({ accountSid, friendlyName: 'acme', voiceUrl: null, settings: DEFAULT_TRUNK_SETTINGS });
  });

  it('says all of a trunk, and passwords that come in are kept hashed', () => {
    const [entry] = read([
      {
        name: 'acme', default: true, voiceUrl: 'https://app.example/voice', callerName: true,
        targets: [{ uri: 'sip:a.test;transport=tcp' }, { uri: 'sip:b.test', priority: 20, weight: 1, enabled: false }],
        inbound: { networks: ['203.0.113.0/24', '2001:db8::1'], credentials: [{ username: 'pbx', password: 'in-secret' }], trustIdentity: false },
        outbound: { username: 'us', password: 'out-secret', proxy: 'sip:proxy.test', identity: 'pai', allowedPrefixes: ['+49'], maxCalls: 30, callsPerMinute: 60, answerTimeoutMs: 2000 },
        register: { registrar: 'sip:reg.test', username: 'us', password: 'reg-secret' },
        numbers: { countryCode: '49', nationalPrefix: '0', out: 'national' }, media: { srtp: 'require', codecs: ['pcma'] }, probeIntervalS: null,
      },
    ]);
    expect(entry?.policy.targets).toMatchObject([{ target: 'sip:a.test;transport=tcp', priority: 10, weight: 10, enabled: true }, { target: 'sip:b.test', priority: 20, weight: 1, enabled: false }]);
    expect(entry?.trunk.settings).toMatchObject({
      isDefault: true,
      inbound: { networks: [{ network: '203.0.113.0', prefixLength: 24 }, { network: '2001:db8::1', prefixLength: 128 }], trustIdentity: false },
      outbound: { credentials: { username: 'us', password: 'out-secret' }, proxy: 'sip:proxy.test', identity: 'pai', allowedPrefixes: ['+49'], maxCalls: 30, callsPerMinute: 60, answerTimeoutMs: 2000 },
      register: { registrar: 'sip:reg.test', expiresS: 300 },
      numbers: { countryCode: '49', nationalPrefix: '0', internationalPrefix: '00', out: 'national' },
      media: { srtp: 'require', codecs: ['pcma'] },
      probeIntervalMs: null,
    });
    expect(JSON.stringify(entry?.trunk.settings?.inbound)).not.toContain('in-secret');
  });

  it('gives a trunk the same SIDs at every start', () => {
    expect(read([{ name: 'acme' }])[0]?.trunk.sid).toBe(read([{ name: 'other' }, { name: 'acme' }])[1]?.trunk.sid);
    expect(read([{ name: 'acme' }])[0]?.trunk.sid).not.toBe(read([{ name: 'other' }])[0]?.trunk.sid);
  });

  it.each([
    [[{}], /^PARTYLINE_TRUNKS_FILE: trunks\[0\]\.name /],
    [[{ name: 'a' }, { name: 'a' }], /trunks\[1\]\.name is the name of another trunk/],
    [[{ name: 'a', default: true }, { name: 'b', default: true }], /only one can be the default/],
    [['a', 'b'].map((name) => ({ name, inbound: { credentials: [{ username: 'u', password: 'p' }] } })), /a username of inbound\.credentials is there twice/],
    [[{ name: 'a', targets: [{ uri: 'sip:ok.test' }, { uri: 'sips:no.test' }] }], /trunks\[0\]\.targets\[1\]\.uri must look like sip:/],
    [[{ name: 'a', inbound: { networks: ['10.0.0.0/33'] } }], /trunks\[0\]\.inbound\.networks\[0\] must be an address or a network/],
    [[{ name: 'a', inbound: { networks: ['0.0.0.0/0'] } }], /networks\[0\] is wider than any carrier/],
    [[{ name: 'a', inbound: { networks: ['10.0.0.0/8', '::/0'] } }], /networks\[1\] is wider than any carrier/],
    [[{ name: 'a', inbound: { networks: ['example.com'] } }], /networks\[0\] must be an address/],
    [[{ name: 'a', outbound: { username: 'u' } }], /trunks\[0\]\.outbound username and password go together/],
    [[{ name: 'a', numbers: { out: 'national' } }], /trunks\[0\]\.numbers national numbers need a countryCode/],
    [[{ name: 'a', register: { registrar: 'sip:r.test', username: 'u', password: 'a"b' } }], /register\.password must be ASCII without quotation marks/],
    [[{ name: 'a', tragets: [] }], /trunks\[0\].*tragets/],
  ])('%j is refused by the path of the field', (trunks, line) => expect(refusal(trunks)).toMatch(line));

  it('tells no password of a file that is none', () => {
    expect(() => readTrunks('{"trunks": [{"password": "hush"', { accountSid, nowMs: 0 })).toThrow(/^PARTYLINE_TRUNKS_FILE: is no JSON object$/);
    expect(refusal([{ name: 'a', outbound: { username: 'u', password: 'hu"sh' } }])).not.toContain('sh"');
  });
});

describe('trunks', () => {
  it('of file, REST and PARTYLINE_CARRIER stand side by side; calls leave by the default one', () => {
    const trunks = createTrunks({ repository: new FakeTrunkRepository(), sipDirectory: new FakeSipDirectory(), directory: { account: () => null }, carrier: 'sip:10.0.0.9:5070' });
    expect(trunks.defaultTrunk(accountSid)).toMatchObject({ name: 'PARTYLINE_CARRIER', targets: [{ target: 'sip:10.0.0.9:5070', enabled: true }] });
    let told = 0;
    const stop = trunks.onChanged(() => void told++);
    trunks.describe(read([{ name: 'spare' }, { name: 'main', default: true }]));
    expect(told).toBe(1);
    stop();
    expect(trunks.defaultTrunk(accountSid)?.name).toBe('main');
    expect(trunks.defaultTrunk(newSid('AC'))?.name).toBe('PARTYLINE_CARRIER');
    expect(trunks.all().map(({ name }) => name)).toEqual(['spare', 'main', 'PARTYLINE_CARRIER']);
    const sid = trunks.defaultTrunk(accountSid)?.sid ?? '';
    expect(trunks.findTrunk(accountSid, sid)?.name).toBe('main');
    expect(trunks.findTrunk(newSid('AC'), sid)).toBeNull();
    trunks.describe([]);
    expect(trunks.findTrunk(accountSid, sid)).toBeNull();
    expect(told).toBe(1);
  });
});
