import { beforeEach, describe, expect, it } from 'vitest';
import { TwilioError } from '../base/errors.ts';
import type { CreateCallOptions } from './contract.ts';
import { sdpBody, type FakeOutgoingCall } from './testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from './testing/fake-world.ts';

let world: FakeWorld;

beforeEach(() => {
  world = fakeWorld({ carrier: 'sip:10.0.0.9:5070;transport=tcp' });
});

const ALL = ['initiated', 'ringing', 'answered', 'completed'];

function options(more: Partial<CreateCallOptions> = {}): CreateCallOptions {
  return { to: 'sip:bob@198.51.100.8', from: '+15550100', twiml: '<Response><Pause length="5"/></Response>', statusCallback: 'http://app.test/status', statusCallbackEvents: ALL, other: {}, ...more };
}

async function dial(more: Partial<CreateCallOptions> = {}): Promise<FakeOutgoingCall> {
  await world.live.create(world.accountSid, options(more));
  await world.clock.advanceAsync(10);
  await settle();
  return world.sip.placed[0] as FakeOutgoingCall;
}

const statuses = (): (string | undefined)[] => world.told.map(({ params }) => params['CallStatus']);
const refusedCode = async (more: Partial<CreateCallOptions>): Promise<number | string> => {
  try {
    return (await world.live.create(world.accountSid, options(more))).status;
  } catch (error) {
    return error instanceof TwilioError ? error.code : String(error);
  }
};

describe('a call over REST', () => {
  it('is queued first, and each step is told in order', async () => {
    expect(await world.live.create(world.accountSid, options())).toMatchObject({ status: 'queued', direction: 'outbound-api', startedAtMs: null });
    await world.clock.advanceAsync(10);
    const phone = world.sip.placed[0] as FakeOutgoingCall;
    phone.rings();
    expect(world.record().status).toBe('ringing');
    phone.answers();
    await settle();
    expect(world.record().status).toBe('in-progress');
    await world.clock.advanceAsync(5100);
    expect(phone.said).toEqual(['INVITE', 'BYE']);
    expect(statuses()).toEqual(['initiated', 'ringing', 'in-progress', 'completed']);
    expect(world.told.map(({ params }) => params['SequenceNumber'])).toEqual(['0', '1', '2', '3']);
    expect(world.told.map(({ params }) => params['CallDuration'])).toEqual([undefined, undefined, undefined, '5']);
    expect(world.told[0]?.params['Timestamp']).toMatch(/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} \+0000$/);
    expect(world.media.phones[0]?.closed).toBe(true);
    expect(world.clock.pending).toBe(0);
  });

  it('is answered for, and dialled, only when it is in the database', async () => {
    let written = (): void => undefined;
    world.calls.saved = () => new Promise((resolve) => (written = resolve));
    let answered = false;
    const created = world.live.create(world.accountSid, options()).then(() => (answered = true));
    await world.clock.advanceAsync(1000);
    expect([answered, world.sip.placed.length]).toEqual([false, 0]);
    written();
    await created;
    await world.clock.advanceAsync(10);
    expect(world.sip.placed).toHaveLength(1);
  });

  it('names its call and account in the INVITE', async () => {
    const phone = await dial({ to: 'sip:bob@198.51.100.8;transport=tcp?X-Foo=bar', sipAuthUsername: 'u', sipAuthPassword: 'p', timeout: '20' });
    expect(phone.options).toMatchObject({ to: 'sip:bob@198.51.100.8;transport=tcp?X-Foo=bar', from: 'sip:+15550100@192.0.2.1', ringTimeoutMs: 20_000, credentials: { username: 'u', password: 'p' } });
    expect(Object.fromEntries(phone.options.headers ?? [])).toEqual({ 'X-Twilio-CallSid': world.record().sid, 'X-Twilio-AccountSid': world.accountSid, 'X-Twilio-ApiVersion': '2010-04-01' });
  });

  it('to a number goes through the carrier', async () => {
    expect((await dial({ to: '+1 555 700 1000' })).options.to).toBe('sip:+15557001000@10.0.0.9:5070;transport=tcp');
    expect(world.record().to).toBe('+15557001000');
  });

  it('asks for TwiML when it is answered, not before', async () => {
    world.app.on('/answered', '<Response><Hangup/></Response>');
    const phone = await dial({ url: 'http://app.test/answered', twiml: '<Response/>' });
    phone.rings();
    await settle();
    expect(world.app.asked).toEqual([]);
    phone.answers();
    await settle();
    expect(world.app.asked[0]).toMatchObject({ path: '/answered', params: { CallStatus: 'in-progress', Direction: 'outbound-api' } });
    expect(phone.said.at(-1)).toBe('BYE');
    expect(world.calls.notifications.map(({ errorCode }) => errorCode)).toEqual([32019]);
  });

  it('sends its keys before the first verb', async () => {
    const phone = await dial({ sendDigits: 'W12' });
    phone.answers();
    await settle();
    expect(world.media.phones[0]?.digits).toEqual(['W12']);
    await world.clock.advanceAsync(5100);
    expect(phone.said.at(-1)).toBe('BYE');
  });

  it.each([
    [486, 'busy'],
    [600, 'busy'],
    [480, 'no-answer'],
    [408, 'no-answer'],
    [404, 'failed'],
    [503, 'failed'],
  ])('refused with %i is %s', async (statusCode, status) => {
    const phone = await dial();
    phone.rings();
    phone.refuses(statusCode);
    await settle();
    expect(world.record().status).toBe(status);
    expect(world.told.at(-1)?.params).toMatchObject({ CallStatus: status, SipResponseCode: String(statusCode), CallDuration: '0' });
    expect(world.live.liveCount).toBe(0);
  });

  it('keeps in its debugger that a status callback was not taken', async () => {
    await dial();
    world.told[0]?.refused?.({ errorCode: 15003, message: 'HTTP 500', url: 'http://app.test/status' });
    expect(world.calls.notifications).toMatchObject([{ errorCode: 15003, log: 1, callSid: world.record().sid }]);
  });

  it('answered with a codec nobody offered fails', async () => {
    const phone = await dial();
    phone.answers(sdpBody('v=0\r\nc=IN IP4 198.51.100.7\r\nm=audio 4000 RTP/AVP 18\r\n'));
    await settle();
    expect(world.record()).toMatchObject({ status: 'failed', terminationReason: 'no-common-codec' });
    expect(phone.said.at(-1)).toBe('BYE');
  });
});

