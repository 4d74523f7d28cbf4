import { beforeEach, describe, expect, it } from 'vitest';
import type { FakeRecording } from '../testing/fake-media.ts';
import type { FakeIncomingCall } from './testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from './testing/fake-world.ts';

let world: FakeWorld;

beforeEach(() => {
  world = fakeWorld();
  world.app.on('/r', '<Response><Hangup/></Response>');
  world.app.on('/next', '<Response><Hangup/></Response>');
});

async function call(verb: string): Promise<FakeIncomingCall> {
  world.app.on('/voice', `<Response>${verb}<Redirect>/next</Redirect></Response>`);
  const phone = world.arrive();
  await settle();
  await until(() => world.media.phones[0]?.recordings.length === 1);
  return phone;
}

/** Files are really made: that is more than promises. */
async function until(what: () => boolean): Promise<void> {
  for (let n = 0; n < 200 && !what(); n++) await settle();
}

const recording = (): FakeRecording => world.media.phones[0]?.recordings[0] as FakeRecording;
const asked = (): [path: string, digits: string | undefined][] => world.app.asked.slice(1).map((request) => [request.path, request.params['Digits']]);
const told = (path: string): Record<string, string>[] => world.told.filter(({ url }) => url === `http://app.test${path}`).map(({ params }) => params);
const warnings = (): number[] => world.calls.notifications.map(({ errorCode }) => errorCode);

async function ended(reason: Parameters<FakeRecording['end']>[0], durationMs?: number): Promise<void> {
  recording().end(reason, durationMs);
  await until(() => world.app.asked.length > 1);
  await settle();
}

describe('<Record>', () => {
  it('beeps, records the caller for maxLength and asks the action; verbs after it are not run', async () => {
    await call('<Record maxLength="3" action="/r"/>');
    expect(world.media.phones[0]?.played.map(({ source }) => source.kind)).toEqual(['beep']);
    expect(recording().options).toMatchObject({ source: 'inbound', channels: 1, maxDurationMs: 3000, silenceTimeoutMs: 5000, trimSilence: true });
    await ended('max-duration', 3000);
    const [record] = world.recordingRepository.records.values();
    expect(asked()).toEqual([['/r', '']]);
    expect(world.app.asked[1]?.params).toMatchObject({ CallStatus: 'in-progress', RecordingUrl: `http://server.test/2010-04-01/Accounts/${world.accountSid}/Recordings/${record?.sid}`, RecordingSid: record?.sid, RecordingDuration: '3' });
    expect(record).toMatchObject({ callSid: world.record().sid, source: 'RecordVerb', track: 'inbound', channels: 1, status: 'completed' });
  });

  it('asks its own document when no action is named, by POST', async () => {
    await call('<Record/>');
    expect(recording().options).toMatchObject({ maxDurationMs: 3_600_000 });
    world.app.on('/voice', '<Response><Hangup/></Response>');
    await ended('silence', 1000);
    expect([asked(), world.app.asked[1]?.method]).toEqual([[['/voice', '']], 'POST']);
  });

  it.each([['#', ''], ['7', 'finishOnKey="57"']])('ends at the key %s', async (key, attribute) => {
    await call(`<Record action="/r" ${attribute}/>`);
    world.media.phones[0]?.emit('digitReceived', key);
    await until(() => asked().length > 0);
    expect(asked()).toEqual([['/r', key]]);
  });

  it.each([['another key', 'finishOnKey="5"'], ['any key where none finishes', 'finishOnKey=""']])('goes on at %s', async (_what, attribute) => {
    await call(`<Record action="/r" ${attribute}/>`);
    world.media.phones[0]?.emit('digitReceived', '7');
    await settle();
    expect([asked(), recording().result]).toEqual([[], null]);
  });

  it('asks the action for silence alone too, with no seconds', async () => {
    await call('<Record action="/r"/>');
    await ended('silence', 0);
    expect(world.app.asked[1]?.params).toMatchObject({ RecordingDuration: '0' });
    expect([...world.recordingRepository.records.values()][0]?.status).toBe('absent');
  });

  it('does without a beep, never ends by silence and keeps it, when told so', async () => {
    await call('<Record playBeep="false" timeout="0" trim="do-not-trim" action="/r" method="GET"/>');
    expect(world.media.phones[0]?.played).toEqual([]);
    expect(recording().options).toMatchObject({ silenceTimeoutMs: 0, trimSilence: false });
    await ended('max-duration', 1000);
    expect(world.app.asked[1]?.method).toBe('GET');
  });

  it('tells the action and the callback of what a caller left who hung up', async () => {
    const phone = await call('<Record action="/r" recordingStatusCallback="/done" recordingStatusCallbackEvent="in-progress completed"/>');
    phone.remoteEnds('remote-bye');
    await until(() => told('/r').length > 0);
    expect(told('/r')).toMatchObject([{ Digits: 'hangup', CallStatus: 'completed', RecordingDuration: '2' }]);
    expect(told('/done').map(({ RecordingStatus, RecordingSource }) => [RecordingStatus, RecordingSource])).toEqual([['in-progress', 'RecordVerb'], ['completed', 'RecordVerb']]);
    expect(asked()).toEqual([]);
  });

  it('stops when the call is sent elsewhere, and its action is not asked', async () => {
    await call('<Record action="/r"/>');
    await world.live.update(world.accountSid, world.record().sid, { url: 'http://app.test/next' });
    await until(() => asked().length > 0);
    expect(asked()).toEqual([['/next', undefined]]);
    expect(recording().result?.reason).toBe('stopped');
    expect(told('/r')).toEqual([]);
  });

  it('needs an action in TwiML that has no address (11100)', async () => {
    await call('<Record/>');
    await world.live.update(world.accountSid, world.record().sid, { twiml: '<Response><Record/></Response>' });
    await until(() => world.media.phones[0]?.recordings.length === 2);
    world.media.phones[0]?.recordings[1]?.end('silence', 1000);
    await until(() => warnings().includes(11100));
    expect(warnings()).toContain(11100);
  });

  it.each([
    ['timeout="-1"', 13611], ['maxLength="0"', 13612], ['finishOnKey="a"', 13613], ['playBeep="1"', 13616], ['method="PUT"', 13610], ['recordingStatusCallbackEvent="ended"', 13621], ['trim="all"', 12200], ['transcribe="true"', 12200], ['recordingStatusCallback="mailto:x"', 11100],
  ])('warns of %s and records all the same', async (attribute, code) => {
    await call(`<Record action="/r" ${attribute}/>`);
    expect(warnings()).toEqual([code]);
    expect(recording().options).toMatchObject({ maxDurationMs: 3_600_000, silenceTimeoutMs: 5000 });
  });
});

