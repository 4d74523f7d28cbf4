import { beforeEach, describe, expect, it } from 'vitest';
import { FakeIncomingCall, sdpBody } from './testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from './testing/fake-world.ts';

let world: FakeWorld;

beforeEach(() => {
  world = fakeWorld();
});

const respond = (verbs: string, path = '/voice'): void => world.app.on(path, `<Response>${verbs}</Response>`);
const paths = (): string[] => world.app.asked.map((request) => request.path);
const errorCodes = (): number[] => world.calls.notifications.map((notification) => notification.errorCode);

async function call(verbs: string): Promise<FakeIncomingCall> {
  respond(verbs);
  const phone = world.arrive();
  await settle();
  return phone;
}

describe('who answers', () => {
  it.each([
    ['an unknown number', new FakeIncomingCall('+15550199'), '404'],
    ['an unknown domain', new FakeIncomingCall('+15550100', 'elsewhere.example'), '403'],
  ])('%s is refused and nobody is asked', (_what, phone, statusCode) => {
    world.arrive(phone);
    expect(phone.said).toEqual([statusCode]);
    expect(world.app.asked).toEqual([]);
    expect(world.calls.calls.size).toBe(0);
  });

  it.each(['15550100', '0015550100', '%2B15550100', '+1-555-0100'])('%s is the number +15550100', async (user) => {
    respond('<Hangup/>');
    const phone = world.arrive(new FakeIncomingCall(user));
    await settle();
    expect(phone.said).toEqual(['180', '200', 'BYE']);
  });

  it('an offer without a common codec is refused with 488 before anybody is asked', () => {
    const phone = new FakeIncomingCall();
    phone.body = sdpBody('v=0\r\nc=IN IP4 198.51.100.7\r\nm=audio 4000 RTP/AVP 18\r\n');
    world.arrive(phone);
    expect(phone.said).toEqual(['488']);
    expect(world.app.asked).toEqual([]);
  });

  it('a number on a trunk runs no application', () => {
    world.number.trunkSid = 'TK0';
    expect(world.arrive().said).toEqual(['404']);
  });
});

describe('the first request', () => {
  it('rings first and carries the standard parameters', async () => {
    const phone = await call('<Pause length="60"/>');
    expect(phone.said).toEqual(['180']);
    expect(world.app.asked[0]?.params).toMatchObject({ CallSid: world.record().sid, AccountSid: world.accountSid, From: '+15557001', To: '+15550100', CallStatus: 'ringing', Direction: 'inbound', ApiVersion: '2010-04-01', SipCallId: 'call-1', SipSourceIp: '198.51.100.7', 'SipHeader_X-Team': 'a' });
  });
});

it('an answer that is sound is played as it came, and asked for once', async () => {
  world.app.pages.set('/voice', { body: 'hello.wav', contentType: 'audio/wav' });
  const phone = world.arrive();
  await settle();
  expect(world.media.phones[0]?.played.map(({ source }) => source)).toEqual([{ kind: 'file', path: '/kept/hello.wav', contentType: 'audio/wav' }]);
  expect([phone.said, paths()]).toEqual([['180', '200', 'BYE'], ['/voice']]);
});

it('how its phone sounded is kept with a call that is over', async () => {
  const phone = await call('<Play>/x.mp3</Play><Pause length="60"/>');
  Object.assign(world.media.phones[0] ?? {}, { counted: { packetsReceived: 990, packetsSent: 1000, packetsLost: 10, packetsDiscarded: 1, jitterMs: 1.26, quality: { codec: 'PCMU', scale: 'narrow-band', rating: 89.04, mos: 4.329, roundTripMs: 42.42, remoteLost: 3, remoteJitterMs: null } } });
  expect(world.record().quality).toBeUndefined();
  phone.emit('ended', { cause: 'remote-bye' });
  await settle();
  expect(world.record()).toMatchObject({ status: 'completed', quality: { codec: 'PCMU', scale: 'narrow-band', rating: 89, mos: 4.33, packetsReceived: 990, packetsSent: 1000, packetsLost: 10, packetsDiscarded: 1, jitterMs: 1.3, roundTripMs: 42.4, remoteLost: 3, remoteJitterMs: null } });
});

