import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakePhone } from '../../testing/fake-media.ts';
import type { SipBody } from '../../sip/contract.ts';
import { sdpBody, type FakeIncomingCall, type FakeOutgoingCall } from '../testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from '../testing/fake-world.ts';
import type { CallRecord } from '../model.ts';

let world: FakeWorld;
beforeEach(() => {
  world = fakeWorld({ carrier: 'sip:10.0.0.9:5070' });
  world.app.on('/after', '<Response><Pause length="600"/></Response>');
  world.app.on('/next', '<Response><Pause length="600"/></Response>');
});

/** A caller whose document is this `<Dial>`, then a redirect. */
async function call(dial: string): Promise<FakeIncomingCall> {
  world.app.on('/voice', `<Response>${dial}<Redirect>/next</Redirect></Response>`);
  const caller = world.arrive();
  await later(0);
  return caller;
}

async function later(ms: number): Promise<void> {
  await settle();
  await world.clock.advanceAsync(ms + 1);
  await settle();
}

const callee = (n = 0): FakeOutgoingCall => world.sip.placed[n] as FakeOutgoingCall;
const children = (): CallRecord[] => [...world.calls.calls.values()].filter(({ direction }) => direction === 'outbound-dial');
const parent = (): CallRecord => [...world.calls.calls.values()].find(({ direction }) => direction === 'inbound') as CallRecord;
const asked = (path: string): Record<string, string>[] => world.app.asked.filter((request) => request.path === path).map((request) => request.params);
const codes = (): number[] => world.calls.notifications.map(({ errorCode }) => errorCode);
const phones = (): FakePhone[] => world.media.phones;
const media = (n: number): FakePhone => phones()[n] as FakePhone;

