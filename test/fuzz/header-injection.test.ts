import { beforeEach, describe, expect, it } from 'vitest';
import { StartupError, TwilioError } from '../../src/base/errors.ts';
import { referHeaders } from '../../src/sip/dialog/referral.ts';
import { Headers } from '../../src/sip/message/headers.ts';
import { serializeMessage } from '../../src/sip/message/serialize.ts';
import type { OutgoingSipCallOptions } from '../../src/sip/contract.ts';
import { SipError } from '../../src/sip/errors.ts';
import { PlayedWire } from '../../src/sip/testing/played-wire.ts';
import { readTrunks } from '../../src/voice/carrier/trunks-file.ts';
import type { CreateCallOptions } from '../../src/voice/contract.ts';
import { FakeOutgoingCall } from '../../src/voice/testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from '../../src/voice/testing/fake-world.ts';

// Line ends, NUL, tabs and letters that end in the bytes of a line end, in every field that reaches SIP: what goes onto
// the wire has the headers of a harmless call and no other, or there is no call.

const EVIL = ['\r\nX-Evil: 1', '\nX-Evil: 1', '\rX-Evil: 1', '\r\n\r\nBYE sip:x@y SIP/2.0\r\nX-Evil: 1', '\0X-Evil: 1', '\tX-Evil: 1', '\u0085X-Evil: 1', '\u2028X-Evil: 1', '\u560d\u560aX-Evil: 1', '\u010d\u010aX-Evil: 1', ' SIP/2.0\r\nX-Evil: 1', '"\r\nX-Evil: 1', '>\r\nX-Evil: 1', '%0d%0aX-Evil:%201', '%00', '\x1b[2J\r\nX-Evil: 1'];

/** Names of all header lines, as the most lenient reader cuts them; each of a harmless call, or one of those. */
const HARMLESS = new Set(['via', 'max-forwards', 'from', 'to', 'call-id', 'cseq', 'contact', 'allow', 'user-agent', 'supported', 'session-expires', 'content-type', 'content-length', 'route', 'expires', 'x-foo', 'x-bar', 'user-to-user', 'authorization', 'proxy-authorization', 'p-asserted-identity', 'remote-party-id', 'privacy', 'x-twilio-callsid', 'x-twilio-accountsid', 'x-twilio-apiversion', 'x-twilio-parentcallsid', 'refer-to', 'referred-by', 'reason', 'call-info', 'subject', 'min-se', 'diversion']);

function strangeLines(bytes: Buffer): string[] {
  const text = bytes.toString('latin1');
  const lines = text.slice(0, text.indexOf('\r\n\r\n')).split(/\r\n|\r|\n/);
  const [first = '', ...rest] = lines;
  // `%` is as good as a letter in a header's name, and parameters of an application become `X-…` of their own.
  const foreign = rest.filter((line) => !HARMLESS.has(line.split(':', 1)[0]?.toLowerCase().replace(/^x-x-/, 'x-').replace(/%.*/, '') ?? ''));
  return first.split(' ').length === 3 && !/[\0-\x1f]/.test(first) ? foreign : [first, ...foreign];
}

let wire: PlayedWire;
let world: FakeWorld;

/** A world whose calls go onto a wire that can be read. */
beforeEach(() => {
  wire = new PlayedWire();
  world = fakeWorld({ carrier: 'sip:192.0.2.1:5070' });
  world.sip.call = (options: OutgoingSipCallOptions) => {
    wire.ua.call(options);
    const call = new FakeOutgoingCall(options);
    world.sip.placed.push(call);
    return call;
  };
});

async function readWire(): Promise<string[]> {
  await settle();
  await world.clock.advanceAsync(10);
  await settle();
  await wire.settle();
  for (const sent of [...wire.sent]) if (sent.request.method === 'INVITE') wire.answer(sent, '407 Proxy Authentication Required', ['Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth"']);
  await wire.settle();
  return wire.bytes.flatMap(strangeLines);
}

