import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLog } from '../base/log.ts';
import { newSid, type AccountSid } from '../base/sid.ts';
import { MediaError } from '../media/protocol.ts';
import type { CreateRoomOptions, Participant, Room, Rooms } from '../rooms/contract.ts';
import type { ParticipantRecord, RoomRecord, RoomRepository, TrackRule } from '../rooms/model.ts';
import { createRooms } from '../rooms/rooms.ts';
import { EXCLUDE_ALL, INCLUDE_ALL } from '../rooms/track-rules.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { FakeMediaPlane, type FakeTrackRecording } from '../testing/fake-media.ts';
import type { RoomRecordings } from './contract.ts';
import type { RoomRecordingRecord, RoomRecordingRepository } from './model.ts';
import { createRoomRecordings } from './room-recordings.ts';

const account: AccountSid = newSid('AC');
const video: TrackRule = { ...INCLUDE_ALL, all: null, kind: 'video' };
let folder: string;
let clock: FakeClock;
let plane: FakeMediaPlane;
let rooms: Rooms;
let recordings: RoomRecordings;
let rows: Map<string, RoomRecordingRecord>;
let told: Record<string, string>[];
let stored: { rooms: Map<string, RoomRecord>; participants: Map<string, ParticipantRecord> };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'partyline-recordings-'));
  clock = new FakeClock();
  plane = new FakeMediaPlane();
  rows = new Map();
  told = [];
  stored = { rooms: new Map(), participants: new Map() };
  const repository = {
    saveRoom: (record: RoomRecord) => stored.rooms.set(record.sid, record),
    saveParticipant: (record: ParticipantRecord) => stored.participants.set(record.sid, record),
    saveTrack: () => {},
    findRoom: (_account: string, sid: string) => Promise.resolve(stored.rooms.get(sid) ?? null),
    findParticipant: (_room: string, sid: string) => Promise.resolve(stored.participants.get(sid) ?? null),
  } as unknown as RoomRepository;
  const callbacks = { send: ({ parameters }: { parameters: [string, string][] }) => void told.push(Object.fromEntries(parameters)) };
  rooms = createRooms({ clock, log: silentLog, media: plane, repository, callbacks, settings: () => null });
  recordings = createRoomRecordings({ folder }, { clock, log: silentLog, rooms, repository: rowRepository(), roomRepository: repository, callbacks });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function rowRepository(): RoomRecordingRepository {
  return {
    saveRecording: (record: RoomRecordingRecord) => rows.set(record.sid, record),
    unfinishedRecordings: () => Promise.resolve([...rows.values()].filter(({ status }) => status === 'processing')),
  } as unknown as RoomRecordingRepository;
}

async function openRoom(options: CreateRoomOptions = { recordParticipantsOnConnect: true }): Promise<Room> {
  return await rooms.create(account, { statusCallback: 'https://app.example/room', uniqueName: 'Show', ...options });
}

/** What the media plane was asked to record, in order; the file system settles first. */
async function asked(): Promise<FakeTrackRecording[]> {
  // Each round goes through all four threads that work for the file system, behind what was asked of them before.
  for (let round = 0; round < 8; round++) await Promise.all([1, 2, 3, 4].map(() => statfs(folder)));
  return plane.rooms.flatMap(({ trackRecordings }) => trackRecordings);
}

async function recorded(participant: Participant, kind: 'audio' | 'video' = 'audio'): Promise<FakeTrackRecording> {
  const { sid } = participant.publish({ kind, name: '' });
  const recording = await vi.waitUntil(async () => (await asked()).find(({ trackSid }) => trackSid === sid), { timeout: 10_000 });
  return recording;
}

const events = (): string[] => told.map((parameters) => parameters['StatusCallbackEvent'] ?? '').filter((event) => event.startsWith('recording-'));
const newest = (): RoomRecordingRecord | undefined => [...rows.values()].at(-1);