describe('<Dial> of a number', () => {
  it('calls it through the carrier, for the caller, who hears ringing meanwhile', async () => {
    const caller = await call('<Dial action="/after">+1 555 700 1000</Dial>');
    expect(caller.said).toEqual(['180', '200']);
    expect(media(0).played).toEqual([{ source: { kind: 'ringback' }, loops: 0 }]);
    expect(callee().options).toMatchObject({ to: 'sip:+15557001000@10.0.0.9:5070', from: 'sip:+15557001@192.0.2.1', ringTimeoutMs: 30_000 });
    expect(children()).toMatchObject([{ parentCallSid: parent().sid, to: '+15557001000', from: '+15557001', status: 'queued' }]);
  });

  it('brings both together, and asks the action when the called phone hangs up', async () => {
    await call('<Dial action="/after">+15557001000</Dial>');
    callee().rings();
    callee().answers();
    await later(0);
    expect(media(0).room).not.toBeNull();
    expect(media(1).room).toBe(media(0).room);
    await later(7000);
    callee().emit('ended', { cause: 'remote-bye' });
    await later(0);
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'completed', DialCallSid: children()[0]?.sid, DialCallDuration: '7', DialBridged: 'true', CallStatus: 'in-progress' }]);
    expect(media(0).room).toBeNull();
    expect(world.media.rooms.map(({ closed }) => closed)).toEqual([1]);
    expect(asked('/next')).toEqual([]);
  });

  it('without an action the next verb runs', async () => {
    await call('<Dial>+15557001000</Dial>');
    callee().refuses(486);
    await later(0);
    expect(asked('/next')).toHaveLength(1);
  });

  it.each([
    [486, 'busy'],
    [480, 'no-answer'],
    [404, 'failed'],
  ])('refused with %i is %s', async (statusCode, status) => {
    await call('<Dial action="/after">+15557001000</Dial>');
    callee().refuses(statusCode);
    await later(0);
    expect(asked('/after')).toMatchObject([{ DialCallStatus: status, DialCallSid: children()[0]?.sid, DialBridged: 'false' }]);
    expect(asked('/after')[0]).not.toHaveProperty('DialCallDuration');
    expect(children()[0]?.status).toBe(status);
  });

  it('a caller who hangs up ends the called phone, and nothing is asked', async () => {
    const caller = await call('<Dial action="/after">+15557001000</Dial>');
    callee().rings();
    caller.remoteEnds('remote-bye');
    await later(0);
    expect(callee().said).toEqual(['INVITE', 'CANCEL']);
    expect(children()[0]).toMatchObject({ status: 'canceled', terminationReason: 'dial-over' });
    expect(asked('/after')).toEqual([]);
    expect(world.live.liveCount).toBe(0);
    expect(world.clock.pending).toBe(0);
  });

  it('a caller who hangs up while they talk, too', async () => {
    const caller = await call('<Dial action="/after">+15557001000</Dial>');
    callee().answers();
    await later(0);
    caller.remoteEnds('remote-bye');
    await later(0);
    expect(callee().said.at(-1)).toBe('BYE');
    expect(children()[0]?.status).toBe('completed');
    expect(world.live.liveCount).toBe(0);
    expect(world.clock.pending).toBe(0);
  });

  it('waits timeout seconds for an answer', async () => {
    await call('<Dial timeout="5" action="/after">+15557001000</Dial>');
    expect(callee().options.ringTimeoutMs).toBe(5000);
    callee().emit('ended', { cause: 'ring-timeout' });
    await later(0);
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'no-answer' }]);
  });

  it('ends when the time is up, counted from the bridge', async () => {
    await call('<Dial timeLimit="10" action="/after">+15557001000</Dial>');
    await later(8000);
    callee().answers();
    await later(9000);
    expect(callee().said).toEqual(['INVITE']);
    await later(1000);
    expect(callee().said.at(-1)).toBe('BYE');
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'completed', DialCallDuration: '10' }]);
  });

  it('answerOnBridge leaves the caller ringing until somebody takes the call', async () => {
    const caller = await call('<Dial answerOnBridge="true" action="/after">+15557001000</Dial>');
    expect(caller.said).toEqual(['180']);
    callee().answers();
    await later(0);
    expect(caller.said).toEqual(['180', '200']);
    expect(phones().map(({ room }) => room !== null)).toEqual([true, true]);
    expect(phones().flatMap(({ played }) => played)).toEqual([]);
  });

  it('answerOnBridge: what the called phone sends before it answers is heard by the caller, by 183', async () => {
    const caller = await call('<Dial answerOnBridge="true" action="/after">+15557001000</Dial>');
    callee().soundsEarly();
    await later(0);
    expect(caller.said).toEqual(['180', '183']);
    expect(media(0).room).not.toBeNull();
    expect(media(1).room).toBe(media(0).room);
    expect(parent().status).toBe('ringing');
    callee().answers();
    await later(0);
    expect(caller.said).toEqual(['180', '183', '200']);
    expect([phones().length, media(0).room === media(1).room, media(0).room === null]).toEqual([2, true, false]);
  });

  it('answerOnBridge: after an announcement and a refusal the caller is refused too', async () => {
    const caller = await call('<Dial answerOnBridge="true" action="/busy">+15557001000</Dial>');
    world.app.on('/busy', '<Response><Reject reason="busy"/></Response>');
    callee().soundsEarly();
    await later(0);
    callee().refuses(486);
    await later(0);
    expect(caller.said).toEqual(['180', '183', '486']);
    expect([world.live.liveCount, world.clock.pending]).toEqual([0, 0]);
  });

  it('hangupOnStar: the caller’s * ends the called phone and the call goes on', async () => {
    await call('<Dial hangupOnStar="true" action="/after">+15557001000</Dial>');
    callee().answers();
    await later(0);
    media(0).emit('digitReceived', '5');
    await later(0);
    expect(callee().said).toEqual(['INVITE']);
    media(0).emit('digitReceived', '*');
    await later(0);
    expect(callee().said.at(-1)).toBe('BYE');
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'completed', DialBridged: 'true' }]);
  });

  it('* while it rings is canceled', async () => {
    await call('<Dial hangupOnStar="true" action="/after">+15557001000</Dial>');
    media(0).emit('digitReceived', '*');
    await later(0);
    expect(callee().said.at(-1)).toBe('CANCEL');
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'canceled', DialCallSid: children()[0]?.sid }]);
  });

  it('tells how the called phone goes on, in order', async () => {
    await call('<Dial><Number statusCallback="/child" statusCallbackEvent="initiated ringing answered completed">+15557001000</Number></Dial>');
    callee().rings();
    callee().answers();
    await later(3000);
    callee().emit('ended', { cause: 'remote-bye' });
    await later(0);
    const told = world.told.filter(({ url }) => url === 'http://app.test/child').map(({ params }) => params);
    expect(told.map(({ CallStatus }) => CallStatus)).toEqual(['initiated', 'ringing', 'in-progress', 'completed']);
    expect(told.map(({ SequenceNumber }) => SequenceNumber)).toEqual(['0', '1', '2', '3']);
    expect(told[3]).toMatchObject({ ParentCallSid: parent().sid, Direction: 'outbound-dial', CallDuration: '3' });
  });

  it('listens whether a machine answers while the two talk, and tells amdStatusCallback', async () => {
    await call('<Dial><Number machineDetection="Enable" machineDetectionSpeechThreshold="1000" amdStatusCallback="/amd">+15557001000</Number></Dial>');
    callee().answers();
    await later(0);
    expect(media(1).room).not.toBeNull();
    media(1).emit('voiceChanged', true);
    await later(1100);
    expect(world.told.find(({ url }) => url === 'http://app.test/amd')?.params).toEqual({ CallSid: children()[0]?.sid, AccountSid: world.accountSid, AnsweredBy: 'machine_start', MachineDetectionDuration: expect.stringMatching(/^100\d$/) });
    expect(children()[0]?.answeredBy).toBe('machine_start');
    expect(media(1).room).not.toBeNull();
  });

  it('sends keys to the called phone', async () => {
    await call('<Dial><Number sendDigits="w12">+15557001000</Number></Dial>');
    callee().answers();
    await later(0);
    expect(media(1).digits).toEqual(['w12']);
    expect(media(1).room).not.toBeNull();
  });
});

