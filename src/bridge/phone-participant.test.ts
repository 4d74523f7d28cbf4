import { beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../base/log.ts';
import { newSid, type AccountSid, type TrackSid } from '../base/sid.ts';
import { MediaError, type RoomMedia, type RoomVoice } from '../media/protocol.ts';
import type { Room, Rooms } from '../rooms/contract.ts';
import type { RoomRepository } from '../rooms/model.ts';
import { createRooms } from '../rooms/rooms.ts';
import { EXCLUDE_ALL, INCLUDE_ALL } from '../rooms/track-rules.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { FakePhone, FakeRoomMedia } from '../testing/fake-media.ts';
import type { RoomConnector, RoomWishes } from '../voice/contract.ts';
import { createRoomConnector } from './phone-participant.ts';

class PhoneOfTest extends FakePhone {
  inRoom: TrackSid | null = null;
  failing = false;
  override joinRoom(room: RoomMedia, options: { trackSid: TrackSid; voice?: Partial<RoomVoice> }): Promise<void> {
    if (this.failing) return Promise.reject(new MediaError('worker-died', 'gone'));
    this.inRoom = options.trackSid;
    return super.joinRoom(room, options);
  }
  override leaveRoom(): Promise<void> {
    this.inRoom = null;
    return super.leaveRoom();
  }
}

const NO_WISHES: RoomWishes = { muted: false, muteKeys: null, joinTone: false, leaveTone: false };
const account: AccountSid = newSid('AC');
const nothing = (): void => undefined;
const told: Record<string, string>[] = [];
let rooms: Rooms;
let connector: RoomConnector;
let clock: FakeClock;
let media: FakeRoomMedia;

beforeEach(() => {
  clock = new FakeClock();
  media = new FakeRoomMedia();
  rooms = createRooms({
    clock,
    log: silentLog,
    media: { createPhone: () => Promise.reject(new MediaError('closed', '')), createRoom: () => Promise.resolve(media) },
    repository: { saveRoom: nothing, saveParticipant: nothing, saveTrack: nothing } as unknown as RoomRepository,
    callbacks: { send: ({ parameters }) => void told.push(Object.fromEntries(parameters)) },
    settings: () => null,
  });
  connector = createRoomConnector({ rooms, attributes: 'off', clock, log: silentLog });
});

function arrive(room: string, options: { identity?: string; phone?: PhoneOfTest; wishes?: Partial<RoomWishes> } = {}) {
  const hangup = new AbortController();
  const phone = options.phone ?? new PhoneOfTest();
  const stay = connector.stay({ accountSid: account, call: { sid: newSid('CA'), from: '+15557001', to: '+15550100' }, roomName: room, identity: options.identity ?? null, wishes: { ...NO_WISHES, ...options.wishes }, phone, signal: hangup.signal });
  return { phone, hangup, stay };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const only = (room: Room) => [...room.participants.values()][0];

describe('a phone in a room', () => {
  it('is a participant with one audio track, heard in the room, until it hangs up', async () => {
    const room = await rooms.create(account, { uniqueName: 'daily' });
    const { phone, hangup, stay } = arrive('daily', { identity: 'alice' });
    await settled();
    const alice = only(room);
    expect(alice).toMatchObject({ identity: 'alice', medium: 'phone' });
    expect([...(alice?.publications.values() ?? [])].map((track) => [track.kind, track.name === track.sid])).toEqual([['audio', true]]);
    expect(phone.inRoom).toBe([...(alice?.publications.keys() ?? [])][0]);
    hangup.abort();
    expect(await stay).toMatchObject({ reason: 'left' });
    expect(room.participants.size).toBe(0);
    expect(room.ended).toBe(false);
  });

  it('is told why it had to go, with the room’s and its own names', async () => {
    const room = await rooms.create(account, { uniqueName: 'daily' });
    const first = arrive('daily', { identity: 'alice' });
    await settled();
    const sid = only(room)?.sid;
    const second = arrive('daily', { identity: 'alice' });
    expect(await first.stay).toEqual({
      reason: 'duplicate-identity',
      parameters: [['RoomSid', room.sid], ['RoomName', 'daily'], ['ParticipantSid', sid], ['ParticipantIdentity', 'alice'], ['RoomDisconnectReason', 'duplicate-identity']],
    });
    expect(first.phone.inRoom).toBeNull();
    await settled();
    expect(second.phone.inRoom).not.toBeNull();
    room.end('completed-by-api');
    expect((await second.stay).reason).toBe('room-completed');
  });

  it('is removed by name', async () => {
    const room = await rooms.create(account, { uniqueName: 'daily' });
    const { stay } = arrive('daily', { identity: 'alice' });
    await settled();
    room.participantByIdentity('alice')?.disconnect('participant-removed');
    expect((await stay).reason).toBe('participant-removed');
  });

  it('leaves when its time in the room is over, and its call goes on', async () => {
    const room = await rooms.create(account, { uniqueName: 'daily', maxParticipantDuration: 600, unusedRoomTimeout: 1 });
    clock.advance(30_000);
    const { phone, stay } = arrive('daily', { identity: 'alice' });
    await settled();
    clock.advance(599_000);
    expect([room.ended, room.participants.size]).toEqual([false, 1]);
    clock.advance(1000);
    expect(await stay).toMatchObject({ reason: 'participant-duration', parameters: expect.arrayContaining([['RoomDisconnectReason', 'participant-duration']]) });
    expect(phone.inRoom).toBeNull();
    expect(phone.closed).toBe(false);
  });

  it('goes on without a room that is not there, full, or of another account', async () => {
    await rooms.create(newSid('AC'), { uniqueName: 'foreign' });
    await rooms.create(account, { uniqueName: 'pair', type: 'go' });
    const full = await rooms.create(account, { uniqueName: 'full', maxParticipants: 1 });
    full.join({ identity: 'bob', medium: 'browser' });
    expect(connector.exists(account, 'foreign')).toBe(false);
    expect(await connector.mediaOf(account, 'foreign')).toBeNull();
    expect(await arrive('foreign').stay).toMatchObject({ reason: 'room-not-found', notification: { errorCode: 53106 } });
    expect(await arrive('pair').stay).toMatchObject({ reason: 'room-type', notification: { errorCode: 53108 } });
    expect(await arrive('full').stay).toMatchObject({ reason: 'room-full', notification: { errorCode: 53105 } });
    expect(await arrive('full', { identity: 'x'.repeat(129) }).stay).toMatchObject({ reason: 'identity-invalid', notification: { errorCode: 53201 } });
    expect(rooms.all()).toHaveLength(3);
  });

  it('knows the 36th phone from a full room', async () => {
    await rooms.create(account, { uniqueName: 'crowd' });
    for (let n = 0; n < 35; n++) arrive('crowd');
    await settled();
    expect((await arrive('crowd').stay).reason).toBe('phone-limit');
  });

  it('hears what its subscribe rules take in, of those who come later too', async () => {
    const room = await rooms.create(account, { uniqueName: 'daily' });
    const { phone } = arrive('daily', { identity: 'alice' });
    await settled();
    expect(phone.voice?.hears).toBeNull();
    const alice = room.participantByIdentity('alice');
    alice?.setSubscribeRules([INCLUDE_ALL, { ...EXCLUDE_ALL, all: null, publisher: 'bob' }], { byRest: true });
    expect(phone.voice?.hears).toEqual([]);
    const bob = room.join({ identity: 'bob', medium: 'browser' });
    bob.publish({ kind: 'audio', name: 'mic' });
    const carol = room.join({ identity: 'carol', medium: 'browser' });
    carol.publish({ kind: 'video', name: 'camera' });
    const mic = carol.publish({ kind: 'audio', name: 'mic' });
    expect(phone.voice?.hears).toEqual([mic.sid]);
    alice?.setSubscribeRules([INCLUDE_ALL], { byRest: true });
    expect(phone.voice?.hears).toBeNull();
  });

  it('leaves when its media is lost', async () => {
    const room = await rooms.create(account, { uniqueName: 'daily' });
    const broken = new PhoneOfTest();
    broken.failing = true;
    expect((await arrive('daily', { phone: broken }).stay).reason).toBe('media-lost');
    const { phone, stay } = arrive('daily');
    await settled();
    phone.emit('lost', 'worker-died');
    expect((await stay).reason).toBe('media-lost');
    expect(room.participants.size).toBe(0);
  });
});

describe('a phone that is muted', () => {
  const press = (phone: PhoneOfTest, keys: string): void => [...keys].forEach((key) => phone.emit('digitReceived', key));
  const trackOf = (room: Room) => [...(only(room)?.publications.values() ?? [])][0];

  it('by its own keys, is shown as disabled, hears a tone, and comes back by the same keys', async () => {
    const room = await rooms.create(account, { uniqueName: 'daily' });
    const shown: boolean[] = [];
    room.on('trackUpdated', (_, { enabled }) => shown.push(enabled));
    const { phone } = arrive('daily', { wishes: { muteKeys: '*6' } });
    await settled();
    press(phone, '1*6');
    expect(phone.voice?.muted).toBe(true);
    press(phone, '6');
    press(phone, '**6');
    expect(phone.voice?.muted).toBe(false);
    expect(shown).toEqual([false, true]);
    const tones = phone.played.map(({ source }) => (source.kind === 'tone' ? source.frequencyHz : 0));
    expect(tones).toHaveLength(2);
    expect(tones[0]).toBeLessThan(tones[1] ?? 0);
  });

  it('not by keys that are far apart, nor by any when none were named, nor after it left', async () => {
    const room = await rooms.create(account, { uniqueName: 'daily' });
    const { phone, hangup } = arrive('daily', { identity: 'keys', wishes: { muteKeys: '*6' } });
    const other = arrive('daily', { identity: 'none' });
    await settled();
    press(phone, '*');
    clock.advance(3100);
    press(phone, '6');
    press(other.phone, '*6');
    expect([phone.voice?.muted, other.phone.voice?.muted]).toEqual([false, false]);
    hangup.abort();
    await settled();
    press(phone, '*6');
    expect([...room.participants.values()].map(({ identity }) => identity)).toEqual(['none']);
    expect(phone.played).toEqual([]);
  });

  it('by others, while it is still on its way in too', async () => {
    const room = await rooms.create(account, { uniqueName: 'daily' });
    room.once('trackPublished', (participant, { sid }) => queueMicrotask(() => participant.update(sid, { enabled: false })));
    const { phone } = arrive('daily');
    await settled();
    expect(phone.voice?.muted).toBe(true);
    only(room)?.update(trackOf(room)?.sid ?? newSid('MT'), { enabled: true });
    expect(phone.voice?.muted).toBe(false);
  });

  it('from the start when its document says so', async () => {
    const room = await rooms.create(account, { uniqueName: 'daily' });
    const { phone } = arrive('daily', { wishes: { muted: true } });
    await settled();
    expect(phone.voice?.muted).toBe(true);
    expect(trackOf(room)?.enabled).toBe(false);
    expect(phone.played).toEqual([]);
  });
});

describe('tones of a room', () => {
  const heard = (): number[] => media.played.map(({ source }) => (source.kind === 'tone' ? source.frequencyHz : 0));

  it('sound when others join and leave, while a phone that asked for them is there', async () => {
    const room = await rooms.create(account, { uniqueName: 'daily' });
    const { hangup } = arrive('daily', { wishes: { joinTone: true, leaveTone: true } });
    await settled();
    expect(heard()).toEqual([]);
    const browser = room.join({ identity: 'bob', medium: 'browser' });
    room.join({ identity: 'at once', medium: 'browser' });
    expect(heard()).toEqual([880]);
    await settled();
    browser.disconnect('left');
    expect(heard()).toEqual([880, 587]);
    await settled();
    hangup.abort();
    await settled();
    room.join({ identity: 'carol', medium: 'browser' });
    expect(heard()).toEqual([880, 587]);
  });

  it('are off unless asked for, each by itself, and do not announce the end of the room', async () => {
    const room = await rooms.create(account, { uniqueName: 'daily' });
    arrive('daily', { identity: 'plain' });
    await settled();
    room.join({ identity: 'bob', medium: 'browser' }).disconnect('left');
    expect(heard()).toEqual([]);
    arrive('daily', { wishes: { leaveTone: true } });
    await settled();
    room.join({ identity: 'bob', medium: 'browser' });
    expect(heard()).toEqual([]);
    room.end('completed-by-api');
    expect(heard()).toEqual([]);
  });
});

describe('waiting for a room', () => {
  it('is over when the room of that name and account opens, or when nobody waits any more', async () => {
    const told: string[] = [];
    const wait = (name: string, signal = new AbortController().signal): void => void connector.whenOpen(account, name, signal).then(() => told.push(name));
    const gone = new AbortController();
    wait('daily');
    wait('other', gone.signal);
    await rooms.create(newSid('AC'), { uniqueName: 'daily' });
    await settled();
    expect(told).toEqual([]);
    gone.abort();
    await settled();
    expect(told).toEqual(['other']);
    await rooms.create(account, { uniqueName: 'daily' });
    await settled();
    expect(told).toEqual(['other', 'daily']);
    wait('daily');
    await settled();
    expect(told).toEqual(['other', 'daily', 'daily']);
  });
});

describe('what a room tells of a phone’s call', () => {
  const call = { sid: newSid('CA'), from: '+15557001', to: '+15550100' };

  it.each([
    ['off', null, {}],
    ['sid', { sid: call.sid, from: null, to: null }, { CallSid: call.sid }],
    ['numbers', call, { CallSid: call.sid, From: '+15557001', To: '+15550100' }],
  ] as const)('is, by the setting %s, %j', async (attributes, kept, parameters) => {
    const room = await rooms.create(account, { uniqueName: 'daily', statusCallback: 'http://app.test/room' });
    const phone = new PhoneOfTest();
    void createRoomConnector({ rooms, attributes, clock, log: silentLog }).stay({ accountSid: account, call, roomName: 'daily', identity: null, wishes: NO_WISHES, phone, signal: new AbortController().signal });
    told.length = 0;
    await settled();
    expect(only(room)?.record.call).toEqual(kept);
    expect(told.map(({ StatusCallbackEvent, CallSid, From, To }) => [StatusCallbackEvent, CallSid, From, To])).toEqual(['participant-connected', 'track-added'].map((event) => [event, ...['CallSid', 'From', 'To'].map((name) => (parameters as Record<string, string>)[name])]));
    const phoneOfRoom = only(room);
    phoneOfRoom?.anonymize();
    expect(phoneOfRoom?.record.call).toBeNull();
  });
});