describe('first verbs', () => {
  it('<Response/> is answered and ended', async () => {
    expect((await call('')).said).toEqual(['180', '200', 'BYE']);
    expect(world.record().status).toBe('completed');
    expect(world.media.phones[0]?.closed).toBe(true);
    expect(world.live.liveCount).toBe(0);
    expect(world.clock.pending).toBe(0);
  });

  it.each([
    ['<Reject/>', '404', 'no-answer'],
    ['<Reject reason="busy"/>', '486', 'busy'],
  ])('%s never answers', async (verb, statusCode, status) => {
    expect((await call(`${verb}<Say>never</Say>`)).said).toEqual(['180', statusCode]);
    expect(world.record().status).toBe(status);
    expect(world.media.phones).toEqual([]);
  });

  it('<Pause> delays the answer', async () => {
    const phone = await call('<Pause length="3"/>');
    await world.clock.advanceAsync(2990);
    expect(phone.said).toEqual(['180']);
    await world.clock.advanceAsync(50);
    expect(phone.said).toEqual(['180', '200', 'BYE']);
  });

  it('<Redirect> rings on', async () => {
    respond('<Pause length="9"/>', '/next');
    expect((await call('<Redirect>/next</Redirect><Say>never</Say>')).said).toEqual(['180']);
    expect(paths()).toEqual(['/voice', '/next']);
    expect(world.app.asked[1]?.params['CallStatus']).toBe('ringing');
  });

  it('<Say> and <Play> answer and are heard in order', async () => {
    await call('<Say loop="2">Hello</Say><Play>music.wav</Play><Play loop="0">http://cdn.test/x.wav</Play><Play digits="12"/>');
    expect(world.spoken).toEqual(['Hello']);
    expect(world.media.phones[0]?.played.map(({ source, loops }) => [source.kind === 'file' && source.path, loops])).toEqual([['/speech/1.wav', 2], ['/prompts/music.wav', 1], ['/prompts/x.wav', 1000]]);
    expect(world.media.phones[0]?.digits).toEqual(['12']);
  });

  it('an INVITE without an offer gets ours, and the answer comes with the ACK', async () => {
    respond('<Pause/><Pause length="30"/><Hangup/>');
    const phone = new FakeIncomingCall();
    phone.body = null;
    phone.acknowledges = false;
    world.arrive(phone);
    await settle();
    await world.clock.advanceAsync(31_000, 500);
    expect(Buffer.from(phone.answer?.bytes ?? []).toString()).toContain('m=audio 20000 RTP/AVP 107 9 0 8 101 100');
    phone.acknowledge(sdpBody());
    await settle();
    expect(world.media.phones[0]?.remotes[0]).toMatchObject({ address: '198.51.100.7', port: 4000, codec: 'PCMU', dtmfPayloadType: 101 });
    expect(phone.said).toEqual(['180', '200', 'BYE']);
  });
});

describe('<Connect><Room>', () => {
  const connect = '<Connect action="/after"><Room participantIdentity="alice"> Daily </Room></Connect>';

  it('joins, beside the room’s media, and asks action when the room lets go', async () => {
    world.rooms.names.add('Daily');
    respond('<Hangup/>', '/after');
    const phone = await call(connect);
    expect(world.rooms.stays).toMatchObject([{ roomName: 'Daily', identity: 'alice' }]);
    expect(world.media.phones[0]?.near).toBe(world.rooms.media);
    expect(world.record().status).toBe('in-progress');
    world.rooms.stays[0]?.release({ reason: 'room-completed', parameters: [['RoomDisconnectReason', 'room-completed']] });
    await settle();
    expect(world.app.asked[1]).toMatchObject({ path: '/after', method: 'POST', params: { CallStatus: 'in-progress', RoomDisconnectReason: 'room-completed' } });
    expect(phone.said).toEqual(['180', '200', 'BYE']);
  });

  it('of a room that is not there leaves the phone ringing for the next verb', async () => {
    const phone = await call(`${connect}<Redirect>/next</Redirect>`);
    expect(paths()).toEqual(['/voice', '/next']);
    expect(errorCodes()).toContain(53106);
    expect(world.rooms.stays).toEqual([]);
    expect(phone.said.slice(0, 1)).toEqual(['180']);
  });

  it('of a room that is not there, alone, ends the call as completed', async () => {
    expect((await call(connect)).said).toEqual(['180', '200', 'BYE']);
    expect(paths()).toEqual(['/voice']);
    expect(world.record().status).toBe('completed');
  });

  it('ends with the caller’s BYE, without action', async () => {
    world.rooms.names.add('Daily');
    const phone = await call(connect);
    await world.clock.advanceAsync(2000);
    phone.remoteEnds('remote-bye');
    await settle();
    expect(paths()).toEqual(['/voice']);
    expect(world.record()).toMatchObject({ status: 'completed', terminationReason: 'hung-up' });
    expect(world.told).toMatchObject([{ url: 'http://app.test/number-status', params: { CallStatus: 'completed', CallDuration: '2', SequenceNumber: '0', CallbackSource: 'call-progress-events' } }]);
    expect(world.clock.pending).toBe(0);
  });

  it('is left at once when the call is redirected over REST', async () => {
    world.rooms.names.add('Daily');
    respond('<Pause length="60"/>', '/elsewhere');
    await call(connect);
    await world.live.update(world.accountSid, world.record().sid, { url: 'http://app.test/elsewhere' });
    await settle();
    expect(paths()).toEqual(['/voice', '/elsewhere']);
    expect(world.record().status).toBe('in-progress');
  });
});