describe('whether a machine answered', () => {
  const phoneMedia = () => world.media.phones[0] as (typeof world.media.phones)[number];
  const hello = async (): Promise<void> => {
    phoneMedia().emit('voiceChanged', true);
    await world.clock.advanceAsync(600);
    phoneMedia().emit('voiceChanged', false);
    await settle();
  };

  beforeEach(() => world.app.on('/answered', '<Response><Pause length="60"/></Response>'));

  it('holds the first request back until it is clear, which then says so', async () => {
    const phone = await dial({ url: 'http://app.test/answered', machineDetection: 'Enable' });
    phone.answers();
    await settle();
    expect(phoneMedia().watched).toBe(true);
    await hello();
    expect(world.app.asked).toEqual([]);
    await world.clock.advanceAsync(1200);
    await settle();
    expect(world.app.asked[0]?.params).toMatchObject({ AnsweredBy: 'human', CallStatus: 'in-progress' });
    expect(world.record().answeredBy).toBe('human');
    expect(phoneMedia().watched).toBe(false);
    await world.live.update(world.accountSid, world.record().sid, { status: 'completed' });
    expect(world.told.at(-1)?.params).toMatchObject({ AnsweredBy: 'human', CallStatus: 'completed' });
    expect(world.clock.pending).toBe(0);
  });

  it('a machine is waited for to the end of its greeting', async () => {
    const phone = await dial({ url: 'http://app.test/answered', machineDetection: 'DetectMessageEnd' });
    phone.answers();
    await settle();
    phoneMedia().emit('voiceChanged', true);
    await world.clock.advanceAsync(1500);
    phoneMedia().emit('voiceChanged', false);
    await world.clock.advanceAsync(300);
    phoneMedia().emit('voiceChanged', true);
    await world.clock.advanceAsync(4000);
    expect(world.app.asked).toEqual([]);
    phoneMedia().emit('beepHeard');
    await settle();
    expect(world.app.asked[0]?.params['AnsweredBy']).toBe('machine_end_beep');
  });

  it('AsyncAmd: the call goes on at once, and its own callback is told', async () => {
    const phone = await dial({ url: 'http://app.test/answered', machineDetection: 'Enable', asyncAmd: 'true', asyncAmdStatusCallback: 'http://app.test/amd' });
    phone.answers();
    await settle();
    expect(world.app.asked[0]?.params).not.toHaveProperty('AnsweredBy');
    phoneMedia().emit('voiceChanged', true);
    await world.clock.advanceAsync(2500);
    await settle();
    const { sid, accountSid } = world.record();
    expect(world.told.at(-1)).toMatchObject({ url: 'http://app.test/amd', params: { CallSid: sid, AccountSid: accountSid, AnsweredBy: 'machine_start', MachineDetectionDuration: '2400' } });
    expect(world.app.asked).toHaveLength(1);
  });

  it('a redirect meanwhile wins; an end meanwhile leaves nothing behind', async () => {
    const phone = await dial({ url: 'http://app.test/answered', machineDetection: 'Enable' });
    phone.answers();
    await settle();
    await world.live.update(world.accountSid, world.record().sid, { twiml: '<Response><Say>moved</Say><Pause length="60"/></Response>' });
    await settle();
    await hello();
    await world.clock.advanceAsync(1300);
    await settle();
    expect(world.spoken).toEqual(['moved']);
    expect(world.app.asked).toEqual([]);

    world = fakeWorld();
    const other = await dial({ url: 'http://app.test/answered', machineDetection: 'Enable' });
    other.answers();
    await settle();
    other.emit('ended', { cause: 'remote-bye' });
    await settle();
    expect(world.record()).toMatchObject({ status: 'completed', answeredBy: null });
    expect(world.clock.pending).toBe(0);
  });

  it('keys to be sent switch it off', async () => {
    const phone = await dial({ url: 'http://app.test/answered', machineDetection: 'Enable', sendDigits: '1' });
    phone.answers();
    await settle();
    expect(world.app.asked).toHaveLength(1);
  });
});

