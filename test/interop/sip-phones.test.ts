import dgram from 'node:dgram';
import net from 'node:net';
import twilio from 'twilio';
import { beforeAll, describe, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { startEdgeProxy } from '../peers/edge-proxy.ts';
import { runSipp, startSipp, type SippOptions } from '../peers/sipp.ts';
import { Stage } from '../peers/stage.ts';
import { sleep, waitUntil } from '../peers/wait.ts';

// Mishaps of SIP, one scenario file each, played by sipp.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const NUMBER = '+15550500';
const SLOW = '+15550501';
const BRIEF = '+15550502';
/** Rings for a second. */
const LATER = '+15550503';
/** Presses keys. */
const KEYS = '+15550504';

let stage: Stage;
/** They take more than half a minute: started first, looked at last. */
let lostAck: ReturnType<typeof runSipp>;
/** Longer than all others: run by `npm run test:all`. */
let refreshed: ReturnType<typeof runSipp> | null = null;
/** In a call from the beginning: its RTCP comes every five seconds. */
let wide: Phone;
let wideBeganMs = 0;
/** Until both sides have told of each other, and one of the other's telling. */
const REPORTED_MS = 13_000;
const all = process.env['PARTYLINE_TEST_ALL'] === '1';

beforeAll(async () => {
  stage = await Stage.open(cast);
  const pause = (path: string, length: number): void => stage.app.on(path, () => {
    const response = new VoiceResponse();
    response.say('Hello.');
    response.pause({ length });
    return response;
  });
  pause('/voice', 60);
  pause('/brief', 1);
  stage.app.on('/slow', () => {
    const response = new VoiceResponse();
    response.pause({ length: 20 });
    return response;
  });
  stage.app.on('/later', () => '<Response><Pause length="1"/><Say>Hello.</Say><Pause length="60"/></Response>');
  await stage.number(LATER, '/later');
  stage.app.on('/keys', () => '<Response><Pause length="1"/><Play digits="159#"/><Pause length="300"/></Response>');
  await stage.number(KEYS, '/keys');
  wide = await cast.add('phone with Opus', startPhone({ user: '+15557095', toneHz: 440, codecs: 'opus/48000/1', rateHz: 16_000 }));
  await wide.dial(stage.server.sipUri(KEYS));
  wideBeganMs = performance.now();
  await stage.number(NUMBER, '/voice');
  await stage.number(SLOW, '/slow');
  await stage.number(BRIEF, '/brief');
  lostAck = sipp({ scenario: 'lost-ack', service: NUMBER, timeoutMs: 45_000 });
  if (all) refreshed = sipp({ scenario: 'refreshed-by-us', service: NUMBER, timeoutMs: 58_000 });
}, 60_000);

const sipp = (options: SippOptions): ReturnType<typeof runSipp> => runSipp({ remote: `127.0.0.1:${stage.server.sipPort}`, service: NUMBER, timeoutMs: 20_000, ...options });

async function expectPlayed(options: SippOptions): Promise<void> {
  const { code, log } = await sipp(options);
  expect(code, log.slice(-6000)).toBe(0);
}

const callSids = (from: string): string[] => stage.app.matching({ params: { From: from } }).map((request) => request.params['CallSid'] ?? '');

describe('calls', () => {
  it.each(['udp', 'tcp'] as const)('a call over %s: hum, then hang up', async (transport) => {
    const before = callSids('+15557001').length;
    await expectPlayed({ scenario: 'call-stream-bye', transport });
    const sid = callSids('+15557001')[before]!;
    await stage.waitCallStatus(sid, 'completed');
    expect(Number((await stage.server.client.calls(sid).fetch()).duration)).toBeGreaterThanOrEqual(2);
  });

  it('a call given up while it rings is not answered', async () => {
    await expectPlayed({ scenario: 'cancel-before-answer', service: SLOW });
    const sid = callSids('+15557002')[0]!;
    await waitUntil(async () => ['canceled', 'no-answer'].includes((await stage.server.client.calls(sid).fetch()).status), { what: 'the canceled call to be over' });
  });

  it('an INVITE that arrives twice is one call', async () => {
    await expectPlayed({ scenario: 'retransmitted-invite' });
    expect(callSids('+15557004')).toHaveLength(1);
  });

  it('OPTIONS inside the call are answered', () => expectPlayed({ scenario: 'options-in-dialog' }));

  it('hold and resume by re-INVITE', () => expectPlayed({ scenario: 'hold-resume' }));

  it('proxies that record their route stay in the path', () => expectPlayed({ scenario: 'record-route', service: BRIEF }));

  it('one message in ten lost, and every call comes through', async () => {
    const before = callSids('+15557001').length;
    await expectPlayed({ scenario: 'call-stream-bye', calls: 6, lostPercent: 10, timeoutMs: 40_000 });
    expect(new Set(callSids('+15557001').slice(before)).size).toBe(6);
    expect(callSids('+15557001')).toHaveLength(before + 6);
  }, 60_000);
});

describe('dialogs', () => {
  it('provisional answers that must arrive, refreshes, offers and CANCELs that come at the wrong time, a 200 that is lost', async () => {
    const scenarios = ['prack-and-refresh', 'reinvite-before-ack', 'cancel-crosses-200', 'lost-200'];
    const [, , , lost] = await Promise.all(scenarios.map(async (scenario) => {
      const { code, log } = await sipp({ scenario, service: scenario === 'prack-and-refresh' ? LATER : NUMBER });
      expect(code, `${scenario}\n${log.slice(-6000)}`).toBe(0);
      return log;
    }));
    expect(lost?.match(/SIP\/2\.0 200 OK\s[^]*?CSeq: 1 INVITE/g)?.length).toBeGreaterThanOrEqual(2);
    for (const n of [1, 3, 4, 5]) await stage.waitCallStatus(callSids(`+1555702${n}`)[0]!, 'completed');
  });

  it('called phones: an answer in a 183 that must arrive, a pick-up that crosses the CANCEL, two that pick up', async () => {
    const runs = await Promise.all(['prack-called', 'answers-canceled', 'forked'].map((scenario) => startSipp({ scenario, timeoutMs: 20_000 })));
    const placed = await Promise.all(runs.map((run) => stage.server.client.calls.create({ to: `sip:phone@127.0.0.1:${run.sipPort}`, from: NUMBER, twiml: '<Response><Pause length="1"/></Response>' })));
    const [answered, canceled, forked] = placed.map((call) => call.sid) as [string, string, string];
    await stage.waitCallStatus(canceled, 'ringing');
    await stage.server.client.calls(canceled).update({ status: 'canceled' });
    for (const run of runs) expect(await run.result(), `${run.name}\n${run.log().slice(-6000)}`).toBe(0);
    await Promise.all([stage.waitCallStatus(answered, 'completed'), stage.waitCallStatus(canceled, 'canceled'), stage.waitCallStatus(forked, 'completed')]);
  });
});

describe('a proxy that stays in the path, TCP to the phone and UDP to us', () => {
  it('calls of both directions are held, resumed and hung up by either side through it', async () => {
    const phone = await cast.add('phone behind the proxy', startPhone({ user: '+15557050', toneHz: 440, transport: 'tcp' }));
    const proxy = await cast.add('kamailio', startEdgeProxy({ server: `127.0.0.1:${stage.server.sipPort}`, phone: `127.0.0.1:${phone.sipPort}` }));
    const holdAndResume = async (): Promise<void> => {
      const before = proxy.passed().filter((what) => what === 'tcp ACK').length;
      await phone.command('hold');
      await waitUntil(() => proxy.passed().filter((what) => what === 'tcp ACK').length > before, { what: () => `the hold to be acknowledged\n${proxy.log().slice(-2000)}` });
      await phone.command('resume');
      await waitUntil(() => proxy.passed().filter((what) => what === 'tcp ACK').length > before + 1, { what: () => `the resume to be acknowledged\n${proxy.log().slice(-2000)}` });
    };
    const called = (number: string): Promise<void> => phone.dial(`sip:${number}@${proxy.phoneSide}`);

    await called(NUMBER);
    await phone.waitEstablished();
    await holdAndResume();
    await phone.hangUp();
    await stage.waitCallStatus(callSids('+15557050')[0]!, 'completed');
    expect(phone.log().match(/Record-Route: [^\n]*r2=on/g)?.length, phone.log().slice(-3000)).toBeGreaterThanOrEqual(2);

    await called(BRIEF);
    await phone.waitEstablished({ nth: 2 });
    await phone.waitClosed({ nth: 2 });
    expect(proxy.passed()).toContain('udp BYE');

    const place = (twiml: string) => stage.server.client.calls.create({ to: `sip:+15557050@${proxy.serverSide}`, from: NUMBER, twiml });
    const first = await place('<Response><Pause length="60"/></Response>');
    await phone.waitEstablished({ nth: 3 });
    await holdAndResume();
    await stage.server.client.calls(first.sid).update({ status: 'completed' });
    await phone.waitClosed({ nth: 3 });
    const second = await place('<Response><Pause length="60"/></Response>');
    await phone.waitEstablished({ nth: 4 });
    await phone.hangUp();
    await stage.waitCallStatus(second.sid, 'completed');
    expect(proxy.passed().filter((what) => what.endsWith('BYE')).sort()).toEqual(['tcp BYE', 'tcp BYE', 'udp BYE', 'udp BYE']);
  });
});

describe('refusals', () => {
  it.each(['unknown-number', 'unknown-domain', 'no-common-codec', 'broken-sdp'])('%s', async (scenario) => {
    const asked = stage.app.requests.length;
    await expectPlayed({ scenario, service: scenario === 'unknown-number' ? '+15550599' : NUMBER });
    if (scenario.startsWith('unknown')) expect(stage.app.requests).toHaveLength(asked);
  });
});

const request = (lines: string[], body = ''): string => `${lines.join('\r\n')}\r\n\r\n${body}`;
const good = (port: number): string[] => [
  `INVITE sip:${NUMBER}@127.0.0.1 SIP/2.0`,
  `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bKbad${port};rport`,
  `From: <sip:bad@127.0.0.1:${port}>;tag=bad`,
  `To: <sip:${NUMBER}@127.0.0.1>`,
  `Call-ID: bad-${port}@127.0.0.1`,
  'CSeq: 1 INVITE',
  `Contact: <sip:bad@127.0.0.1:${port}>`,
  'Max-Forwards: 70',
];
const without = (lines: string[], name: string): string[] => lines.filter((line) => !line.startsWith(name));

const malformed: [what: string, make: (port: number) => string][] = [
  ['without CSeq', (port) => request(without(good(port), 'CSeq'))],
  ['without Call-ID', (port) => request(without(good(port), 'Call-ID'))],
  ['without From', (port) => request(without(good(port), 'From'))],
  ['whose CSeq is another method', (port) => request([...without(good(port), 'CSeq'), 'CSeq: 1 BYE'])],
  ['whose CSeq is too large', (port) => request([...without(good(port), 'CSeq'), 'CSeq: 99999999999999 INVITE'])],
  ['shorter than its Content-Length', (port) => request([...good(port), 'Content-Length: 5000'], 'v=0')],
  ['whose Content-Length is negative', (port) => request([...good(port), 'Content-Length: -1'])],
  ['with an unterminated quoted name', (port) => request([...without(good(port), 'From'), `From: "bad <sip:bad@127.0.0.1:${port}>;tag=bad`])],
  ['with a request line that is none', (port) => request(['INVITE', ...good(port).slice(1)])],
  ['that is noise', () => '\u0000\u0001\u0002\u00ff not SIP at all \r\n\r\n'],
];

describe('malformed messages', () => {
  it.each(malformed)('a message %s gets 400 or silence', async (_what, make) => {
    const socket = dgram.createSocket('udp4');
    const answers: string[] = [];
    socket.on('message', (bytes) => answers.push(bytes.toString('latin1')));
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    socket.send(Buffer.from(make(socket.address().port), 'latin1'), stage.server.sipPort, '127.0.0.1');
    await sleep(250);
    socket.close();
    for (const answer of answers) expect(answer).toMatch(/^SIP\/2\.0 400 /);
    expect(stage.server.child.exitCode, stage.server.log().slice(-3000)).toBeUndefined();
  });

  it('noise over TCP closes that connection and nothing else', async () => {
    const socket = net.connect(stage.server.sipPort, '127.0.0.1');
    let closed = false;
    socket.on('close', () => (closed = true));
    socket.on('error', () => undefined);
    socket.write(`${'x'.repeat(200_000)}\r\n\r\n`);
    await waitUntil(() => closed, { timeoutMs: 10_000, what: 'the connection to be closed' });
    expect(stage.server.child.exitCode).toBeUndefined();
  });

  it('after all of it a phone still gets through', async () => {
    const phone = await cast.add('phone', startPhone({ user: '+15557009', toneHz: 440 }));
    await phone.dial(stage.server.sipUri(NUMBER));
    await phone.waitEstablished();
    await phone.hangUp();
    await phone.waitClosed();
  });
});

it('a 200 that never gets its ACK is repeated, and the call ended after 32 s', async () => {
  const { code, log } = await lostAck;
  expect(code, log.slice(-6000)).toBe(0);
  expect(log.match(/message received[^\n]*\n\s*SIP\/2\.0 200/g)?.length ?? 0, log.slice(-4000)).toBeGreaterThan(3);
  const sid = callSids('+15557003')[0]!;
  await stage.waitCallStatus(sid, 'completed').catch(() => stage.waitCallStatus(sid, 'failed', 1000));
}, 60_000);

it.runIf(all)('a session is refreshed after half its time, and an offer of the caller that crosses is waited for', async () => {
  const { code, log } = (await refreshed) ?? { code: null, log: '' };
  expect(code, log.slice(-6000)).toBe(0);
  await stage.waitCallStatus(callSids('+15557022')[0]!, 'completed');
}, 60_000);

it('a phone with Opus gets our keys and reports by RTCP, and how it was is kept with its call', async () => {
  const [request] = stage.app.matching({ path: '/keys' });
  const sid = request?.params['CallSid'] ?? '';
  await waitUntil(() => wide.count('CALL_DTMF_START') >= 4, { what: () => `four keys\n${wide.log().slice(-3000)}` });
  expect(wide.events.filter(({ type }) => type === 'CALL_DTMF_START').map(({ param }) => param)).toEqual(['1', '5', '9', '#']);
  await sleep(Math.max(0, wideBeganMs + REPORTED_MS - performance.now()));
  await wide.hangUp();
  await stage.waitCallStatus(sid, 'completed');
  const { accountSid, authToken, httpUrl } = stage.server;
  const headers = { authorization: `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}` };
  const kept = await waitUntil(async () => ((await (await fetch(`${httpUrl}/partyline/v1/Calls/${sid}`, { headers })).json()) as { quality: Record<string, number | string | null> | null }).quality, { what: 'how it was' });
  expect(kept).toMatchObject({ codec: 'OPUS', scale: 'wide-band', roundTripMs: expect.any(Number) as number, remoteLost: expect.any(Number) as number, remoteJitterMs: expect.any(Number) as number });
  expect(kept['mos']).toBeGreaterThan(4);
  expect(kept['packetsReceived']).toBeGreaterThan(100);
}, 30_000);
