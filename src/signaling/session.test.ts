import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../base/log.ts';
import { newSid } from '../base/sid.ts';
import { MediaError } from '../media/protocol.ts';
import type { BrowserMedia, MediaPlane } from '../media/protocol.ts';
import type { Room } from '../rooms/contract.ts';
import type { RoomRepository } from '../rooms/model.ts';
import { createRooms } from '../rooms/rooms.ts';
import { EXCLUDE_ALL, INCLUDE_ALL } from '../rooms/track-rules.ts';
import { readBrowserDescription } from '../sdp/browser-description.ts';
import { FakeBrowserMedia } from '../testing/fake-browser-media.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { FakeRoomMedia } from '../testing/fake-media.ts';
import { QualityBoard } from './media-signaling/quality-board.ts';
import { readClientMessage, type ConnectMessage, type SyncMessage, type UpdateMessage } from './messages.ts';
import { Session, type Link } from './session.ts';

const sdp = readFileSync(new URL('../../test/fuzz/chromium-offer.sdp', import.meta.url), 'utf8');
const trackId = '2c0f1249-92c6-4a02-b9dc-599c30c54dad';
class RoomOfBrowsers extends FakeRoomMedia {
  override createBrowser(): Promise<BrowserMedia> {
    return Promise.resolve(new FakeBrowserMedia());
  }
}

interface Told {
  type: string;
  code?: number;
  session: string;
  participants?: { sid: string; state: string; revision: number; tracks: { enabled: boolean }[] }[];
  published?: { revision: number; tracks: { sid: string }[] };
  subscribed?: { revision: number; tracks: { sid: string }[] };
  media_signaling?: object;
  peer_connections?: { description?: { type: string; revision: number; sdp: string } }[];
}