describe('record', () => {
  const recorded = async (attributes: string): Promise<void> => {
    await call(`<Dial action="/after" ${attributes}>+15557001000</Dial>`);
    callee().answers();
    await later(0);
  };

  it.each([
    ['record="record-from-answer"', { source: 'both', channels: 1, trimSilence: false }],
    ['record="true" trim="trim-silence"', { source: 'both', channels: 1, trimSilence: true }],
    ['record="record-from-answer-dual"', { source: 'both', channels: 2 }],
    ['record="record-from-answer" recordingTrack="inbound"', { source: 'inbound', channels: 1 }],
  ])('%s', async (attributes, options) => {
    await recorded(attributes);
    // The folder of the file is made for real.
    await vi.waitFor(() => expect(media(0).recordings.map((recording) => recording.options)).toMatchObject([options]));
    await later(0);
    callee().emit('ended', { cause: 'remote-bye' });
    await later(0);
    await vi.waitFor(() => expect(asked('/after')).toHaveLength(1));
    expect(media(0).recordings[0]?.result?.reason).toBe('stopped');
    expect(asked('/after')[0]).toMatchObject({ DialCallStatus: 'completed', RecordingSid: expect.stringMatching(/^RE/), RecordingUrl: expect.stringContaining('/Recordings/RE') });
  });

  it('from the ringing on', async () => {
    await call('<Dial record="record-from-ringing">+15557001000</Dial>');
    await vi.waitFor(() => expect(media(0).recordings).toHaveLength(1));
  });

  it('nothing, unless it is asked for', async () => {
    await recorded('');
    expect(media(0).recordings).toEqual([]);
    callee().emit('ended', { cause: 'remote-bye' });
    await later(0);
    expect(asked('/after')[0]).not.toHaveProperty('RecordingUrl');
  });
});