describe('a call over REST', () => {
  const FIELDS: Record<string, (evil: string) => Partial<CreateCallOptions>> = {
    'To: number': (evil) => ({ to: `+15557001000${evil}` }),
    'To: user': (evil) => ({ to: `sip:bob${evil}@192.0.2.1` }),
    'To: host': (evil) => ({ to: `sip:bob@192.0.2.1${evil}` }),
    'To: parameter': (evil) => ({ to: `sip:bob@192.0.2.1;a=b${evil}` }),
    'To: header value': (evil) => ({ to: `sip:bob@192.0.2.1?X-Foo=a${evil}` }),
    'To: header value, escaped': (evil) => ({ to: `sip:bob@192.0.2.1?X-Foo=a${encodeURIComponent(evil)}` }),
    'To: header name, escaped': (evil) => ({ to: `sip:bob@192.0.2.1?X-Foo${encodeURIComponent(evil)}=a` }),
    From: (evil) => ({ from: `+15550100${evil}` }),
    'From: name': (evil) => ({ from: `alice${evil}` }),
    'From: SIP': (evil) => ({ from: `sip:alice${evil}@192.0.2.1` }),
    CallerId: (evil) => ({ callerId: `+15550100${evil}` }),
    SipAuthUsername: (evil) => ({ sipAuthUsername: `u${evil}`, sipAuthPassword: 'p' }),
    SipAuthPassword: (evil) => ({ sipAuthUsername: 'u', sipAuthPassword: `p${evil}` }),
    CallReason: (evil) => ({ callReason: `order${evil}` }),
    Byoc: (evil) => ({ to: '+15557001000', byoc: `BY${evil}` }),
  };

  it.each(Object.entries(FIELDS))('%s', async (name, field) => {
    for (const evil of ['', ...EVIL]) {
      const call: CreateCallOptions = { to: 'sip:bob@192.0.2.1', from: '+15550100', twiml: '<Response><Pause/></Response>', other: {}, ...field(evil) };
      try {
        await world.live.create(world.accountSid, call);
      } catch (error) {
        if (!(error instanceof TwilioError)) throw error;
      }
      expect([evil, await readWire()]).toEqual([evil, []]);
      if (evil === '' && !['Byoc', 'From: SIP'].includes(name)) expect(wire.lines().join()).toContain('INVITE udp 192.0.2.1');
    }
  });
});

describe('a document', () => {
  const FIELDS: Record<string, (evil: string) => string> = {
    callerId: (evil) => `<Dial callerId="+15550100${evil}">+15557001000</Dial>`,
    'callerId: name': (evil) => `<Dial callerId="alice${evil}"><Sip>sip:bob@192.0.2.1</Sip></Dial>`,
    callReason: (evil) => `<Dial callReason="order${evil}">+15557001000</Dial>`,
    number: (evil) => `<Dial>+15557001000${evil}</Dial>`,
    '<Number>': (evil) => `<Dial><Number>+15557001000${evil}</Number></Dial>`,
    '<Sip> user': (evil) => `<Dial><Sip>sip:bob${evil}@192.0.2.1</Sip></Dial>`,
    '<Sip> host': (evil) => `<Dial><Sip>sip:bob@192.0.2.1${evil}</Sip></Dial>`,
    '<Sip> parameter': (evil) => `<Dial><Sip>sip:bob@192.0.2.1;a=b${evil}</Sip></Dial>`,
    '<Sip> header': (evil) => `<Dial><Sip>sip:bob@192.0.2.1?X-Foo=a${evil}</Sip></Dial>`,
    '<Sip> header name': (evil) => `<Dial><Sip>sip:bob@192.0.2.1?X-Foo${evil}=a</Sip></Dial>`,
    '<Sip> username': (evil) => `<Dial><Sip username="u${evil}" password="p">sip:bob@192.0.2.1</Sip></Dial>`,
    '<Sip> password': (evil) => `<Dial><Sip username="u" password="p${evil}">sip:bob@192.0.2.1</Sip></Dial>`,
    '<Header> name': (evil) => `<Dial><Sip><Uri>sip:bob@192.0.2.1</Uri><Headers><Header name="X-Foo${evil}" value="1"/></Headers></Sip></Dial>`,
    '<Header> value': (evil) => `<Dial><Sip><Uri>sip:bob@192.0.2.1</Uri><Headers><Header name="X-Foo" value="1${evil}"/></Headers></Sip></Dial>`,
    '<Client>': (evil) => `<Dial><Client>alice${evil}</Client></Dial>`,
    '<Parameter>': (evil) => `<Dial><Client><Identity>alice</Identity><Parameter name="X-Foo${evil}" value="1${evil}"/></Client></Dial>`,
    '<Refer>': (evil) => `<Refer><Sip>sip:bob@192.0.2.1${evil}</Sip></Refer>`,
    '<Refer> header': (evil) => `<Refer><Sip>sip:bob@192.0.2.1?X-Foo=${evil}</Sip></Refer>`,
    '<Reject>': (evil) => `<Reject reason="busy${evil}"/>`,
  };
  const xml = (text: string): string => [...text].map((character) => (/[\w%]/.test(character) ? character : `&#${character.codePointAt(0) ?? 0};`)).join('');

  /** A REFER for this, as bytes; what cannot be written is not sent. */
  function referLines(to: string): string[] {
    const headers = new Headers();
    try {
      for (const [name, value] of referHeaders(to, '<sip:us@192.0.2.99>')) headers.add(name, value);
      return strangeLines(serializeMessage({ kind: 'request', method: 'REFER', uri: 'sip:phone@192.0.2.1', headers, body: Buffer.alloc(0) }));
    } catch (error) {
      if (error instanceof SipError) return [];
      throw error;
    }
  }

  it.each(Object.entries(FIELDS))('%s', async (name, field) => {
    world.registered.set('alice', [{ uri: 'sip:alice@192.0.2.1', outboundProxy: null } as never]);
    for (const evil of ['', ...EVIL]) {
      world.app.on('/voice', `<Response>${field(xml(evil))}</Response>`);
      const phone = world.arrive();
      expect([evil, await readWire()]).toEqual([evil, []]);
      if (evil === '' && !/Refer|Reject/.test(name)) expect(wire.lines().join()).toContain('INVITE udp 192.0.2.1');
      if (phone.referred) expect([evil, referLines(phone.referred.to)]).toEqual([evil, []]);
      phone.remoteEnds('remote-bye');
      for (const call of world.sip.placed) call.hangup();
      await settle();
    }
  });
});