class FakeLink implements Link {
  told: Told[] = [];
  closed = false;
  send(body: object): void {
    this.told.push(JSON.parse(JSON.stringify(body)) as Told);
  }
  close(): void {
    this.closed = true;
  }
  get last(): Told {
    return this.told.at(-1)!;
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let clock: FakeClock;
let room: Room;
let roomMedia: RoomOfBrowsers;
let link: FakeLink;
let media: FakeBrowserMedia;
let session: Session;
let first: { connect: ConnectMessage; offer: ReturnType<typeof readBrowserDescription> };

beforeEach(async () => {
  clock = new FakeClock();
  roomMedia = new RoomOfBrowsers();
  const plane = { createRoom: () => Promise.resolve(roomMedia) } as unknown as MediaPlane;
  const repository = { saveRoom: () => {}, saveParticipant: () => {}, saveTrack: () => {} } as unknown as RoomRepository;
  const rooms = createRooms({ clock, log: silentLog, media: plane, repository, callbacks: { send: () => {} }, settings: () => null });
  room = await rooms.create(newSid('AC'), {});
  link = new FakeLink();
  media = new FakeBrowserMedia();
  const connect = readClientMessage({
    type: 'connect',
    token: 't',
    media_signaling: { active_speaker: { transports: [{ type: 'data-channel' }] } },
    participant: { revision: 2, tracks: [{ id: trackId, kind: 'audio', name: 'mic' }] },
    peer_connections: [{ id: 'pc', description: { type: 'offer', revision: 1, sdp } }],
  }) as ConnectMessage;
  first = { connect, offer: readBrowserDescription(sdp) };
  session = new Session({ board: new QualityBoard(clock), participant: room.join({ identity: 'anna', medium: 'browser' }), media, roomMedia, connect, offer: readBrowserDescription(sdp), link, clock, log: silentLog, timeoutS: 30, ended: () => {} });
  await session.start();
  await settle();
});

const update = async (body: object): Promise<void> => {
  session.updateReceived(readClientMessage({ type: 'update', ...body }) as UpdateMessage);
  await settle();
};
const sync = async (other: FakeLink, body: object = {}): Promise<void> => {
  session.resume(other, readClientMessage({ type: 'sync', token: 't', session: session.id, ...body }) as SyncMessage);
  await settle();
};

describe('a session', () => {
  it('answers, and publishes under SIDs of the room', () => {
    expect(link.told[0]).toMatchObject({ type: 'connected', session: session.id, peer_connections: [{ id: 'pc', description: { type: 'answer', revision: 1 } }] });
    expect(media.received).toEqual(link.told[0]!.published!.tracks.map((track) => track.sid));
  });

  it('tells of a phone that comes, with an offer for its sound when the browser has no line free', async () => {
    const phone = room.join({ identity: '+1555', medium: 'phone' });
    const other = room.join({ identity: '+1666', medium: 'phone' });
    const tracks = [phone.publish({ kind: 'audio', name: '' }), other.publish({ kind: 'audio', name: '' })];
    await settle();
    expect(link.last.participants).toMatchObject([{ sid: phone.sid, state: 'connected' }, { sid: other.sid }]);
    expect(link.last.subscribed?.tracks.map((track) => track.sid)).toEqual(tracks.map((track) => track.sid));
    expect(link.last.peer_connections?.[0]?.description).toMatchObject({ type: 'offer', revision: 2 });
    const told = link.told.length;
    phone.disconnect('left');
    await settle();
    expect(link.told.length).toBe(told + 1);
    expect(link.last).toMatchObject({ participants: [{ sid: phone.sid, state: 'disconnected', revision: 2, tracks: [] }] });
    expect(link.last.peer_connections, 'no second offer before the answer').toBeUndefined();
  });

  it('is subscribed to what its rules take in, as soon as they change', async () => {
    const phone = room.join({ identity: '+1555', medium: 'phone' });
    const track = phone.publish({ kind: 'audio', name: '' });
    await settle();
    session.participant.setSubscribeRules([EXCLUDE_ALL], { byRest: true });
    await settle();
    expect(link.last.subscribed?.tracks).toEqual([]);
    session.participant.setSubscribeRules([EXCLUDE_ALL, { ...INCLUDE_ALL, all: null, publisher: '+1555' }], { byRest: true });
    await settle();
    expect(link.last.subscribed?.tracks.map(({ sid }) => sid)).toEqual([track.sid]);
  });

  it('tells over the channel it announced who speaks, phones too, until it leaves', async () => {
    const announced = link.told[0]?.media_signaling;
    expect(announced).toEqual({ active_speaker: { transport: { type: 'data-channel', label: expect.any(String) as string } } });
    const phone = room.join({ identity: '+1555', medium: 'phone' });
    const track = phone.publish({ kind: 'audio', name: '' });
    const speaks = (trackSid: typeof track.sid | null): void => {
      roomMedia.activeSpeaker = trackSid;
      roomMedia.emit('activeSpeakerChanged', trackSid);
    };
    speaks(track.sid);
    speaks(null);
    speaks(newSid('MT'));
    expect(media.shown.map((text) => JSON.parse(text) as unknown)).toEqual([null, phone.sid, null, null].map((participant) => ({ type: 'active_speaker', participant })));
    const second = new FakeLink();
    await sync(second);
    expect(second.told[0]?.media_signaling).toEqual(announced);
    session.left();
    speaks(track.sid);
    expect(media.shown).toHaveLength(4);
  });

  it('obeys the bandwidth profile of an update, and refuses a bad one with 53208', async () => {
    expect(media.policy, 'none was asked for').toBeNull();
    await update({ bandwidth_profile: { video: { mode: 'presentation', max_tracks: 1 } } });
    expect(media.policy).toMatchObject({ mode: 'presentation', maxTracks: 1 });
    expect(() => readClientMessage({ type: 'update', bandwidth_profile: { video: { mode: 'mosaic' } } })).toThrow(expect.objectContaining({ code: 53208 }) as Error);
  });

  it('gives up a browser that does not answer its offer for 10 s', async () => {
    room.join({ identity: 'ben', medium: 'phone' }).publish({ kind: 'audio', name: '' });
    await settle();
    clock.advance(9_999);
    expect(link.closed).toBe(false);
    clock.advance(1);
    expect(link.last).toMatchObject({ type: 'error', code: 53402 });
    expect([link.closed, media.closed, room.participants.size]).toEqual([true, true, 1]);
  });

  it('is kept for 30 s without a socket, then has left', () => {
    session.linkLost(link);
    expect(session.participant.record.status).toBe('reconnecting');
    clock.advance(29_999);
    expect(room.participants.size).toBe(1);
    clock.advance(1);
    expect(session.participant.record).toMatchObject({ status: 'disconnected', leaveReason: 'connection-lost' });
    expect(media.closed).toBe(true);
  });

  it('comes back on another socket: revisions grow, everybody is listed, a lost answer and a lost offer come again', async () => {
    session.linkLost(link);
    const phone = room.join({ identity: 'ben', medium: 'phone' });
    phone.publish({ kind: 'audio', name: '' });
    const second = new FakeLink();
    await sync(second, { peer_connections: [{ id: 'pc', description: { type: 'offer', revision: 1, sdp } }] });
    expect(second.told[0]).toMatchObject({ type: 'synced', session: session.id, participants: [{ sid: phone.sid }] });
    expect(second.told[0]?.peer_connections?.[0]?.description).toEqual(link.told[0]?.peer_connections?.[0]?.description);
    expect(second.told[0]!.published!.revision).toBeGreaterThan(link.told[0]!.published!.revision);
    expect(second.told[0]!.subscribed!.revision).toBeGreaterThan(link.told[0]!.subscribed!.revision);
    const offer = second.told[1]?.peer_connections?.[0]?.description;
    expect(offer).toMatchObject({ type: 'offer', revision: 2 });
    const third = new FakeLink();
    await sync(third, { peer_connections: [{ id: 'pc', description: { type: 'offer', revision: 1, sdp } }] });
    expect(second.closed).toBe(true);
    expect(third.told.map((message) => message.peer_connections?.[0]?.description)).toEqual([link.told[0]?.peer_connections?.[0]?.description, offer]);
    expect(session.participant.record.status).toBe('connected');
  });

  it('answers an ICE restart with other credentials', async () => {
    const restarted = sdp.replace(/a=ice-ufrag:.*/g, 'a=ice-ufrag:new1');
    await update({ peer_connections: [{ id: 'pc', description: { type: 'offer', revision: 2, sdp: restarted } }] });
    expect(link.last.peer_connections?.[0]?.description).toMatchObject({ type: 'answer', revision: 2, sdp: expect.stringContaining('a=ice-ufrag:other') as string });
  });

  it('gives media that failed 30 s to come again', () => {
    media.emit('failed');
    expect(session.participant.record.status).toBe('reconnecting');
    clock.advance(20_000);
    media.emit('connected');
    expect(session.participant.record.status).toBe('connected');
    media.emit('failed');
    clock.advance(30_000);
    expect(link.last).toMatchObject({ type: 'error', code: 53405 });
  });

  it('takes muting, unpublishing and a failed publication', async () => {
    await update({ participant: { revision: 3, tracks: [{ id: trackId, kind: 'audio', name: 'mic', enabled: false }, { id: 'd', kind: 'audio', name: 'mic' }] } });
    expect([...session.participant.publications.values()]).toMatchObject([{ enabled: false }]);
    expect(link.last.published?.tracks).toMatchObject([{ id: trackId, state: 'ready' }, { id: 'd', state: 'failed', error: { code: 53304 } }]);
    await update({ participant: { revision: 4, tracks: [] } });
    expect(media.received).toEqual([]);
    await update({ participant: { revision: 3, tracks: [{ id: trackId, kind: 'audio', name: 'mic' }] } });
    expect(session.participant.publications.size, 'an old list is ignored').toBe(0);
  });

  it('publishes data tracks, up to a limit, by the labels of their channels', async () => {
    const tracks = Array.from({ length: 9 }, (_, i) => ({ id: `d${i}`, kind: 'data', name: '' }));
    await update({ participant: { revision: 3, tracks } });
    const published = link.last.published!.tracks as { id: string; sid: string }[];
    expect(published[8]).toMatchObject({ id: 'd8', state: 'failed', error: { code: 53203 } });
    expect(media.data.published).toEqual(published.slice(0, 8).map(({ id, sid }) => ({ trackId: id, trackSid: sid })));
    await update({ participant: { revision: 4, tracks: tracks.slice(1, 2) } });
    expect(media.data.published.map(({ trackId }) => trackId)).toEqual(['d1']);
  });

  it('is told of data tracks of others by SID, as its rules have it', async () => {
    const ben = room.join({ identity: 'ben', medium: 'browser' });
    const chat = ben.publish({ kind: 'data', name: 'chat' });
    await settle();
    expect(link.last.subscribed?.tracks).toEqual([{ sid: chat.sid, id: chat.sid }]);
    expect(media.data.subscribed).toEqual([chat.sid]);
    session.participant.setSubscribeRules([INCLUDE_ALL, { ...EXCLUDE_ALL, all: null, kind: 'data' }], { byRest: true });
    await settle();
    expect([link.last.subscribed?.tracks, media.data.subscribed]).toEqual([[], []]);
    session.participant.setSubscribeRules([INCLUDE_ALL], { byRest: true });
    await settle();
    ben.unpublish(chat.sid);
    await settle();
    expect([link.last.subscribed?.tracks, media.data.subscribed]).toEqual([[], []]);
  });

  it('says whose fault it is when an ICE restart fails', async () => {
    media.restartIce = () => Promise.reject(new MediaError('no-port', 'none left'));
    await update({ peer_connections: [{ id: 'pc', description: { type: 'offer', revision: 2, sdp: sdp.replace(/a=ice-ufrag:\S+/g, 'a=ice-ufrag:abcd') } }] });
    expect(link.last).toMatchObject({ type: 'error', code: 53401 });
  });

  it('leaves at once when its socket goes before it was let in, for it cannot come back', async () => {
    const other = new FakeLink();
    const { connect, offer } = first;
    const early = new Session({ board: new QualityBoard(clock), participant: room.join({ identity: 'ben', medium: 'browser' }), media: new FakeBrowserMedia(), roomMedia, connect, offer, link: other, clock, log: silentLog, timeoutS: 30, ended: () => {} });
    const starting = early.start();
    early.linkLost(other);
    await starting;
    expect([room.participants.size, other.told]).toEqual([1, []]);
  });

  it('refuses SDP that is none with 53403', async () => {
    await update({ peer_connections: [{ id: 'pc', description: { type: 'offer', revision: 2, sdp: 'nonsense' } }] });
    expect(link.last).toMatchObject({ type: 'error', code: 53403 });
    expect(room.participants.size).toBe(0);
  });

  it.each([
    ['duplicate-identity', { type: 'error', code: 53205 }],
    ['participant-removed', { type: 'disconnected' }],
    ['room-completed', { type: 'disconnected', status: 'completed' }],
    ['participant-duration', { type: 'error', code: 53216 }],
  ] as const)('ends by %s in the words of the SDK', (reason, message) => {
    session.participant.disconnect(reason);
    expect(link.last).toMatchObject(message);
    expect([link.closed, media.closed]).toEqual([true, true]);
  });
});