describe('a track that the rules take in', () => {
  it('has a resource from its first media on, and a whole one when it ends', async () => {
    const room = await openRoom();
    const anna = room.join({ identity: 'anna', medium: 'browser' });
    const recording = await recorded(anna);
    expect(rows.size).toBe(0);
    expect(room.recording.active).toBe(true);
    recording.start('OPUS', 1_700_000_000_123.6);
    const [row] = rows.values();
    expect(row).toMatchObject({ status: 'processing', roomSid: room.sid, participantSid: anna.sid, trackSid: recording.trackSid, trackName: recording.trackSid, type: 'audio', container: 'mka', codec: 'OPUS', offsetMs: 1_700_000_000_124, bytes: null });
    expect(recording.options).toMatchObject({ path: join(folder, account, row?.sid ?? ''), kind: 'audio' });

    anna.unpublish(recording.trackSid);
    await asked();
    expect(newest()).toMatchObject({ status: 'completed', bytes: 2500, durationMs: 2000 });
    expect(room.recording.active).toBe(false);
    const common = {
      AccountSid: account, RoomSid: room.sid, RoomName: 'Show', RoomType: 'group', RoomStatus: 'in-progress', ParticipantSid: anna.sid, ParticipantIdentity: 'anna', RecordingSid: row?.sid, SourceSid: recording.trackSid,
      RecordingUri: `/v1/Recordings/${row?.sid}`, TrackName: recording.trackSid, Type: 'audio', Container: 'mka', Codec: 'OPUS', OffsetFromTwilioVideoEpoch: '1700000000124', Timestamp: expect.any(String), SequenceNumber: expect.any(String),
    };
    const sent = told.filter(({ StatusCallbackEvent }) => StatusCallbackEvent?.startsWith('recording-'));
    expect(sent).toEqual([
      { ...common, StatusCallbackEvent: 'recording-started' },
      { ...common, StatusCallbackEvent: 'recording-completed', MediaUri: `/v1/Recordings/${row?.sid}/Media`, Duration: '2', Size: '2500' },
    ]);
  });

  it('is recorded anew, under another SID, when it is taken in again', async () => {
    const room = await openRoom();
    const first = await recorded(room.join({ identity: 'anna', medium: 'browser' }));
    first.start();
    room.recording.setRules([EXCLUDE_ALL]);
    await asked();
    expect(first.result?.reason).toBe('stopped');
    expect(room.recording.active).toBe(false);
    room.recording.setRules([INCLUDE_ALL]);
    const second = (await asked())[1];
    second?.start();
    expect(room.recording.active).toBe(true);
    expect([...rows.values()].map(({ status, trackSid }) => [status, trackSid])).toEqual([['completed', first.trackSid], ['processing', first.trackSid]]);
  });

  it('goes on when rules change around it', async () => {
    const room = await openRoom();
    const anna = room.join({ identity: 'anna', medium: 'browser' });
    const sound = await recorded(anna);
    const picture = await recorded(anna, 'video');
    for (const one of [sound, picture]) one.start();
    room.recording.setRules([INCLUDE_ALL, { ...video, type: 'exclude' }]);
    await asked();
    expect(picture.result?.reason).toBe('stopped');
    expect(sound.result).toBeNull();
    expect(room.recording.active).toBe(true);
    expect(await asked()).toHaveLength(2);
  });

  it('that never sends anything leaves nothing behind', async () => {
    const room = await openRoom();
    const anna = room.join({ identity: 'anna', medium: 'browser' });
    await recorded(anna);
    anna.disconnect('left');
    await asked();
    expect(rows.size).toBe(0);
    expect(events()).toEqual([]);
  });

  it('is not begun again after it ended by itself', async () => {
    const room = await openRoom();
    const recording = await recorded(room.join({ identity: 'anna', medium: 'browser' }));
    recording.start();
    recording.end('max-duration');
    room.recording.setRules([INCLUDE_ALL]);
    expect(await asked()).toHaveLength(1);
    expect(room.recording.active).toBe(false);
  });

  it('fails in the open when it cannot be written', async () => {
    const room = await openRoom();
    const media = await room.media();
    media.recordTrack = () => Promise.reject(new MediaError('bad-request', 'no space'));
    const phone = room.join({ identity: 'desk', medium: 'phone' });
    phone.publish({ kind: 'audio', name: '' });
    await asked();
    expect(newest()).toMatchObject({ status: 'failed', codec: 'PCMU', bytes: 0, durationMs: 0 });
    expect(told.at(-1)).toMatchObject({ StatusCallbackEvent: 'recording-failed', FailedOperation: 'start', RecordingSid: newest()?.sid });
    expect(room.recording.active).toBe(false);
  });

  it('is told its publisher to lack media', async () => {
    const room = await openRoom();
    const recording = await recorded(room.join({ identity: 'anna', medium: 'browser' }));
    const changes: string[] = [];
    room.recording.on('mediaChanged', (sid) => changes.push(sid));
    recording.emit('mediaLost');
    expect(room.recording.lacksMedia(recording.trackSid)).toBe(true);
    recording.emit('mediaReturned');
    expect(room.recording.lacksMedia(recording.trackSid)).toBe(false);
    expect(changes).toEqual([recording.trackSid, recording.trackSid]);
  });
});

