import { beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../base/log.ts';
import { newSid, type AccountSid, type TrackSid } from '../base/sid.ts';
import { MediaError, type RoomMedia } from '../media/protocol.ts';
import type { Room, Rooms } from '../rooms/contract.ts';
import type { RoomRepository } from '../rooms/model.ts';
import { createRooms } from '../rooms/rooms.ts';
import { EXCLUDE_ALL, INCLUDE_ALL } from '../rooms/track-rules.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { FakePhone, FakeRoomMedia } from '../testing/fake-media.ts';
import type { RoomConnector } from '../voice/contract.ts';
import { createRoomConnector } from './phone-participant.ts';

class PhoneOfTest extends FakePhone {
  inRoom: TrackSid | null = null;
  failing = false;
  override joinRoom(room: RoomMedia, options: { trackSid: TrackSid }): Promise<void> {
    if (this.failing) return Promise.reject(new MediaError('worker-died', 'gone'));
    this.inRoom = options.trackSid;
    return super.joinRoom(room, options);
  }
  override leaveRoom(): Promise<void> {
    this.inRoom = null;
    return super.leaveRoom();
  }
}

const account: AccountSid = newSid('AC');
const nothing = (): void => undefined;
let rooms: Rooms;
let connector: RoomConnector;

beforeEach(() => {
  rooms = createRooms({
    clock: new FakeClock(),
    log: silentLog,
    media: { createPhone: () => Promise.reject(new MediaError('closed', '')), createRoom: () => Promise.resolve(new FakeRoomMedia()) },
    repository: { saveRoom: nothing, saveParticipant: nothing, saveTrack: nothing } as unknown as RoomRepository,
    callbacks: { send: nothing },
    settings: () => null,
  });
  connector = createRoomConnector({ rooms, log: silentLog });
});

function arrive(room: string, options: { identity?: string; phone?: PhoneOfTest } = {}) {
  const hangup = new AbortController();
  const phone = options.phone ?? new PhoneOfTest();
  const stay = connector.stay({ accountSid: account, callSid: newSid('CA'), roomName: room, identity: options.identity ?? null, phone, signal: hangup.signal });
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