describe('who may be called, and as whom', () => {
  it.each([
    ['<Dial action="/after">hello</Dial>', 13223],
    ['<Dial action="/after"><Number>+1234567890123456</Number></Dial>', 13223],
    ['<Dial action="/after"><Sip>bob</Sip></Dial>', 13243],
    [`<Dial action="/after"><Sip>sip:${'b'.repeat(250)}@h.test</Sip></Dial>`, 13243],
    [`<Dial action="/after"><Sip>sip:b@h.test?X-A=${'b'.repeat(1024)}</Sip></Dial>`, 13243],
    ['<Dial action="/after" callerId="+15559999">+15557001000</Dial>', 13214],
  ])('%s fails with %i', async (dial, code) => {
    await call(dial);
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'failed', DialBridged: 'false' }]);
    expect(codes()).toContain(code);
    expect(world.sip.placed).toEqual([]);
  });

  it('a number without a carrier fails', async () => {
    world = fakeWorld();
    world.app.on('/after', '<Response/>');
    await call('<Dial action="/after">+15557001000</Dial>');
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'failed' }]);
    expect(codes()).toEqual([13224]);
  });

  it('as the called number of this call', async () => {
    await call('<Dial callerId="+15550100">+15557001000</Dial>');
    expect(callee().options.from).toBe('sip:+15550100@192.0.2.1');
    expect(children()[0]).toMatchObject({ from: '+15550100', phoneNumberSid: world.number.sid });
  });

  it('as a verified caller id', async () => {
    world.callerIds.push({ accountSid: world.accountSid, phoneNumber: '+15558888' } as (typeof world.callerIds)[number]);
    await call('<Dial callerId="+1 555 8888">+15557001000</Dial>');
    expect(callee().options.from).toBe('sip:+15558888@192.0.2.1');
  });

  it('a SIP phone may see any name', async () => {
    await call('<Dial callerId="Front-Desk"><Sip>sip:bob@h.test</Sip></Dial>');
    expect(callee().options.from).toBe('sip:Front-Desk@192.0.2.1');
  });
});

describe('<Dial><Sip>', () => {
  it('sends allowed headers and proves itself', async () => {
    await call('<Dial action="/after"><Sip username="u" password="p">sip:bob@h.test:5080;transport=tcp?X-Team=a%20b&amp;Route=evil&amp;User-to-User=1</Sip></Dial>');
    const { to, headers, credentials } = callee().options;
    expect(to).toBe('sip:bob@h.test:5080;transport=tcp');
    expect(credentials).toEqual({ username: 'u', password: 'p' });
    expect(headers).toEqual(expect.arrayContaining([['X-Team', 'a b'], ['User-to-User', '1'], ['X-Twilio-CallSid', children()[0]?.sid]]));
    expect(headers?.map(([name]) => name)).not.toContain('Route');
    expect(codes()).toEqual([13252]);
    callee().answerHeaders = [['Via', 'SIP/2.0/UDP h.test'], ['X-Why', 'lunch'], ['user-to-user', 'ab;encoding=hex']];
    callee().refuses(486);
    await later(0);
    const [told] = asked('/after');
    expect(told).toMatchObject({ DialCallStatus: 'busy', DialSipCallId: 'call-2', DialSipResponseCode: '486', 'DialSipHeader_X-Why': 'lunch', 'DialSipHeader_user-to-user': 'ab;encoding=hex' });
    expect(told).not.toHaveProperty('DialSipHeader_Via');
  });

  it('a header cannot smuggle another', async () => {
    await call('<Dial><Sip>sip:bob@h.test?X-Team=a%0d%0aRoute:%20x</Sip></Dial>');
    expect(callee().options.headers?.map(([name]) => name)).not.toContain('X-Team');
    expect(codes()).toEqual([13252]);
  });
});

describe('<Dial><Client>', () => {
  it('rings every phone of that name', async () => {
    world.registered.set('alice', [{ uri: 'sip:alice@192.0.2.7:1', outboundProxy: 'sip:192.0.2.7:1' }, { uri: 'sip:alice@192.0.2.8:1', outboundProxy: 'sip:192.0.2.8:1' }]);
    await call('<Dial><Client>alice</Client></Dial>');
    expect(world.sip.placed.map(({ options }) => [options.to, options.outboundProxy])).toEqual([['sip:alice@192.0.2.7:1', 'sip:192.0.2.7:1'], ['sip:alice@192.0.2.8:1', 'sip:192.0.2.8:1']]);
    expect(children().map(({ to }) => to)).toEqual(['client:alice', 'client:alice']);
  });

  it('its parameters are headers', async () => {
    world.registered.set('alice', [{ uri: 'sip:alice@192.0.2.7:1', outboundProxy: 'sip:192.0.2.7:1' }]);
    await call('<Dial><Client><Identity>alice</Identity><Parameter name="Order" value="7"/><Parameter name="a b" value="8"/><Parameter name="Twilio-CallSid" value="9"/></Client></Dial>');
    expect(callee().options.to).toBe('sip:alice@192.0.2.7:1');
    expect(callee().options.headers?.filter(([name]) => !name.startsWith('X-Twilio-'))).toEqual([['X-Order', '7']]);
    expect(callee().options.headers?.filter(([, value]) => value === '9')).toEqual([]);
    expect(codes()).toEqual([13252, 13252]);
  });

  it('nobody there is no-answer', async () => {
    await call('<Dial action="/after"><Client><Identity>alice</Identity></Client></Dial>');
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'no-answer' }]);
    expect(codes()).toEqual([32009]);
  });
});