describe('what is not recorded', () => {
  it('is everything until rules say so, and data tracks always', async () => {
    const room = await openRoom({});
    const anna = room.join({ identity: 'anna', medium: 'browser' });
    anna.publish({ kind: 'audio', name: 'mic' });
    expect(await asked()).toEqual([]);
    anna.publish({ kind: 'data', name: '' });
    room.recording.setRules([{ ...INCLUDE_ALL, all: null, publisher: 'anna' }]);
    expect((await asked()).map(({ options }) => options.kind)).toEqual(['audio']);
  });

  it('is what a disk without space would have to take', async () => {
    const scarce = createRoomRecordings({ folder, minFreeBytes: Number.MAX_SAFE_INTEGER }, { clock, log: silentLog, rooms, repository: rowRepository(), roomRepository: { findRoom: () => Promise.resolve(null), findParticipant: () => Promise.resolve(null) }, callbacks: { send: () => {} } });
    await recordings.stop();
    const room = await openRoom();
    room.join({ identity: 'anna', medium: 'browser' }).publish({ kind: 'audio', name: '' });
    expect(await asked()).toEqual([]);
    expect(newest()).toMatchObject({ status: 'failed' });
    await scarce.stop();
  });
});

describe('at an end', () => {
  it('of the room all files are completed, and told after it', async () => {
    const room = await openRoom();
    const recording = await recorded(room.join({ identity: 'anna', medium: 'browser' }));
    recording.start();
    room.end('completed-by-api');
    await asked();
    expect(newest()?.status).toBe('completed');
    expect(told.slice(-2).map(({ StatusCallbackEvent, RoomStatus }) => [StatusCallbackEvent, RoomStatus])).toEqual([['room-ended', 'completed'], ['recording-completed', 'completed']]);
  });

  it('of the server nothing is left open', async () => {
    const room = await openRoom();
    (await recorded(room.join({ identity: 'anna', medium: 'browser' }))).start();
    await recordings.stop();
    expect(newest()?.status).toBe('completed');
    room.join({ identity: 'bert', medium: 'browser' }).publish({ kind: 'audio', name: '' });
    expect(await asked()).toHaveLength(1);
  });

  it('by REST the file goes and the row stays', async () => {
    const room = await openRoom();
    const recording = await recorded(room.join({ identity: 'anna', medium: 'browser' }));
    recording.start();
    const file = `${recording.options.path}.mka`;
    writeFileSync(file, 'media');
    await recordings.remove(newest() as RoomRecordingRecord);
    expect(recording.result?.reason).toBe('stopped');
    expect(existsSync(file)).toBe(false);
    expect(newest()).toMatchObject({ status: 'deleted', durationMs: 2000 });
    expect(await asked()).toHaveLength(1);
  });

  it('of the media worker the file says what there is', async () => {
    const room = await openRoom();
    const anna = room.join({ identity: 'anna', medium: 'browser' });
    const [kept, empty] = [await recorded(anna), await recorded(anna)];
    for (const one of [kept, empty]) one.start();
    writeTone(`${kept.options.path}.mka`);
    for (const one of [kept, empty]) one.end('lost', 0);
    await expect.poll(() => [...rows.values()].map(({ status }) => status), { timeout: 20_000 }).toEqual(['completed', 'failed']);
    expect(Math.abs(([...rows.values()][0]?.durationMs ?? 0) - 1500)).toBeLessThan(60);
    expect(events()).toEqual(['recording-started', 'recording-started', 'recording-failed', 'recording-completed']);
  });

  it('by a crash they are completed at the next start', async () => {
    const room = await openRoom();
    const anna = room.join({ identity: 'anna', medium: 'browser' });
    const recording = await recorded(anna);
    recording.start();
    const row = newest() as RoomRecordingRecord;
    await recordings.stop();
    rows.set(row.sid, { ...row, status: 'processing', bytes: null, durationMs: null });
    writeTone(recordings.pathOf(row));
    told.length = 0;
    await recordings.closeLeftovers();
    await expect.poll(() => told.length, { timeout: 20_000 }).toBe(1);
    expect(newest()).toMatchObject({ status: 'completed', bytes: expect.any(Number) });
    expect(told[0]).toMatchObject({ StatusCallbackEvent: 'recording-completed', RecordingSid: row.sid, ParticipantIdentity: 'anna', RoomSid: room.sid });
    expect(Number(told[0]?.['Duration'])).toBeGreaterThanOrEqual(1);
  });
});

/** 1.5 s of sound as a writer leaves it that was killed: without a duration in its header. */
function writeTone(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const bytes = execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'sine=frequency=440:duration=1.5', '-c:a', 'libopus', '-f', 'matroska', 'pipe:1'], { maxBuffer: 1 << 24 });
  writeFileSync(path, bytes);
}