describe('an update', () => {
  const update = (change: Parameters<FakeWorld['live']['update']>[2]): Promise<{ status: string }> => world.live.update(world.accountSid, world.record().sid, change);

  it('cancels what is queued without a word to anybody', async () => {
    await world.live.create(world.accountSid, options());
    expect(await update({ status: 'canceled' })).toMatchObject({ status: 'canceled' });
    await world.clock.advanceAsync(50);
    expect(world.sip.placed).toEqual([]);
    expect(world.told).toEqual([]);
  });

  it('cancels what rings', async () => {
    const phone = await dial();
    phone.rings();
    await update({ status: 'canceled' });
    expect(phone.said).toEqual(['INVITE', 'CANCEL']);
    expect(statuses()).toEqual(['initiated', 'ringing', 'canceled']);
    expect(world.told.at(-1)?.params).toMatchObject({ SipResponseCode: '487', CallDuration: '0' });
  });

  it('completes what is answered, and cancels nothing there', async () => {
    const phone = await dial();
    phone.answers();
    await settle();
    expect((await update({ status: 'canceled' })).status).toBe('in-progress');
    expect((await update({ status: 'completed' })).status).toBe('completed');
    expect(phone.said).toEqual(['INVITE', 'BYE']);
  });

  it('gives other TwiML at once, only to a call in progress', async () => {
    const phone = await dial({ twiml: '<Response><Pause length="99"/></Response>' });
    await expect(update({ twiml: '<Response/>' })).rejects.toMatchObject({ code: 21220, status: 400 });
    phone.answers();
    await settle();
    await update({ twiml: '<Response><Say>moved</Say><Pause length="3"/></Response>' });
    await settle();
    expect(world.spoken).toEqual(['moved']);
    await update({ status: 'completed' });
    await expect(update({ url: 'http://app.test/x' })).rejects.toMatchObject({ code: 21220 });
    expect((await update({ status: 'completed' })).status).toBe('completed');
  });

  it('shortens a call', async () => {
    const phone = await dial({ twiml: '<Response><Pause length="99"/></Response>' });
    phone.answers();
    await settle();
    await update({ timeLimit: '10' });
    await world.clock.advanceAsync(10_100, 100);
    expect(phone.said.at(-1)).toBe('BYE');
  });

  it('of an unknown call is a 404', async () => {
    await expect(world.live.update(world.accountSid, 'CA0' as never, { status: 'completed' })).rejects.toMatchObject({ code: 20404, status: 404 });
  });
});