describe('several phones', () => {
  const TWO = '<Number>+15557001001</Number><Number>+15557001002</Number>';

  it('ring at once, and the first answer wins', async () => {
    await call(`<Dial action="/after">${TWO}</Dial>`);
    expect(world.sip.placed).toHaveLength(2);
    callee(1).answers();
    await later(0);
    expect(callee(0).said).toEqual(['INVITE', 'CANCEL']);
    expect(children().map(({ status }) => status)).toEqual(['canceled', 'in-progress']);
    callee(1).emit('ended', { cause: 'remote-bye' });
    await later(0);
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'completed', DialCallSid: children()[1]?.sid }]);
  });

  it('the last to end decides when nobody answers', async () => {
    await call(`<Dial action="/after">${TWO}</Dial>`);
    callee(1).refuses(486);
    await later(0);
    expect(asked('/after')).toEqual([]);
    callee(0).refuses(480);
    await later(0);
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'no-answer', DialCallSid: children()[0]?.sid }]);
  });

  it('sequential calls the second when the first did not take it', async () => {
    await call(`<Dial sequential="true" action="/after">${TWO}</Dial>`);
    expect(world.sip.placed).toHaveLength(1);
    callee(0).refuses(486);
    await later(0);
    expect(world.sip.placed).toHaveLength(2);
    callee(1).answers();
    await later(0);
    expect(media(0).room).not.toBeNull();
  });

  it('more than ten are not called', async () => {
    await call(`<Dial>${'<Number>+15557001001</Number>'.repeat(11)}</Dial>`);
    expect(world.sip.placed).toHaveLength(10);
    expect(codes()).toEqual([12200]);
  });
});

describe('a whisper', () => {
  const WHISPERED = '<Dial action="/after"><Number url="/whisper">+15557001000</Number></Dial>';

  it('is heard by the called phone alone, before it is put through', async () => {
    world.app.on('/whisper', '<Response><Say>Press any key</Say><Pause length="3"/></Response>');
    await call(WHISPERED);
    callee().answers();
    await later(0);
    expect(asked('/whisper')).toMatchObject([{ CallSid: children()[0]?.sid, ParentCallSid: parent().sid, CallStatus: 'in-progress', Direction: 'outbound-dial' }]);
    expect(world.spoken).toEqual(['Press any key']);
    expect(media(0).room).toBeNull();
    await later(3000);
    expect(media(0).room).not.toBeNull();
  });

  it('a key accepts', async () => {
    world.app.on('/whisper', '<Response><Gather numDigits="1" action="/accept"/><Hangup/></Response>');
    world.app.on('/accept', '<Response/>');
    await call(WHISPERED);
    callee().answers();
    await later(0);
    media(1).emit('digitReceived', '1');
    await later(0);
    expect(asked('/accept')).toMatchObject([{ Digits: '1' }]);
    expect(media(1).room).not.toBeNull();
  });

  it('<Hangup> declines, and another phone may still answer', async () => {
    world.app.on('/whisper', '<Response><Hangup/></Response>');
    await call('<Dial action="/after"><Number url="/whisper">+15557001001</Number><Number>+15557001002</Number></Dial>');
    callee(0).answers();
    await later(0);
    expect(callee(0).said.at(-1)).toBe('BYE');
    expect(asked('/after')).toEqual([]);
    callee(1).answers();
    await later(0);
    expect(media(0).room).not.toBeNull();
  });

  it('declined by all: answered, but never brought together', async () => {
    world.app.on('/whisper', '<Response><Dial>+15557001003</Dial><Hangup/></Response>');
    await call(WHISPERED);
    callee().answers();
    await later(0);
    expect(codes()).toEqual([13201]);
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'completed', DialBridged: 'false' }]);
  });

  it('that cannot be had does not put the call through', async () => {
    await call(WHISPERED);
    callee().answers();
    await later(0);
    expect(callee().said.at(-1)).toBe('BYE');
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'failed', DialBridged: 'false' }]);
  });
});

