import twilio from 'twilio';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { FakePhone, FakeStream } from '../../testing/fake-media.ts';
import type { FakeIncomingCall } from '../testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from '../testing/fake-world.ts';

// <Start>, <Stop> and <Connect> of <Stream> over fakes: what is opened, what the application is told, what runs next.

/** With its value one more than 500. */
const LONG_NAME = 'n'.repeat(500);

let world: FakeWorld;

beforeEach(() => {
  world = fakeWorld();
  for (const path of ['/next', '/after']) world.app.on(path, '<Response><Pause length="60"/></Response>');
});

async function call(verbs: string): Promise<FakeIncomingCall> {
  world.app.on('/voice', `<Response>${verbs}<Redirect>/next</Redirect></Response>`);
  const phone = world.arrive();
  await settle();
  return phone;
}

const phone = (): FakePhone => world.media.phones[0] as FakePhone;
const stream = (n = 0): FakeStream => phone().streams[n] as FakeStream;
const asked = (): string[] => world.app.asked.slice(1).map(({ path }) => path);
const codes = (): [number, 0 | 1][] => world.calls.notifications.map(({ errorCode, log }) => [errorCode, log]);
const told = (): Record<string, string>[] => world.told.filter(({ url }) => url === 'http://app.test/stream').map(({ params }) => params);

describe('<Start><Stream>', () => {
  it('opens a signed stream that listens, and goes on with the next verb at once', async () => {
    await call('<Start><Stream url="wss://app.test/listen" name="ear" track="both_tracks"><Parameter name="first" value="Ada"/><Parameter name="last" value="L&amp;"/></Stream></Start>');
    expect(stream().options).toMatchObject({ url: 'wss://app.test/listen', track: 'both', bidirectional: false, accountSid: world.accountSid, callSid: world.record().sid, parameters: { first: 'Ada', last: 'L&' } });
    expect(stream().streamSid).toMatch(/^MZ[0-9a-f]{32}$/);
    expect(twilio.validateRequest('secret', stream().options.headers?.['X-Twilio-Signature'] ?? '', 'wss://app.test/listen', {})).toBe(true);
    expect(asked()).toEqual(['/next']);
    expect(codes()).toEqual([]);
  });

  it('listens to the phone unless told otherwise; a relative URL is the document’s, by WebSocket', async () => {
    await call('<Start><Stream url="/listen"/></Start>');
    expect(stream().options).toMatchObject({ url: 'ws://app.test/listen', track: 'inbound' });
  });

  it('tells its status callback how it goes', async () => {
    const caller = await call('<Start><Stream url="wss://app.test/listen" name="ear" statusCallback="/stream"/></Start>');
    stream().emit('started');
    const common = { AccountSid: world.accountSid, CallSid: world.record().sid, StreamSid: stream().streamSid, StreamName: 'ear', Timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string };
    expect(told()).toEqual([{ ...common, StreamEvent: 'stream-started' }]);
    caller.remoteEnds('remote-bye');
    await settle();
    expect(stream().over).toBe(true);
    expect(told()[1]).toEqual({ ...common, StreamEvent: 'stream-stopped' });
    expect(told()).toHaveLength(2);
  });

  it.each([
    ['unreachable', 'connect ECONNREFUSED', 31901],
    ['unreachable', 'self-signed certificate', 31910],
    ['refused', 'HTTP 404', 31920],
    ['remote-closed', '1000', 31921],
    ['protocol', 'bad opcode', 31924],
    ['lost', 'does not read', 31930],
  ] as const)('%s (%s) is error %i of the call and of the callback', async (reason, detail, code) => {
    await call('<Start><Stream url="wss://app.test/listen" statusCallback="http://app.test/stream"/></Start>');
    stream().end(reason, detail);
    expect(codes()).toEqual([[code, 0]]);
    expect(told()).toEqual([expect.objectContaining({ StreamEvent: 'stream-error', StreamName: stream().streamSid, StreamError: expect.stringContaining(detail) as string })]);
    expect(world.record().status).toBe('in-progress');
  });

  it('warnings of the media plane are warnings of the call', async () => {
    await call('<Start><Stream url="wss://app.test/listen"/></Start>');
    stream().emit('warned', 'invalid-message', 'no JSON');
    stream().emit('warned', 'buffer-overflow', 'slow');
    expect(codes()).toEqual([[31951, 1], [31930, 1]]);
  });

  it.each([
    ['<Stream/>', 11100, 0],
    ['<Stream url="https://app.test/x"/>', 11100, 0],
    ['<Stream url="wss://"/>', 11100, 0],
    ['<Stream url="file:///etc/passwd"/>', 11100, 0],
    [`<Stream url="wss://app.test"><Parameter name="${LONG_NAME}" value="v"/></Stream>`, 12200, 1],
    ['<Stream url="wss://app.test"><Parameter value="v"/></Stream>', 12200, 1],
    ['<Siprec/>', 14300, 1],
    ['<Transcription/>', 14300, 1],
    ['<Room>r</Room>', 14300, 1],
  ])('%s is skipped with %i', async (noun, code, log) => {
    await call(`<Start>${noun}</Start>`);
    expect(codes()).toEqual([[code, log]]);
    expect(world.media.phones.flatMap(({ streams }) => streams)).toEqual([]);
    expect(asked()).toEqual(['/next']);
  });

  it('a track that is none is 31941, and the phone is listened to', async () => {
    await call('<Start><Stream url="wss://app.test" track="all"/></Start>');
    expect(codes()).toEqual([[31941, 1]]);
    expect(stream().options.track).toBe('inbound');
  });

  it('a name is there once, and four streams are enough', async () => {
    const one = (name: string): string => `<Stream url="wss://app.test" name="${name}"/>`;
    await call(`<Start>${one('a')}${one('a')}${one('b')}</Start><Start>${one('c')}${one('d')}${one('e')}</Start>`);
    expect(phone().streams).toHaveLength(4);
    expect(world.calls.notifications.map(({ messageText }) => messageText)).toEqual([expect.stringContaining("named 'a' already"), expect.stringContaining('4 streams already')]);
  });
});