describe('a trunk of the file', () => {
  const target = 'sip:192.0.2.1';
  const FIELDS: Record<string, (evil: string) => object> = {
    name: (evil) => ({ name: `de${evil}`, targets: [{ uri: target }] }),
    'target user': (evil) => ({ targets: [{ uri: `sip:a${evil}@192.0.2.1` }] }),
    'target parameter': (evil) => ({ targets: [{ uri: `${target};a=b${evil}` }] }),
    'outbound.proxy': (evil) => ({ targets: [{ uri: target }], outbound: { proxy: `sip:192.0.2.1;lr${evil}` } }),
    'outbound.username': (evil) => ({ targets: [{ uri: target }], outbound: { username: `u${evil}`, password: 'p' } }),
    'outbound.password': (evil) => ({ targets: [{ uri: target }], outbound: { username: 'u', password: `p${evil}` } }),
    'register.registrar': (evil) => ({ targets: [{ uri: target }], register: { registrar: `sip:192.0.2.1${evil}`, username: 'u', password: 'p' } }),
  };

  it.each(Object.entries(FIELDS))('%s', async (_name, field) => {
    for (const evil of ['', ...EVIL]) {
      try {
        world.trunks.describe(readTrunks(JSON.stringify({ trunks: [{ name: 'de', default: true, ...field(evil) }] }), { accountSid: world.accountSid, nowMs: 0 }));
        await world.live.create(world.accountSid, { to: '+15557001000', from: '+15550100', twiml: '<Response><Pause/></Response>', other: {} });
      } catch (error) {
        if (!(error instanceof StartupError) && !(error instanceof TwilioError)) throw error;
      }
      expect([evil, await readWire()]).toEqual([evil, []]);
    }
  });
});

describe('the user agent itself, whoever asks it', () => {
  const call: OutgoingSipCallOptions = { to: 'sip:bob@192.0.2.1', from: 'sip:alice@192.0.2.99', body: Buffer.from('v=0\r\n'), contentType: 'application/sdp' };
  const FIELDS: Record<string, (evil: string) => Partial<OutgoingSipCallOptions>> = {
    to: (evil) => ({ to: `sip:bob@192.0.2.1${evil}` }),
    'to: headers': (evil) => ({ to: `sip:bob@192.0.2.1?X-Foo=${evil}` }),
    from: (evil) => ({ from: `sip:alice${evil}@192.0.2.99` }),
    'from: host': (evil) => ({ from: `sip:alice@192.0.2.99${evil}` }),
    fromDisplayName: (evil) => ({ fromDisplayName: `Alice${evil}` }),
    outboundProxy: (evil) => ({ outboundProxy: `sip:192.0.2.1;lr${evil}` }),
    'outboundProxy: list': (evil) => ({ outboundProxy: `<sip:192.0.2.1;lr>,<sip:192.0.2.2;lr${evil}>` }),
    contentType: (evil) => ({ contentType: `application/sdp${evil}` }),
    'header value': (evil) => ({ headers: [['X-Foo', evil]] }),
    'header name': (evil) => ({ headers: [[`X-Foo${evil}`, '1']] }),
    username: (evil) => ({ credentials: { username: `u${evil}`, password: 'p' } }),
  };

  it.each(Object.entries(FIELDS))('call: %s', async (_name, field) => {
    for (const evil of ['', ...EVIL]) {
      wire.ua.call({ ...call, ...field(evil) });
      expect([evil, await readWire()]).toEqual([evil, []]);
    }
    expect(wire.bytes.length).toBeGreaterThan(0);
  });

  it.each(['registrar', 'address', 'contactUser', 'username', 'outboundProxy'] as const)('registration: %s', async (field) => {
    for (const evil of ['', ...EVIL]) {
      const plain = { registrar: 'sip:192.0.2.1', address: 'sip:us@192.0.2.1', contactUser: 'us', username: 'us', outboundProxy: 'sip:192.0.2.1;lr' };
      const { username, ...names } = { ...plain, [field]: `${plain[field]}${evil}` };
      try {
        wire.ua.register({ ...names, credentials: { username, password: 'p' } });
      } catch (error) {
        if (!(error instanceof SipError)) throw error;
        continue;
      }
      await wire.settle();
      for (const sent of [...wire.sent]) if (sent.request.method === 'REGISTER') wire.answer(sent, '401 Unauthorized', ['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"']);
      expect([evil, await readWire()]).toEqual([evil, []]);
    }
  });
});