describe('REST meets <Dial>', () => {
  const talking = async (): Promise<void> => {
    await call('<Dial action="/after">+15557001000</Dial>');
    callee().answers();
    await later(0);
  };

  it('ends the called phone: the caller goes on', async () => {
    await talking();
    await world.live.update(world.accountSid, children()[0]?.sid as CallRecord['sid'], { status: 'completed' });
    await later(0);
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'completed' }]);
    expect(parent().status).toBe('in-progress');
  });

  it('redirects the called phone: it goes its own way, and the caller goes on', async () => {
    await talking();
    await world.live.update(world.accountSid, children()[0]?.sid as CallRecord['sid'], { twiml: '<Response><Say>Alone now</Say><Pause length="60"/></Response>' });
    await later(0);
    expect(world.spoken).toEqual(['Alone now']);
    expect(phones().map(({ room }) => room)).toEqual([null, null]);
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'completed', DialBridged: 'true' }]);
    expect(children()[0]?.status).toBe('in-progress');
  });

  it('redirects the caller: the called phone is hung up, and the action is not asked', async () => {
    await talking();
    await world.live.update(world.accountSid, parent().sid, { twiml: '<Response><Pause length="60"/></Response>' });
    await later(0);
    expect(callee().said.at(-1)).toBe('BYE');
    expect(asked('/after')).toEqual([]);
    expect(parent().status).toBe('in-progress');
  });
});

describe('what goes wrong in between', () => {
  it('a called phone that REST takes away while keys are sent to it is not waited for', async () => {
    await call('<Dial action="/after"><Number sendDigits="wwww1">+15557001000</Number></Dial>');
    vi.spyOn(media(1), 'sendDigits').mockReturnValue(new Promise(() => undefined));
    callee().answers();
    await later(0);
    world.app.on('/elsewhere', '<Response><Pause length="600"/></Response>');
    await world.live.update(world.accountSid, children()[0]?.sid as CallRecord['sid'], { url: 'http://app.test/elsewhere' });
    await later(0);
    expect(asked('/elsewhere')).toHaveLength(1);
    expect(asked('/after')).toMatchObject([{ DialBridged: 'false' }]);
    expect(children()[0]?.status).toBe('in-progress');
  });

  it('many a <Dial> of one call leaves nothing on the signal that they share', async () => {
    const add = vi.spyOn(AbortSignal.prototype, 'addEventListener');
    const remove = vi.spyOn(AbortSignal.prototype, 'removeEventListener');
    world.app.on('/after', '<Response><Dial action="/after" answerOnBridge="true">+15557001000</Dial></Response>');
    await call('<Dial action="/after" answerOnBridge="true">+15557001000</Dial>');
    const left = (): number => add.mock.calls.length - remove.mock.calls.length;
    const refused = async (n: number): Promise<void> => {
      callee(n).refuses(486);
      await later(0);
    };
    await refused(0);
    const before = left();
    for (let n = 1; n <= 5; n++) await refused(n);
    const after = left();
    add.mockRestore();
    remove.mockRestore();
    expect(after).toBe(before);
  });
});

describe('what a document adds to the INVITE', () => {
  it('<Sip> with two <Uri> calls the first and says so', async () => {
    await call('<Dial><Sip><Uri>sip:desk@10.0.0.7</Uri><Uri>sip:desk@10.0.0.8</Uri></Sip></Dial>');
    expect(world.sip.placed.map(({ options }) => options.to)).toEqual(['sip:desk@10.0.0.7']);
    expect(world.calls.notifications.map(({ errorCode }) => errorCode)).toEqual([12200]);
  });

  it('<Sip> with <Uri>, <Headers> and callReason', async () => {
    await call('<Dial callReason="Order 7"><Sip><Uri>sip:desk@10.0.0.7?X-A=1</Uri><Headers><Header name="X-B" value="2"/><Header name="Via" value="3"/><Header name="X-Twilio-CallSid" value="4"/><Header name="X-C" value="5&#10;Via: 6"/></Headers></Sip></Dial>');
    expect(callee().options.to).toBe('sip:desk@10.0.0.7');
    expect(callee().options.headers?.slice(0, 3)).toEqual([['X-A', '1'], ['X-B', '2'], ['Subject', 'Order 7']]);
    expect(callee().options.headers?.filter(([name]) => !name.startsWith('X-Twilio-'))).toHaveLength(3);
    expect(codes()).toEqual([13252, 13252, 13252]);
  });

  it('a callReason of two lines is not sent', async () => {
    await call('<Dial callReason="a&#10;Via: b">+15557001000</Dial>');
    expect(callee().options.headers?.map(([name]) => name)).not.toContain('Subject');
    expect(codes()).toEqual([12200]);
  });
});

