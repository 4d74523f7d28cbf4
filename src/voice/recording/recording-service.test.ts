import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { newSid } from '../../base/sid.ts';
import { MediaError } from '../../media/protocol.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { FakeRecording } from '../../testing/fake-media.ts';
import { FakeCallRepository, FakeRecordingRepository, settle } from '../testing/fake-world.ts';
import type { CallbackSender } from '../contract.ts';
import type { RecordingEvent } from './model.ts';
import { createRecordings } from './recording-service.ts';
import { recordingSeconds, type LiveRecording, type StartRecording } from './recordings.ts';

describe('recordings', () => {
  let folder: string;
  const accountSid = newSid('AC');
  const callSid = newSid('CA');
  const sent: Parameters<CallbackSender['send']>[0][] = [];
  let repository: FakeRecordingRepository;
  let calls: FakeCallRepository;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'partyline-recordings-'));
    sent.length = 0;
    repository = new FakeRecordingRepository();
    calls = new FakeCallRepository();
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const service = () =>
    createRecordings({ folder, origin: () => 'https://voice.test' }, { clock: new FakeClock(), log: silentLog, repository, calls, callbacks: { send: (callback) => void sent.push(callback) } });

  async function started(recordings = service(), over: Partial<StartRecording> = {}): Promise<{ media: FakeRecording; live: LiveRecording; path: string }> {
    let path = '';
    let media: FakeRecording | undefined;
    const begin = (at: string): Promise<FakeRecording> => Promise.resolve((media = new FakeRecording({ path: (path = at) })));
    const live = await recordings.start({ accountSid, callSid, conferenceSid: null, source: 'DialVerb', channels: 2, track: 'both', begin, callback: callback('in-progress', 'completed', 'absent'), ...over });
    if (!media) throw new Error('no media began');
    return { media, live, path };
  }

  const callback = (...events: RecordingEvent[]) => ({ url: 'http://app.test/recording', method: 'POST' as const, events });
  const told = (): Record<string, string>[] => sent.map(({ parameters }) => Object.fromEntries(parameters));

  it('one that is over before anybody could listen is told all the same', async () => {
    const begin = (path: string): Promise<FakeRecording> => {
      const media = new FakeRecording({ path });
      media.end('phone-closed', 1000);
      return Promise.resolve(media);
    };
    const live = await service().start({ accountSid, callSid, conferenceSid: null, source: 'DialVerb', channels: 1, track: 'both', begin, callback: callback('completed') });
    expect(await live.done).toMatchObject({ status: 'completed', durationMs: 1000 });
    expect(told()).toMatchObject([{ RecordingStatus: 'completed' }]);
  });

  it('without a folder the media plane’s refusal is what comes', async () => {
    writeFileSync(join(folder, accountSid), 'in the way');
    await expect(started()).rejects.toBeInstanceOf(MediaError);
  });

  it('tells beginning and end with what contract §4.3 lists', async () => {
    const { media, live } = await started();
    media.end('max-duration', 3040);
    const record = await live.done;
    const common = {
      AccountSid: accountSid, CallSid: callSid, RecordingSid: record.sid, RecordingUrl: `https://voice.test/2010-04-01/Accounts/${accountSid}/Recordings/${record.sid}`, RecordingChannels: '2',
      RecordingSource: 'DialVerb', RecordingTrack: 'both', RecordingStartTime: expect.stringMatching(/^\w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000$/) as string,
    };
    expect(told()).toEqual([
      { ...common, RecordingStatus: 'in-progress' },
      { ...common, RecordingStatus: 'completed', RecordingDuration: '3' },
    ]);
    expect(repository.records.get(record.sid)).toMatchObject({ status: 'completed', durationMs: 3040, bytes: 48_684 });
  });

  it('is absent when nothing was recorded, and leaves no file', async () => {
    const { media, live, path } = await started();
    writeFileSync(path, 'header only');
    media.end('silence', 0);
    expect((await live.done).status).toBe('absent');
    expect(existsSync(path)).toBe(false);
    expect(told().map((parameters) => parameters['RecordingStatus'])).toEqual(['in-progress', 'absent']);
  });

  it('tells only what was asked for', async () => {
    const { media, live } = await started(service(), { callback: callback('completed') });
    media.end('silence', 0);
    await live.done;
    expect(sent).toEqual([]);
  });

  it('lists what runs of a call, pauses, resumes and stops it', async () => {
    const recordings = service();
    const { media, live } = await started(recordings);
    expect(recordings.liveOf(callSid)).toEqual([live]);
    await live.pause('skip');
    expect([media.paused, live.record.status]).toEqual(['skip', 'paused']);
    await live.resume();
    expect([media.paused, live.record.status]).toEqual([null, 'in-progress']);
    await expect(recordings.remove(live.record)).rejects.toMatchObject({ code: 20009, status: 409 });
    expect(await live.stop()).toMatchObject({ status: 'completed', durationMs: 2000 });
    expect(await live.stop()).toMatchObject({ status: 'completed' });
    expect([recordings.liveOf(callSid), recordings.live(live.record.sid)]).toEqual([[], null]);
  });

  it('keeps files where only the server reads them, and deletes them with their record', async () => {
    const recordings = service();
    const { live, path } = await started(recordings);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    writeFileSync(path, 'sound');
    const record = await live.stop();
    await recordings.remove(record);
    expect([existsSync(path), repository.records.size]).toEqual([false, 0]);
  });

  it('leaves nothing behind when the media plane cannot record', async () => {
    const recordings = service();
    const begin = (): Promise<FakeRecording> => Promise.reject(new MediaError('worker-died', 'gone'));
    await expect(started(recordings, { begin })).rejects.toBeInstanceOf(MediaError);
    expect([repository.records.size, sent.length, recordings.liveOf(callSid).length]).toEqual([0, 0, 0]);
  });

  it('ends what a crash left by what the files hold, and tells it', async () => {
    const before = service();
    const whole = await started(before);
    const nothing = await started(before);
    writeFileSync(whole.path, wav(2500));
    sent.length = 0;
    await service().closeLeftovers();
    expect(repository.records.get(whole.live.record.sid)).toMatchObject({ status: 'completed', durationMs: 2500 });
    expect(repository.records.get(nothing.live.record.sid)).toMatchObject({ status: 'absent', durationMs: 0 });
    expect(told().map((parameters) => [parameters['RecordingSid'], parameters['RecordingStatus']])).toEqual([[whole.live.record.sid, 'completed'], [nothing.live.record.sid, 'absent']]);
    expect(repository.records.get(whole.live.record.sid)?.bytes).toBe(44 + 40_000);
  });

  it('keeps what the disk has when a media worker dies', async () => {
    const { media, live, path } = await started();
    writeFileSync(path, wav(1000));
    media.end('lost', 0);
    expect(await live.done).toMatchObject({ status: 'completed', durationMs: 1000 });
  });

  it('puts a callback that nobody took into the debugger of its call', async () => {
    await started();
    sent[0]?.refused?.({ errorCode: 15003, message: 'not taken', url: 'http://app.test/recording' });
    expect(calls.notifications).toMatchObject([{ callSid, errorCode: 15003, log: 1 }]);
  });

  it('stops with the server, and starts nothing more', async () => {
    const recordings = service();
    const { live } = await started(recordings);
    await recordings.stop();
    await settle();
    expect(live.record.status).toBe('completed');
    await expect(started(recordings)).rejects.toMatchObject({ code: 20503 });
  });

  it('counts whole seconds, at least one where there is sound', () => {
    expect([null, 0, 1, 499, 1499, 1500].map((durationMs) => recordingSeconds({ durationMs }))).toEqual([null, 0, 1, 1, 1, 2]);
  });
});

/** A mono WAV of 8 kHz, 16 bit, whose header is true. */
function wav(durationMs: number): Buffer {
  const bytes = durationMs * 16;
  const file = Buffer.alloc(44 + bytes);
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(36 + bytes, 4);
  file.write('WAVEfmt ', 8, 'latin1');
  file.writeUInt32LE(16_000, 28);
  file.write('data', 36, 'latin1');
  file.writeUInt32LE(bytes, 40);
  return file;
}