describe('when the application fails', () => {
  it('the fallback is asked with the error, and runs', async () => {
    world.number.voiceFallbackUrl = 'http://app.test/fallback';
    respond('<Reject/>', '/fallback');
    world.app.on('/voice', ' <?xml version="1.0"?><Response/>');
    const phone = world.arrive();
    await settle();
    expect(world.app.asked[1]?.params).toMatchObject({ ErrorCode: '12100', ErrorUrl: 'http://app.test/voice' });
    expect(errorCodes()).toEqual([12100]);
    expect(phone.said).toEqual(['180', '404']);
  });

  it('and the fallback too, an apology is spoken and the call ended', async () => {
    world.number.voiceFallbackUrl = 'http://app.test/fallback';
    const phone = world.arrive();
    await settle();
    expect(paths()).toEqual(['/voice', '/fallback']);
    expect(world.spoken[0]).toMatch(/application error/);
    expect(phone.said).toEqual(['180', '200', 'BYE']);
    expect(world.record().terminationReason).toBe('application-error');
  });

  it('and a circle of redirects is cut', async () => {
    await call('<Redirect/>');
    for (let n = 0; n < 20; n++) await settle();
    expect(world.app.asked.length).toBe(101);
    expect(errorCodes()).toEqual([11215]);
    expect(world.record().terminationReason).toBe('application-error');
  });

  it('a verb that does not exist is a warning, and the rest runs', async () => {
    respond('<Hangup/>', '/n');
    await call('<say>hi</say><Redirect>/n</Redirect>');
    expect(errorCodes()).toEqual([12200]);
    expect(world.calls.notifications[0]?.log).toBe(1);
    expect(paths()).toEqual(['/voice', '/n']);
  });

  it('every exchange is kept for the debugger', async () => {
    await call('<Hangup/>');
    expect(world.calls.events).toMatchObject([{ request: { method: 'POST', url: 'http://app.test/voice' }, response: { responseCode: 200, validTwiml: true } }]);
  });
});

describe('endings', () => {
  it('a caller who gives up while the application thinks', async () => {
    world.app.pages.set('/voice', 'never');
    const phone = world.arrive();
    await settle();
    phone.remoteEnds('remote-cancel');
    await settle();
    expect(world.record().status).toBe('no-answer');
    expect(world.app.asked).toHaveLength(1);
    expect(world.live.liveCount).toBe(0);
  });

  it('a worker that dies under an answered call', async () => {
    const phone = await call('<Say>hi</Say><Pause length="60"/>');
    world.media.phones[0]?.emit('lost', 'worker-died');
    await settle();
    expect(phone.said.at(-1)).toBe('BYE');
    expect(world.record()).toMatchObject({ status: 'completed', terminationReason: 'media-lost' });
  });

  it('no media to be had: the call fails with 503', async () => {
    const { MediaError } = await import('../media/protocol.ts');
    world.media.failure = new MediaError('no-port', 'all taken');
    expect((await call('<Say>hi</Say>')).said).toEqual(['180', '503']);
    expect(world.record()).toMatchObject({ status: 'failed', terminationReason: 'media-unavailable' });
  });

  it('four hours are enough', async () => {
    const phone = await call('<Say>hi</Say><Pause length="99999"/>');
    world.clock.advance(4 * 3_600_000 - 1);
    expect(phone.said.at(-1)).toBe('200');
    world.clock.advance(1);
    expect(phone.said.at(-1)).toBe('BYE');
    expect(world.record().terminationReason).toBe('time-limit');
  });

  it('a server that stops hangs up and refuses newcomers', async () => {
    const phone = await call('<Say>hi</Say><Pause length="60"/>');
    await world.live.stop(0);
    expect(phone.said.at(-1)).toBe('BYE');
    expect(world.arrive(new FakeIncomingCall()).said).toEqual(['503']);
  });
});

describe('a new offer inside the call', () => {
  it('holds, resumes, moves; our version goes up only with a change', async () => {
    const phone = await call('<Say>hi</Say><Pause length="60"/>');
    const media = world.media.phones[0];
    const reoffer = (text: string): Promise<string> => new Promise((resolve) => phone.emit('reoffered', sdpBody(text), (answer) => resolve(answer.statusCode === 200 ? Buffer.from(answer.body.bytes).toString() : String(answer.statusCode))));
    const offer = (port: number, direction: string): string => `v=0\r\nc=IN IP4 198.51.100.7\r\nm=audio ${port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=${direction}\r\n`;
    expect(await reoffer(offer(4000, 'sendonly'))).toMatch(/o=- \d+ 2 [^]*a=recvonly/);
    expect(media?.remotes.at(-1)).toMatchObject({ send: false, receive: true });
    expect(await reoffer(offer(4000, 'sendrecv'))).toMatch(/o=- \d+ 3 [^]*a=sendrecv/);
    expect(await reoffer(offer(5000, 'sendrecv'))).toMatch(/o=- \d+ 3 /);
    expect(media?.remotes.at(-1)).toMatchObject({ port: 5000, send: true });
    expect(await reoffer('v=0\r\nc=IN IP4 198.51.100.7\r\nm=audio 5000 RTP/AVP 18\r\n')).toBe('488');
    expect(media?.remotes).toHaveLength(4);
  });
});
