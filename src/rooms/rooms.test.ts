import { beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../base/log.ts';
import { newSid, type AccountSid } from '../base/sid.ts';
import { MediaError, type MediaPlane, type PhoneMedia } from '../media/protocol.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { FakeRoomMedia } from '../testing/fake-media.ts';
import type { Participant, Rooms } from './contract.ts';
import type { ParticipantRecord, RoomRecord, TrackRecord } from './model.ts';
import { createRooms } from './rooms.ts';

const account: AccountSid = newSid('AC');
const minute = 60_000;
let clock: FakeClock;
let rooms: Rooms;
let opened: FakeRoomMedia[];
let told: Record<string, string>[];
let saved: { rooms: Map<string, RoomRecord>; participants: Map<string, ParticipantRecord>; tracks: Map<string, TrackRecord> };
let settings: { clientRoomCreation: boolean; roomStatusCallback: string | null };

beforeEach(() => {
  clock = new FakeClock();
  opened = [];
  told = [];
  saved = { rooms: new Map(), participants: new Map(), tracks: new Map() };
  settings = { clientRoomCreation: true, roomStatusCallback: null };
  const media: MediaPlane = {
    createPhone: () => Promise.reject(new MediaError('bad-request', 'not in this test')) as Promise<PhoneMedia>,
    createRoom: ({ roomSid }) => {
      const room = new FakeRoomMedia(roomSid);
      opened.push(room);
      return Promise.resolve(room);
    },
  };
  const none = () => Promise.resolve(null);
  const empty = () => Promise.resolve({ items: [], nextToken: null, previousToken: null });
  rooms = createRooms({
    clock,
    log: silentLog,
    media,
    settings: (sid) => (sid === account ? settings : null),
    callbacks: { send: ({ url, method, parameters }) => told.push({ url, method, ...Object.fromEntries(parameters) }) },
    repository: {
      saveRoom: (record) => saved.rooms.set(record.sid, record),
      saveParticipant: (record) => saved.participants.set(record.sid, record),
      saveTrack: (record) => saved.tracks.set(record.sid, record),
      findRoom: none,
      listRooms: empty,
      findParticipant: none,
      listParticipants: empty,
      findTrack: none,
      listTracks: empty,
      closeLeftovers: () => Promise.resolve([]),
    },
  });
});

const browser = (identity: string) => ({ identity, medium: 'browser' as const });
const phone = (identity: string | null = null) => ({ identity, medium: 'phone' as const });
const code = (n: number) => expect.objectContaining({ name: 'TwilioError', code: n });

function endings(participant: Participant): string[] {
  const reasons: string[] = [];
  participant.on('disconnected', (reason) => reasons.push(reason));
  return reasons;
}

describe('finding and making rooms', () => {
  it('finds a room by its name and its SID, for its own account only, case-sensitively', async () => {
    const room = await rooms.create(account, { uniqueName: 'Réunion & Co' });
    expect(rooms.find(account, 'Réunion & Co')).toBe(room);
    expect(rooms.find(account, room.sid.toUpperCase())).toBe(room);
    expect(rooms.find(account, 'réunion & co')).toBeNull();
    expect(rooms.find(newSid('AC'), 'Réunion & Co')).toBeNull();
    expect(rooms.find(newSid('AC'), room.sid)).toBeNull();
  });

  it('names a room without a name after its SID', async () => {
    const room = await rooms.create(account, {});
    expect(room.uniqueName).toBe(room.sid);
    expect(rooms.find(account, room.sid)).toBe(room);
  });

  it('keeps a name taken until the room has ended', async () => {
    const first = await rooms.create(account, { uniqueName: 'daily' });
    await expect(rooms.create(account, { uniqueName: 'daily' })).rejects.toEqual(code(53113));
    first.end('completed-by-api');
    const second = await rooms.create(account, { uniqueName: 'daily' });
    expect(second.sid).not.toBe(first.sid);
    expect(saved.rooms.get(first.sid)).toMatchObject({ status: 'completed', endReason: 'completed-by-api' });
  });

  it.each([
    [{ uniqueName: 'x'.repeat(129) }, 53101],
    [{ uniqueName: 'bell\u0007' }, 53102],
    [{ uniqueName: 'caf\ufffd' }, 53102],
    [{ uniqueName: ' ' }, 53100],
    [{ type: 'party' }, 53108],
    [{ maxParticipants: 51 }, 53107],
    [{ maxParticipants: Number.NaN }, 53107],
    [{ emptyRoomTimeout: 0 }, 53109],
    [{ unusedRoomTimeout: 61 }, 53109],
    [{ maxParticipantDuration: 599 }, 53123],
    [{ statusCallbackMethod: 'PUT' }, 53110],
    [{ statusCallback: 'ftp://example.com' }, 53111],
    [{ statusCallback: `https://example.com/${'x'.repeat(1024)}` }, 53111],
    [{ audioOnly: true, type: 'go' }, 53124],
  ])('refuses %j', async (options, number) => {
    await expect(rooms.create(account, options)).rejects.toEqual(code(number));
    expect(rooms.all()).toEqual([]);
  });

  it('lets an SDK make a room only when the account allows it, and never by SID', async () => {
    const room = await rooms.findOrCreateForSdk(account, 'adhoc');
    expect(room.record.adHoc).toBe(true);
    expect(await rooms.findOrCreateForSdk(account, 'adhoc')).toBe(room);
    await expect(rooms.findOrCreateForSdk(account, newSid('RM'))).rejects.toEqual(code(53106));
    settings.clientRoomCreation = false;
    await expect(rooms.findOrCreateForSdk(account, 'other')).rejects.toEqual(code(53106));
  });
});

describe('who is in a room', () => {
  it('disconnects the first of two with one identity and keeps the second', async () => {
    const room = await rooms.findOrCreateForSdk(account, 'daily');
    const first = room.join(phone('alice'));
    const reasons = endings(first);
    const second = room.join(browser('alice'));
    expect(reasons).toEqual(['duplicate-identity']);
    expect(room.ended).toBe(false);
    expect([...room.participants.values()]).toEqual([second]);
    expect(saved.participants.get(first.sid)).toMatchObject({ status: 'disconnected', leaveReason: 'duplicate-identity' });
  });

  it('gives phones without an identity different ones', async () => {
    const room = await rooms.create(account, {});
    const identities = [room.join(phone()).identity, room.join(phone()).identity];
    expect(new Set(identities).size).toBe(2);
    expect(identities.every((identity) => identity.length > 0)).toBe(true);
  });

  it('takes 35 phones, and a 36th only in the place of one of them', async () => {
    const room = await rooms.create(account, {});
    for (let n = 1; n <= 35; n++) room.join(phone(`p${n}`));
    expect(() => room.join(phone('p36'))).toThrow(code(53105));
    expect(() => room.join(phone('p7'))).not.toThrow();
    expect(() => room.join(browser('b1'))).not.toThrow();
    expect(room.participants.size).toBe(36);
  });

  it('is full at MaxParticipants, phones counted', async () => {
    const room = await rooms.create(account, { maxParticipants: 2 });
    room.join(phone('a'));
    room.join(browser('b'));
    expect(() => room.join(browser('c'))).toThrow(code(53105));
    expect(() => room.join(browser('b'))).not.toThrow();
  });

  it('refuses phones in peer-to-peer rooms, and bad identities everywhere', async () => {
    const room = await rooms.create(account, { type: 'peer-to-peer' });
    expect(() => room.join(phone('a'))).toThrow(code(53108));
    expect(() => room.join(browser(''))).toThrow(code(53200));
    expect(() => room.join(browser('x'.repeat(129)))).toThrow(code(53201));
    expect(() => room.join(browser('é'.repeat(128)))).not.toThrow();
    expect(() => room.join(browser('a\nb'))).toThrow(code(53202));
  });

  it('tells of tracks after their participant came and before it goes', async () => {
    const room = await rooms.create(account, {});
    const events: string[] = [];
    room.on('participantConnected', (p) => events.push(`+${p.identity}`));
    room.on('trackPublished', (p, t) => events.push(`+${p.identity}/${t.kind}`));
    room.on('trackUpdated', (p, t) => events.push(`~${p.identity}/${t.kind}/${t.enabled}/${t.priority}`));
    room.on('trackUnpublished', (p, t) => events.push(`-${p.identity}/${t.kind}`));
    room.on('participantDisconnected', (p, reason) => events.push(`-${p.identity}/${reason}`));
    const alice = room.join(browser('alice'));
    const track = alice.publish({ kind: 'audio', name: '' });
    expect(track.name).toBe(track.sid);
    alice.update(track.sid, { enabled: false });
    alice.update(track.sid, { enabled: false });
    alice.update(track.sid, { priority: 'high' });
    alice.disconnect('left');
    alice.disconnect('left');
    expect(events).toEqual(['+alice', '+alice/audio', '~alice/audio/false/standard', '~alice/audio/false/high', '-alice/audio', '-alice/left']);
    expect(saved.tracks.get(track.sid)?.endedAtMs).not.toBeNull();
  });

  it('checks publications', async () => {
    const room = await rooms.create(account, { audioOnly: true });
    const alice = room.join(browser('alice'));
    alice.publish({ kind: 'audio', name: 'mic' });
    expect(() => alice.publish({ kind: 'audio', name: 'mic' })).toThrow(code(53304));
    expect(() => alice.publish({ kind: 'video', name: 'camera' })).toThrow(code(53125));
    expect(() => alice.publish({ kind: 'audio', name: 'x'.repeat(129) })).toThrow(code(53302));
  });
});

describe('how a room ends', () => {
  it('ends an ad-hoc room with its last participant', async () => {
    const room = await rooms.findOrCreateForSdk(account, 'adhoc');
    room.join(browser('a')).disconnect('left');
    expect(room.ended).toBe(true);
    expect(rooms.find(account, 'adhoc')).toBeNull();
  });

  it('ends an unused room after its time, but not one that a phone has joined', async () => {
    const unused = await rooms.create(account, { unusedRoomTimeout: 1 });
    const used = await rooms.create(account, { unusedRoomTimeout: 1 });
    clock.advance(minute / 2);
    used.join(phone());
    clock.advance(minute);
    expect(unused.record).toMatchObject({ status: 'completed', endReason: 'unused' });
    expect(used.ended).toBe(false);
  });

  it('ends an empty room after its time unless somebody comes back', async () => {
    const room = await rooms.create(account, { emptyRoomTimeout: 2 });
    room.join(browser('a')).disconnect('left');
    clock.advance(minute);
    const back = room.join(browser('a'));
    clock.advance(5 * minute);
    expect(room.ended).toBe(false);
    back.disconnect('left');
    clock.advance(2 * minute);
    expect(room.record.endReason).toBe('empty');
  });

  it('lives 24 hours at most and sends everybody home after MaxParticipantDuration', async () => {
    const room = await rooms.create(account, { maxParticipantDuration: 600 });
    const reasons = endings(room.join(phone('a')));
    clock.advance(600_000);
    expect(reasons).toEqual(['participant-duration']);
    const long = await rooms.create(account, { maxParticipantDuration: 86_400 });
    const stayed = endings(long.join(browser('b')));
    clock.advance(24 * 60 * minute);
    expect(long.ended).toBe(true);
    expect(stayed).toHaveLength(1);
  });

  it('completed: everybody hears of it once, media is closed, late comers are refused', async () => {
    const room = await rooms.create(account, {});
    await room.media();
    const reasons = endings(room.join(phone('a')));
    room.end('completed-by-api');
    room.end('empty');
    await rooms.stop('server-stopped');
    expect(reasons).toEqual(['room-completed']);
    expect(opened[0]?.closed).toBe(1);
    expect(() => room.join(phone('b'))).toThrow(code(53118));
    await expect(room.media()).rejects.toEqual(code(53118));
  });

  it('ends with its media', async () => {
    const room = await rooms.create(account, {});
    expect(await room.media()).toBe(await room.media());
    const reasons = endings(room.join(phone('a')));
    opened[0]?.emit('lost', 'worker-died');
    expect(reasons).toEqual(['media-lost']);
    expect(room.record.endReason).toBe('media-lost');
    expect(opened).toHaveLength(1);
  });
});

describe('status callbacks', () => {
  it('tells the whole story in order, with durations', async () => {
    const room = await rooms.create(account, { uniqueName: 'told', statusCallback: 'https://app.example/room' });
    const alice = room.join(phone('alice'));
    const track = alice.publish({ kind: 'audio', name: '' });
    clock.advance(3000);
    alice.disconnect('left');
    room.end('completed-by-api');
    expect(told.map((callback) => callback['StatusCallbackEvent'])).toEqual(['room-created', 'participant-connected', 'track-added', 'track-removed', 'participant-disconnected', 'room-ended']);
    expect(told[2]).toMatchObject({ url: 'https://app.example/room', method: 'POST', RoomName: 'told', RoomSid: room.sid, RoomType: 'group', RoomStatus: 'in-progress', ParticipantIdentity: 'alice', TrackSid: track.sid, TrackKind: 'audio' });
    expect(told[4]).toMatchObject({ ParticipantStatus: 'disconnected', ParticipantDuration: '3' });
    expect(told[5]).toMatchObject({ RoomStatus: 'completed', RoomDuration: '3' });
    expect(told.map((callback) => callback['SequenceNumber'])).toEqual(['0', '1', '2', '3', '4', '5']);
  });

  it('falls back to the account’s callback, and is silent without any', async () => {
    (await rooms.create(account, {})).end('completed-by-api');
    expect(told).toEqual([]);
    settings.roomStatusCallback = 'https://app.example/default';
    await rooms.create(account, {});
    expect(told.map((callback) => callback['url'])).toEqual(['https://app.example/default']);
  });
});