describe('what a called phone sends before it answers', () => {
  const early = async (dial: string): Promise<void> => {
    await call(dial);
    callee().soundsEarly();
    await later(0);
  };
  const rings = (): number => media(0).played.filter(({ source }) => source.kind === 'ringback').length;

  it('is heard by the caller instead of ringing, until it answers and both talk', async () => {
    await early('<Dial action="/after">+15557001000</Dial>');
    expect(media(0).room).not.toBeNull();
    expect(media(1).room).toBe(media(0).room);
    expect(media(1).remotes.map(({ receive }) => receive)).toEqual([false]);
    expect(children()[0]?.status).toBe('ringing');
    callee().answers();
    await later(0);
    expect(media(1).remotes.at(-1)?.receive).toBe(true);
    expect(media(1).room).toBe(media(0).room);
    expect(world.media.rooms.map(({ closed }) => closed)).toEqual([1, 0]);
    callee().emit('ended', { cause: 'remote-bye' });
    await later(0);
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'completed', DialBridged: 'true' }]);
  });

  it('is over when it refuses', async () => {
    await early('<Dial action="/after">+15557001000</Dial>');
    callee().refuses(486);
    await later(0);
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'busy', DialBridged: 'false' }]);
    expect([media(0).room, world.media.rooms.map(({ closed }) => closed)]).toEqual([null, [1]]);
  });

  it('is not heard during a whisper, and rings again for the next phone', async () => {
    world.app.on('/whisper', '<Response><Pause length="600"/></Response>');
    await early('<Dial sequential="true"><Number>+15557001000</Number><Number url="/whisper">+15557002000</Number></Dial>');
    expect([rings(), media(0).room !== null]).toEqual([1, true]);
    callee().refuses(486);
    await later(0);
    expect([rings(), media(0).room]).toEqual([2, null]);
    callee(1).soundsEarly();
    await later(0);
    expect(media(2).room).toBe(media(0).room);
    callee(1).answers();
    await later(0);
    expect([rings(), media(0).room, media(2).room]).toEqual([3, null, null]);
  });

  it.each([
    ['with a ringTone', '<Dial ringTone="us">+15557001000</Dial>'],
    ['of two that ring at once', '<Dial><Number>+15557001000</Number><Number>+15557002000</Number></Dial>'],
  ])('is not heard %s', async (_, dial) => {
    await early(dial);
    expect(world.media.rooms).toEqual([]);
    callee().answers();
    await later(0);
    expect(world.media.rooms.map(({ closed }) => closed)).toEqual([0]);
  });

  it('comes from the latest of several phones that one call rings, until one of them answers', async () => {
    const at = (port: number): SipBody => sdpBody(Buffer.from(sdpBody().bytes).toString().replace('audio 4000', `audio ${port}`));
    await call('<Dial action="/after">+15557001000</Dial>');
    for (const body of [at(4000), at(4002), at(4002), null, at(4004)]) callee().emit('progressed', 183, body);
    await later(0);
    const reached = (): [number, boolean][] => media(1).remotes.map(({ port, receive }) => [port, receive]);
    expect(reached()).toEqual([[4000, false], [4002, false], [4004, false]]);
    expect([world.media.rooms.length, media(1).room === media(0).room]).toEqual([1, true]);
    callee().answers(at(4002));
    await later(0);
    expect(reached().at(-1)).toEqual([4002, true]);
    expect(children()[0]?.status).toBe('in-progress');
  });

  it('is let go when the caller hangs up', async () => {
    world.app.on('/voice', '<Response><Dial>+15557001000</Dial></Response>');
    const caller = world.arrive();
    await later(0);
    callee().soundsEarly();
    await later(0);
    caller.emit('ended', { cause: 'remote-bye' });
    await later(0);
    expect(callee().said).toEqual(['INVITE', 'CANCEL']);
    expect(world.media.rooms.map(({ closed }) => closed)).toEqual([1]);
  });
});