describe('parameters', () => {
  it.each<[Partial<CreateCallOptions>, number]>([
    [{ to: '' }, 21201],
    [{ from: '' }, 21213],
    [{ twiml: '' }, 21205],
    [{ url: 'ftp://app.test/' }, 21205],
    [{ twiml: 'x'.repeat(4001) }, 21205],
    [{ url: 'http://app.test/', method: 'PUT' }, 21209],
    [{ applicationSid: 'AP0' }, 21218],
    [{ from: '+15550499' }, 21210],
    [{ to: '+15557001000', from: 'alice' }, 21212],
    [{ to: 'bob' }, 21211],
    [{ to: 'client:' }, 21211],
    [{ to: 'client:bob?x=1' }, 21211],
    [{ to: 'sip:bob@host\r\nX: y' }, 21211],
    [{ timeout: 'abc' }, 21208],
    [{ timeout: '601' }, 21208],
    [{ sendDigits: 'xyz' }, 21206],
    [{ statusCallbackEvents: ['foo'] }, 21626],
    [{ statusCallback: 'http://no_good.test/' }, 21609],
    [{ sipAuthUsername: 'u' }, 21225],
    [{ sipAuthUsername: 'u'.repeat(256), sipAuthPassword: 'p' }, 21221],
    [{ sipAuthUsername: 'u"', sipAuthPassword: 'p' }, 21222],
    [{ sipAuthUsername: 'u', sipAuthPassword: 'p'.repeat(256) }, 21223],
    [{ sipAuthUsername: 'u', sipAuthPassword: 'p\r\n' }, 21224],
    [{ to: `sip:bob@host?X-Long=${'x'.repeat(1020)}` }, 21227],
    [{ to: 'sip:bob@host?X%20Y=1' }, 21228],
    [{ to: 'sip:bob@host?X-A=1%0d%0aEvil:%201' }, 21229],
    [{ callReason: 'x'.repeat(51) }, 20001],
    [{ to: '+15557001000', from: 'client:alice' }, 21212],
    [{ machineDetection: 'Maybe' }, 21234],
    [{ other: { Record: 'maybe' } }, 20001],
    [{ other: { Record: 'true', RecordingChannels: 'stereo' } }, 20001],
    [{ to: '+15557001000', byoc: 'BY0' }, 21300],
    [{ other: { ClientNotificationUrl: 'https://app.test/' } }, 20001],
    [{ other: { CallToken: 'x' } }, 20001],
  ])('%o is refused with %i', async (more, code) => {
    expect(await refusedCode(more)).toBe(code);
    expect(world.live.liveCount).toBe(0);
  });

  it('a plain name may call a SIP address; what is off needs nothing; events may come in one text', async () => {
    expect(await refusedCode({ from: 'alice', other: { Record: 'false', Unknown: 'x' }, statusCallbackEvents: ['initiated ringing'] })).toBe('queued');
  });

  it('Byoc means nothing towards a SIP address; a client may stand in From; CallReason is shown to the phone', async () => {
    const phone = await dial({ from: 'client:alice', byoc: 'BY0', callReason: 'Your delivery' });
    expect(world.record().from).toBe('client:alice');
    expect(phone.options.from).toBe('sip:alice@192.0.2.1');
    expect(phone.options.headers).toContainEqual(['Subject', 'Your delivery']);
  });

  it('without a carrier numbers cannot be called', async () => {
    world = fakeWorld();
    expect(await refusedCode({ to: '+15557001000' })).toBe(21214);
  });
});

describe('an update with TwiML', () => {
  const update = (twiml: string): Promise<unknown> => world.live.update(world.accountSid, world.record().sid, { twiml });

  it('must name absolute actions: a relative one is refused before the call notices (case B32)', async () => {
    const phone = await dial();
    phone.answers();
    await settle();
    for (const twiml of ['<Response><Gather action="/rel"/></Response>', '<Response><Connect action="rel"><Room>A</Room></Connect></Response>']) await expect(update(twiml)).rejects.toMatchObject({ code: 15004 });
    expect(phone.said).toEqual(['INVITE']);
    await update('<Response><Gather action="http://app.test/keys" timeout="1"/><Hangup/></Response>');
    await world.clock.advanceAsync(1100);
    await settle();
    expect(phone.said).toEqual(['INVITE', 'BYE']);
  });

  it('that cannot be read ends in a Notification', async () => {
    const phone = await dial();
    phone.answers();
    await settle();
    await update('<Response><Gather');
    await settle();
    expect(world.calls.notifications.map(({ errorCode }) => errorCode)).toContain(12100);
  });
});
