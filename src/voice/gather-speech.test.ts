import { beforeEach, describe, expect, it } from 'vitest';
import type { FakePhone } from '../testing/fake-media.ts';
import { RecognitionError, type Recognized, type RecognitionWishes, type SpeechRecognizer } from './speech-recognition.ts';
import type { FakeIncomingCall } from './testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from './testing/fake-world.ts';

/** Understands what it is told to; keeps what it was asked and which files there are. */
class FakeRecognizer implements SpeechRecognizer {
  readonly asked: { path: string; wishes: RecognitionWishes }[] = [];
  readonly files = new Set<string>();
  answer: () => Promise<Recognized | null> = () => Promise.resolve({ transcript: 'two tickets', confidence: 0.9 });
  newFile(): Promise<string> {
    const path = `/heard/${this.files.size}.wav`;
    this.files.add(path);
    return Promise.resolve(path);
  }
  recognize(path: string, wishes: RecognitionWishes): Promise<Recognized | null> {
    this.asked.push({ path, wishes });
    return this.answer();
  }
  discard(path: string): Promise<void> {
    this.files.delete(path);
    return Promise.resolve();
  }
}

let world: FakeWorld;
let recognizer: FakeRecognizer;

beforeEach(() => {
  recognizer = new FakeRecognizer();
  world = fakeWorld({ recognizer });
  for (const path of ['/said', '/next']) world.app.on(path, '<Response><Hangup/></Response>');
});

const phone = (): FakePhone => world.media.phones[0] as FakePhone;
const asked = (): [path: string, params: Record<string, string>][] => world.app.asked.slice(1).map(({ path, params }) => [path, params]);
const paths = (): string[] => asked().map(([path]) => path);
const codes = (): number[] => world.calls.notifications.map(({ errorCode }) => errorCode);

async function call(gather: string): Promise<FakeIncomingCall> {
  world.app.on('/voice', `<Response>${gather}<Redirect>/next</Redirect></Response>`);
  const caller = world.arrive();
  await settle();
  return caller;
}

async function wait(ms: number): Promise<void> {
  world.clock.advance(ms);
  await settle();
}

async function speak(ms: number): Promise<void> {
  phone().emit('voiceChanged', true);
  await wait(ms);
  phone().emit('voiceChanged', false);
  await settle();
}

const SPEECH = '<Gather input="speech" action="/said" timeout="5" speechTimeout="2"/>';