describe('<Stop><Stream>', () => {
  it('ends the stream of that name, which may then be used again', async () => {
    await call('<Start><Stream url="wss://app.test" name="a" statusCallback="/stream"/></Start><Stop><Stream name="a"/></Stop><Start><Stream url="wss://app.test" name="a"/></Start>');
    expect(phone().streams.map(({ over }) => over)).toEqual([true, false]);
    expect(told().map(({ StreamEvent }) => StreamEvent)).toEqual(['stream-stopped']);
    expect(codes()).toEqual([]);
  });

  it('of one that is not there is a warning', async () => {
    await call('<Stop><Stream name="a"/></Stop>');
    expect(codes()).toEqual([[12200, 1]]);
    expect(asked()).toEqual(['/next']);
  });
});

describe('<Connect><Stream>', () => {
  it('stays until the stream is over, then asks the action', async () => {
    await call('<Connect action="/after"><Stream url="wss://app.test/talk" name="bot"/></Connect>');
    expect(stream().options).toMatchObject({ bidirectional: true, track: 'inbound' });
    expect(asked()).toEqual([]);
    stream().end('remote-closed', '1000 bye');
    await settle();
    expect(asked()).toEqual(['/after']);
    expect(world.app.asked[1]?.params).toMatchObject({ StreamSid: stream().streamSid, StreamName: 'bot', CallStatus: 'in-progress' });
    expect(world.app.asked[1]?.params).not.toHaveProperty('StreamError');
    expect(codes()).toEqual([]);
  });

  it('without an action the next verb runs, also when nobody was there', async () => {
    await call('<Connect><Stream url="wss://app.test/talk"/></Connect>');
    stream().end('unreachable', 'ENOTFOUND');
    await settle();
    expect(asked()).toEqual(['/next']);
    expect(codes()).toEqual([[31901, 0]]);
  });

  it('a close that is no goodbye is 31921', async () => {
    await call('<Connect action="/after"><Stream url="wss://app.test/talk"/></Connect>');
    stream().end('remote-closed', '1011 crashed');
    await settle();
    expect(codes()).toEqual([[31921, 0]]);
    expect(world.app.asked[1]?.params['StreamError']).toContain('1011 crashed');
  });

  it('takes both tracks for none: 31941', async () => {
    await call('<Connect><Stream url="wss://app.test/talk" track="both_tracks"/></Connect>');
    expect(codes()).toEqual([[31941, 1]]);
    expect(stream().options.track).toBe('inbound');
  });

  it('a redirect over REST ends it; a stream that listens goes on', async () => {
    await call('<Start><Stream url="wss://app.test/listen"/></Start><Connect action="/after"><Stream url="wss://app.test/talk"/></Connect>');
    await world.live.update(world.accountSid, world.record().sid, { url: 'http://app.test/next' });
    await settle();
    expect(phone().streams.map(({ over }) => over)).toEqual([false, true]);
    expect(asked()).toEqual(['/next']);
  });

  it('cannot be stopped over REST', async () => {
    await call('<Connect><Stream url="wss://app.test/talk" name="bot"/></Connect>');
    expect(() => world.live.streams.stop(world.record(), 'bot')).toThrow(/bidirectional/);
    expect(stream().over).toBe(false);
  });
});

describe('where streams may lead', () => {
  it('not into a network that is forbidden', async () => {
    world = fakeWorld({ network: { allows: (address) => address !== '127.0.0.1' } });
    world.app.on('/next', '<Response><Pause length="60"/></Response>');
    await call('<Start><Stream url="wss://127.0.0.1/x"/><Stream url="wss://192.0.2.7/x"/></Start>');
    expect(codes()).toEqual([[31901, 0]]);
    expect(phone().streams.map(({ options }) => [options.url, options.addresses])).toEqual([['wss://192.0.2.7/x', ['192.0.2.7']]]);
  });
});

describe('a stream that is over before anybody could listen', () => {
  it('is not waited for', async () => {
    const opened = vi.spyOn(FakePhone.prototype, 'openStream').mockImplementationOnce((options) => {
      const stream = new FakeStream(options);
      stream.end('unreachable', 'ECONNREFUSED');
      return Promise.resolve(stream);
    });
    await call('<Connect><Stream url="wss://app.test/talk"/></Connect>');
    opened.mockRestore();
    expect(asked()).toEqual(['/next']);
    expect(codes()).toEqual([[31901, 0]]);
  });
});