describe('<Start><Recording>', () => {
  const start = (attributes = ''): string => `<Start><Recording ${attributes}/></Start>`;

  it('records both sides while the document goes on, until the call ends', async () => {
    const phone = await call(`${start('channels="dual" trim="do-not-trim" recordingStatusCallback="/done"')}<Pause length="60"/>`);
    expect(recording().options).toMatchObject({ source: 'both', channels: 2, silenceTimeoutMs: 0, trimSilence: false });
    expect(recording().result).toBeNull();
    phone.remoteEnds('remote-bye');
    await until(() => told('/done').length > 0);
    expect(told('/done')).toMatchObject([{ RecordingStatus: 'completed', RecordingChannels: '2', RecordingTrack: 'both' }]);
    expect(warnings()).toEqual([]);
  });

  it('is stopped by its name while the call goes on; a name that is not there is told', async () => {
    await call(`${start('name="mine" recordingStatusCallback="/done"')}<Stop><Recording name="other"/><Recording name="mine"/></Stop><Pause length="60"/>`);
    await until(() => told('/done').length > 0);
    expect(recording().result?.reason).toBe('stopped');
    expect(warnings()).toEqual([12200]);
    expect(world.record().status).toBe('in-progress');
  });

  it('runs four at a time at most, and a name once', async () => {
    await call(`${start('name="a"')}${start('name="a"')}${start()}${start()}${start()}${start()}<Pause length="60"/>`);
    await until(() => warnings().length === 2);
    expect(warnings()).toEqual([12200, 12200]);
    expect(world.media.phones[0]?.recordings).toHaveLength(4);
  });
});