describe('<Gather> of speech', () => {
  it('sends what was understood when the caller has been silent for speechTimeout, and keeps nothing of it', async () => {
    await call('<Gather input="speech" action="/said" speechTimeout="2" language="de-DE" hints="zwei, drei Karten" speechModel="phone_call" profanityFilter="false"/>');
    expect(phone().recordings[0]?.options).toMatchObject({ source: 'inbound', channels: 1, silenceTimeoutMs: 0 });
    await speak(1500);
    await wait(1900);
    await speak(500);
    await wait(1900);
    expect(paths()).toEqual([]);
    await wait(100);
    expect(asked()).toMatchObject([['/said', { SpeechResult: 'two tickets', Confidence: '0.9', CallStatus: 'in-progress' }]]);
    expect(asked()[0]?.[1]).not.toHaveProperty('Digits');
    expect(recognizer.asked[0]?.wishes).toMatchObject({ language: 'de-DE', hints: ['zwei', 'drei Karten'], model: 'phone_call', profanityFilter: false, enhanced: false });
    expect([...recognizer.files]).toEqual([]);
    expect(phone().watched).toBe(false);
    expect(world.clock.pending).toBe(0);
  });

  it('waits for the first word as long as timeout says, then the next verb runs', async () => {
    await call(SPEECH);
    await wait(4900);
    expect(paths()).toEqual([]);
    await wait(100);
    expect(paths()).toEqual(['/next']);
    expect(recognizer.asked).toEqual([]);
    expect([...recognizer.files]).toEqual([]);
  });

  it('cuts off who goes on and on', async () => {
    await call('<Gather input="speech" action="/said" maxSpeechTime="10"/>');
    phone().emit('voiceChanged', true);
    await wait(9900);
    expect(paths()).toEqual([]);
    await wait(100);
    expect(paths()).toEqual(['/said']);
  });

  it('speech stops the prompts; with bargeIn="false" it counts after them only', async () => {
    await call('<Gather input="speech" action="/said" speechTimeout="1"><Pause length="60"/><Say>Late</Say></Gather>');
    await speak(700);
    await wait(1000);
    expect(paths()).toEqual(['/said']);
    expect(world.spoken).toEqual([]);

    world = fakeWorld({ recognizer });
    await call('<Gather input="speech" action="/said" bargeIn="false" timeout="3"><Pause length="10"/></Gather>');
    await speak(700);
    await wait(9300);
    expect(phone().recordings).toHaveLength(1);
    await wait(3000);
    expect(paths()).toEqual(['/next']);
  });

  it('nothing understood is no input, unless the action is asked all the same', async () => {
    recognizer.answer = () => Promise.resolve(null);
    await call(SPEECH);
    await speak(500);
    await wait(2000);
    expect(paths()).toEqual(['/next']);

    world = fakeWorld({ recognizer });
    world.app.on('/said', '<Response><Hangup/></Response>');
    await call('<Gather input="speech" action="/said" timeout="1" actionOnEmptyResult="true"/>');
    await wait(1000);
    expect(asked()).toMatchObject([['/said', { SpeechResult: '', Confidence: '0' }]]);
  });

  it('a recognizer that fails is 13343, and the next verb runs', async () => {
    recognizer.answer = () => Promise.reject(new RecognitionError('out of order'));
    await call(SPEECH);
    await speak(500);
    await wait(2000);
    expect(paths()).toEqual(['/next']);
    expect(codes()).toEqual([13343]);
    expect([...recognizer.files]).toEqual([]);
  });

  it('a phone that cannot be recorded is 13343, and keys go on', async () => {
    world.media.phones.length = 0;
    world.app.on('/voice', '<Response><Pause length="1"/><Gather input="dtmf speech" action="/said" numDigits="1"/></Response>');
    world.arrive();
    await settle();
    world.clock.advance(1000);
    for (let n = 0; n < 50 && world.media.phones.length === 0; n++) await Promise.resolve();
    phone().record = () => Promise.reject(new RecognitionError('no disk'));
    await settle();
    phone().emit('digitReceived', '4');
    await settle();
    expect(codes()).toEqual([13343]);
    expect(asked()).toMatchObject([['/said', { Digits: '4' }]]);
  });

  it('the caller leaves while speaking: nothing is recognised, nothing is kept, no timer is left', async () => {
    const caller = await call(SPEECH);
    phone().emit('voiceChanged', true);
    await settle();
    caller.remoteEnds('remote-bye');
    await settle();
    expect(recognizer.asked).toEqual([]);
    expect([...recognizer.files]).toEqual([]);
    expect(world.clock.pending).toBe(0);
  });
});

describe('<Gather> of keys and speech', () => {
  const BOTH = '<Gather input="dtmf speech" action="/said" speechTimeout="2" numDigits="2"/>';

  it('keys win over speech that had begun', async () => {
    await call(BOTH);
    phone().emit('voiceChanged', true);
    for (const key of '12') phone().emit('digitReceived', key);
    await settle();
    expect(asked()).toMatchObject([['/said', { Digits: '12' }]]);
    expect(asked()[0]?.[1]).not.toHaveProperty('SpeechResult');
    expect(recognizer.asked).toEqual([]);
    expect([...recognizer.files]).toEqual([]);
  });

  it('speech is taken where no key comes; keys mean nothing where only speech is asked for', async () => {
    await call(BOTH);
    await speak(800);
    await wait(2000);
    expect(asked()).toMatchObject([['/said', { SpeechResult: 'two tickets' }]]);

    world = fakeWorld({ recognizer });
    await call(SPEECH);
    for (const key of '12#') phone().emit('digitReceived', key);
    await wait(5000);
    expect(paths()).toEqual(['/next']);
  });
});

it('without a recognizer speech is 13343, and keys are collected', async () => {
  world = fakeWorld();
  world.app.on('/said', '<Response><Hangup/></Response>');
  await call('<Gather input="speech" action="/said" numDigits="1"/>');
  phone().emit('digitReceived', '7');
  await settle();
  expect(codes()).toEqual([13343]);
  expect(asked()).toMatchObject([['/said', { Digits: '7' }]]);
});

it.each([
  ['speechTimeout="soon"', 13327],
  ['maxSpeechTime="0"', 13328],
  [`hints="${'x'.repeat(101)}"`, 13330],
  ['language="1"', 13331],
  ['bargeIn="perhaps"', 13332],
  ['speechModel="a b"', 13334],
  ['enhanced="yes"', 13339],
  ['input="smoke signals"', 12200],
  ['partialResultCallback="/x"', 12200],
])('%s is %i', async (attribute, code) => {
  await call(`<Gather input="dtmf" ${attribute.startsWith('input') ? '' : attribute} action="/said" timeout="1"/>`.replace('input="dtmf" ', attribute.startsWith('input') ? `${attribute} ` : 'input="dtmf" '));
  expect(codes()).toEqual([code]);
});
