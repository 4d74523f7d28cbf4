import { beforeEach, describe, expect, it } from 'vitest';
import type { FakeIncomingCall } from './testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from './testing/fake-world.ts';

let world: FakeWorld;

beforeEach(() => {
  world = fakeWorld();
  world.app.on('/keys', '<Response><Hangup/></Response>');
  world.app.on('/next', '<Response><Hangup/></Response>');
});

async function call(verbs: string): Promise<FakeIncomingCall> {
  world.app.on('/voice', `<Response>${verbs}<Redirect>/next</Redirect></Response>`);
  const phone = world.arrive();
  await settle();
  return phone;
}

async function press(keys: string): Promise<void> {
  for (const key of keys) world.media.phones[0]?.emit('digitReceived', key);
  await settle();
}

async function wait(ms: number): Promise<void> {
  world.clock.advance(ms);
  await settle();
}

const asked = (): [path: string, digits: string | undefined][] => world.app.asked.slice(1).map((request) => [request.path, request.params['Digits']]);

describe('<Gather>', () => {
  it('sends the keys without the one that finishes', async () => {
    await call('<Gather action="/keys"/>');
    await press('12#9');
    expect(asked()).toEqual([['/keys', '12']]);
    expect(world.app.asked[1]?.params).toMatchObject({ FinishedOnKey: '#', CallStatus: 'in-progress' });
  });

  it('has enough at numDigits', async () => {
    await call('<Gather action="/keys" numDigits="4" method="GET"/>');
    await press('123');
    expect(asked()).toEqual([]);
    await press('45');
    expect(asked()).toEqual([['/keys', '1234']]);
    expect(world.app.asked[1]?.method).toBe('GET');
  });

  it('waits 5 s after the last key', async () => {
    await call('<Gather action="/keys"/>');
    await wait(4900);
    await press('7');
    await wait(4900);
    expect(asked()).toEqual([]);
    await wait(100);
    expect(asked()).toEqual([['/keys', '7']]);
  });

  it.each([
    ['nothing', ''],
    ['only the finishing key', '#'],
  ])('%s: the next verb runs', async (_what, keys) => {
    await call('<Gather action="/keys"/>');
    await press(keys);
    await wait(5000);
    expect(asked()).toEqual([['/next', undefined]]);
  });

  it('nothing with actionOnEmptyResult: the action is asked all the same', async () => {
    await call('<Gather action="/keys" actionOnEmptyResult="true" timeout="2"/>');
    await wait(2000);
    expect(asked()).toEqual([['/keys', '']]);
  });

  it('without action asks the document’s own URL', async () => {
    await call('<Gather numDigits="1"/>');
    await press('1');
    expect(asked()).toEqual([['/voice', '1']]);
  });

  it('finishOnKey="" makes # a key like others, and another key may finish', async () => {
    await call('<Gather action="/keys" finishOnKey="" numDigits="3"/>');
    await press('1#2');
    expect(asked()).toEqual([['/keys', '1#2']]);
  });

  it('a key stops the prompts, and those after it are not played', async () => {
    await call('<Gather action="/keys" timeout="3"><Say>One</Say><Pause length="60"/><Say>Two</Say></Gather>');
    expect(world.spoken).toEqual(['One']);
    await press('4');
    await wait(3000);
    expect(world.spoken).toEqual(['One']);
    expect(asked()).toEqual([['/keys', '4']]);
  });

  it('the time begins after the prompts', async () => {
    await call('<Gather action="/keys" timeout="1"><Pause length="10"/></Gather>');
    await wait(9000);
    expect(asked()).toEqual([]);
    await wait(1000);
    await wait(1000);
    expect(asked()).toEqual([['/next', undefined]]);
  });

  it('the caller leaves: nothing more is asked, no timer is left', async () => {
    const phone = await call('<Gather action="/keys"><Say>Hello</Say></Gather>');
    await press('1');
    phone.remoteEnds('remote-bye');
    await settle();
    await wait(60_000);
    expect(asked()).toEqual([]);
  });

  it('says what it cannot do', async () => {
    await call('<Gather action="/keys" input="speech" debug="true" hints="a" timeout="1"><Dial>+1</Dial><Play digits="1"/></Gather>');
    expect(world.calls.notifications.map(({ errorCode }) => errorCode)).toEqual([12200, 13320, 12200, 13343]);
  });
});
