import { beforeEach, describe, expect, it } from 'vitest';
import { Emitter } from '../../base/emitter.ts';
import { silentLog } from '../../base/log.ts';
import { newSid, type TrackSid } from '../../base/sid.ts';
import type { FlowQuality, MediaPlane, PhoneMediaStats } from '../../media/protocol.ts';
import type { Participant, Room, Transcription, TranscriptionSource } from '../../rooms/contract.ts';
import type { RoomRepository } from '../../rooms/model.ts';
import { createRooms } from '../../rooms/rooms.ts';
import { EXCLUDE_ALL } from '../../rooms/track-rules.ts';
import { FakeBrowserMedia } from '../../testing/fake-browser-media.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { FakeRoomMedia } from '../../testing/fake-media.ts';
import { readBandwidthProfile } from './bandwidth-profile.ts';
import { MediaSignaling } from './media-signaling.ts';
import { CHANNEL_NAMES, type ChannelName } from './message-channel.ts';
import { QualityBoard } from './quality-board.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let clock: FakeClock;
let room: Room;
let roomMedia: FakeRoomMedia;
let board: QualityBoard;
let anna: Participant;
let media: FakeBrowserMedia;

beforeEach(async () => {
  clock = new FakeClock();
  roomMedia = new FakeRoomMedia();
  const plane = { createRoom: () => Promise.resolve(roomMedia) } as unknown as MediaPlane;
  const repository = { saveRoom: () => {}, saveParticipant: () => {}, saveTrack: () => {} } as unknown as RoomRepository;
  const rooms = createRooms({ clock, log: silentLog, media: plane, repository, callbacks: { send: () => {} }, settings: () => null });
  room = await rooms.create(newSid('AC'), {});
  board = new QualityBoard(clock);
  anna = room.join({ identity: 'anna', medium: 'browser' });
  media = new FakeBrowserMedia();
});

function open(names: readonly ChannelName[], profile?: object): { signaling: MediaSignaling; label: (name: ChannelName) => string; says: (name: ChannelName, message: unknown) => Promise<void>; told: (name: ChannelName) => unknown[] } {
  const wanted = Object.fromEntries(names.map((name) => [name, { transports: [] }]));
  const signaling = new MediaSignaling({ participant: anna, media, roomMedia, board, wanted, profile: readBandwidthProfile(profile), clock, log: silentLog });
  const label = (name: ChannelName): string => (signaling.announcement[name] as { transport: { label: string } }).transport.label;
  const says = async (name: ChannelName, message: unknown): Promise<void> => {
    media.says(label(name), message);
    await settle();
  };
  return { signaling, label, says, told: (name) => media.sent.filter((each) => each.label === label(name)).map((each) => each.message) };
}

const speak = (trackSid: TrackSid | null): void => {
  roomMedia.activeSpeaker = trackSid;
  roomMedia.emit('activeSpeakerChanged', trackSid);
};

describe('channels', () => {
  it('are announced as asked for, and no others', () => {
    const { signaling } = open(['network_quality', 'publisher_hints']);
    expect(Object.keys(signaling.announcement)).toEqual(['network_quality', 'publisher_hints']);
    expect(Object.keys(open(CHANNEL_NAMES, { video: {} }).signaling.announcement)).toEqual([...CHANNEL_NAMES]);
    expect(Object.keys(open(CHANNEL_NAMES).signaling.announcement), 'nothing to hint at without a profile').not.toContain('render_hints');
  });

  it('leave out what is no message of theirs', async () => {
    const { says } = open(['network_quality', 'render_hints', 'track_priority'], { video: {} });
    for (const text of ['{', 'null', '{"type":"ready"}', '{"type":"network_quality_"}', '[]']) await says('network_quality', text);
    await says('render_hints', { type: 'render_hints', subscriber: { id: 1, hints: [{ track: 'x', render_dimensions: { width: -1, height: 'y' } }] } });
    await says('track_priority', { type: 'track_priority', track: newSid('MT'), subscribe: 'highest' });
    expect(media.sent).toEqual([]);
  });
});

const flow: FlowQuality = { actualBps: 40_000, availableBps: 2_000_000, rttMs: 10, jitterMs: 2, fractionLost: 0 };
const statsOfAPage = { type: 'network_quality', ice: { send: 1, recv: 1, rtt: 0.3, availableSend: 2e6 }, audio: { send: { bitrate: 4e4 }, recv: { bitrate: 4e4, jitter: 0.004, fractionLost: 0 } }, video: { send: { bitrate: 0 }, recv: { bitrate: 0 } } };

describe('network quality', () => {
  beforeEach(() => {
    media.measured = { send: { audio: flow, video: null }, receive: { audio: flow, video: null } };
  });

  /** A channel whose first report was answered before the test looks. */
  async function reporting(): Promise<{ report: (more: object) => Promise<void>; answers: () => unknown[] }> {
    const { says, told } = open(['network_quality']);
    await says('network_quality', statsOfAPage);
    expect(told('network_quality'), 'nothing has been measured yet').toEqual([]);
    clock.advance(1500);
    await settle();
    return { report: (more) => says('network_quality', { ...statsOfAPage, ...more }), answers: () => told('network_quality').slice(1) };
  }

  it('answers each report as verbosely as it asks', async () => {
    const { report, answers } = await reporting();
    const phone = room.join({ identity: '+1', medium: 'phone' });
    phone.mediaStats = (): Promise<PhoneMediaStats> => Promise.resolve({ packetsReceived: 90, packetsLost: 10, packetsSent: 1, packetsDiscarded: 0, jitterMs: 12 });
    await report({ reportLevel: 1, remoteReportLevel: 0 });
    await report({ reportLevel: 2, remoteReportLevel: 1 });
    await report({ reportLevel: 3, remoteReportLevel: 3 });
    const [first, second, third] = answers();
    expect(first).toEqual({ type: 'network_quality', local: 3 });
    expect(second).toEqual({ type: 'network_quality', local: { level: 3, audio: { send: 3, recv: 3 }, video: { send: 3, recv: 3 } }, remotes: [{ sid: phone.sid, level: 2 }] });
    expect(third).toMatchObject({
      local: { audio: { send: 3, sendStats: { bandwidth: { actual: 40_000, available: 2e6, level: 5 }, latency: { jitter: 0.002, rtt: 0.3, level: 3 }, fractionLost: { fractionLost: 0, level: 5 } }, recvStats: { latency: { jitter: 0.004 } } } },
      remotes: [{ sid: phone.sid, level: 2, audio: { send: 2, sendStats: { fractionLost: { fractionLost: 0.1 } } } }],
    });
    expect((third as { remotes: object[] }).remotes[0]).not.toHaveProperty('video');
  });

  it('rates a phone by what it lost since the last look', async () => {
    const { report, answers } = await reporting();
    const phone = room.join({ identity: '+1', medium: 'phone' });
    let stats: PhoneMediaStats = { packetsReceived: 90, packetsLost: 10, packetsSent: 1, packetsDiscarded: 0, jitterMs: 12 };
    phone.mediaStats = () => Promise.resolve(stats);
    await report({ remoteReportLevel: 1 });
    stats = { ...stats, packetsReceived: 190 };
    await report({ remoteReportLevel: 1 });
    clock.advance(1000);
    await report({ remoteReportLevel: 1 });
    clock.advance(1000);
    await report({ remoteReportLevel: 1 });
    phone.setReconnecting(true);
    await report({ remoteReportLevel: 2 });
    const level = (of: number): object[] => [{ sid: phone.sid, level: of }];
    expect(answers().map((message) => (message as { remotes: object[] }).remotes)).toEqual([level(2), level(2), level(5), [], level(0)]);
  });

  it('tells of browsers that report, by their reports, and of others by our measure', async () => {
    const ben = room.join({ identity: 'ben', medium: 'browser' });
    const bensMedia = new FakeBrowserMedia();
    const bens = new MediaSignaling({ participant: ben, media: bensMedia, roomMedia, board, wanted: {}, profile: undefined, clock, log: silentLog });
    const { report, answers } = await reporting();
    bensMedia.measured = { send: { audio: { ...flow, fractionLost: 0.5 }, video: null }, receive: { audio: flow, video: null } };
    await report({ remoteReportLevel: 1 });
    clock.advance(1000);
    await report({ remoteReportLevel: 1 });
    bens.close();
    ben.disconnect('left');
    await report({ remoteReportLevel: 1 });
    expect(answers()).toMatchObject([{ remotes: [] }, { remotes: [{ sid: ben.sid, level: 1 }] }, { remotes: [] }]);
  });

  it('answers though nothing can be measured, and though the report is odd', async () => {
    media.quality = () => Promise.reject(new TypeError('gone'));
    const { report, answers } = await reporting();
    await report({ type: 'network_quality', ice: 7, audio: { send: { bitrate: -1 }, recv: null }, reportLevel: 9, remoteReportLevel: 'x' });
    expect(answers()).toEqual([{ type: 'network_quality', local: 5 }]);
  });
});

describe('a bandwidth profile', () => {
  it('that cannot be obeyed is refused with 53208', () => {
    for (const video of [{ mode: 'mosaic' }, { max_tracks: -1 }, { track_switch_off: 'always' }, { max_subscription_bandwidth: 'x' }, 5]) {
      expect(() => readBandwidthProfile({ video })).toThrow(expect.objectContaining({ code: 53208 }) as Error);
    }
    expect(readBandwidthProfile(undefined)).toBeUndefined();
    expect(readBandwidthProfile({})).toMatchObject({ mode: 'grid', switchOff: 'predicted', speakerPriority: 'standard', maxTracks: null });
  });

  it('becomes a policy with what publisher, subscriber, speaker and page say of each video', async () => {
    const ben = room.join({ identity: 'ben', medium: 'browser' });
    const cora = room.join({ identity: 'cora', medium: 'browser' });
    const picture = ben.publish({ kind: 'video', name: 'picture' });
    const screen = ben.publish({ kind: 'video', name: 'screen', priority: 'high' });
    const other = cora.publish({ kind: 'video', name: '', priority: 'low' });
    const voice = cora.publish({ kind: 'audio', name: '' });
    const { says, told, signaling } = open(['track_priority', 'render_hints'], { video: { mode: 'collaboration', max_tracks: 2, max_subscription_bandwidth: 1e6, track_switch_off: 'detected', active_speaker_priority: 'high', render_dimensions: { low: { width: 160, height: 90 } } } });
    await settle();
    const size = { width: 160, height: 90 };
    expect(media.policy).toEqual({
      mode: 'collaboration', maxTracks: 2, maxBitrateBps: 1e6, switchOff: 'detected',
      wishes: [
        { trackSid: screen.sid, priority: 'high', enabled: true, renderDimensions: null },
        { trackSid: picture.sid, priority: 'standard', enabled: true, renderDimensions: null },
        { trackSid: other.sid, priority: 'low', enabled: true, renderDimensions: size },
      ],
    });
    speak(voice.sid);
    await settle();
    expect(media.policy?.wishes.map(({ trackSid, priority }) => [trackSid, priority])).toEqual([[other.sid, 'high'], [screen.sid, 'high'], [picture.sid, 'standard']]);
    speak(null);
    await says('track_priority', { type: 'track_priority', track: screen.sid, subscribe: 'low' });
    expect(media.policy?.wishes.map(({ trackSid }) => trackSid), 'who spoke last comes first among equals').toEqual([picture.sid, other.sid, screen.sid]);
    signaling.profileChanged(readBandwidthProfile({ video: { mode: 'presentation' } })!);
    cora.update(other.sid, { priority: 'standard' });
    await settle();
    expect(media.policy?.wishes.map(({ trackSid }) => trackSid), 'in a presentation talk changes nothing').toEqual([picture.sid, other.sid, screen.sid]);
    await says('track_priority', { type: 'track_priority', track: screen.sid, subscribe: null });
    ben.update(picture.sid, { priority: 'low' });
    const hint = { track: picture.sid, enabled: false, render_dimensions: { width: 640, height: 360 } };
    await says('render_hints', { type: 'render_hints', subscriber: { id: 4, hints: [hint, { track: newSid('MT'), enabled: false }] } });
    expect(told('render_hints')).toMatchObject([{ type: 'render_hints', subscriber: { id: 4, hints: [{ track: picture.sid, result: 'OK' }, { result: 'UNKNOWN_TRACK' }] } }]);
    await says('render_hints', { type: 'render_hints', subscriber: { id: 5, hints: [{ track: picture.sid, enabled: true }] } });
    expect(media.policy?.wishes.find(({ trackSid }) => trackSid === picture.sid)).toEqual({ trackSid: picture.sid, priority: 'low', enabled: true, renderDimensions: { width: 640, height: 360 } });
    anna.setSubscribeRules([EXCLUDE_ALL], { byRest: true });
    await settle();
    expect(media.policy?.wishes).toEqual([]);
    signaling.profileChanged(readBandwidthProfile({ video: { mode: 'grid' } })!);
    await settle();
    expect(media.policy).toMatchObject({ mode: 'grid', maxTracks: null });
  });

  it('absent sets no policy until the page sets one', async () => {
    const { signaling } = open(['active_speaker']);
    await settle();
    expect(media.policy).toBeNull();
    signaling.profileChanged(readBandwidthProfile({})!);
    await settle();
    expect(media.policy).toMatchObject({ mode: 'grid', wishes: [] });
  });
});

it('what is switched off is told, and again after the path broke', () => {
  const { told } = open(['track_switch_off'], { video: {} });
  const ben = room.join({ identity: 'ben', medium: 'browser' });
  const [one, two, three] = ['1', '2', '3'].map((name) => ben.publish({ kind: 'video', name }).sid) as [TrackSid, TrackSid, TrackSid];
  media.emit('connected');
  media.emit('videoSwitched', { off: [one, two, three], on: [] });
  media.emit('videoSwitched', { off: [], on: [two] });
  ben.unpublish(three);
  media.emit('connected');
  expect(told('track_switch_off').map((message) => ({ ...(message as object), type: undefined }))).toEqual([{ off: [one, two, three], on: [] }, { off: [], on: [two] }, { off: [one], on: [] }]);
});

describe('adaptive simulcast', () => {
  const layers = (enabled: boolean[]): object[] => enabled.map((on, i) => ({ layer_index: i, enabled: on }));

  it('hints the layers that are wanted of own videos, again when the page lost or could not take them', async () => {
    const picture = anna.publish({ kind: 'video', name: '' }).sid;
    const { told, says, signaling } = open(['publisher_hints']);
    roomMedia.emit('layersWanted', { trackSid: newSid('MT'), layers: [true] });
    roomMedia.emit('layersWanted', { trackSid: picture, layers: [true, true, false] });
    const hint = (id: number, enabled: boolean[]): object => ({ type: 'publisher_hints', publisher: { id, hints: [{ track: picture, encodings: layers(enabled) }] } });
    expect(told('publisher_hints')).toEqual([hint(1, [true, true, false])]);
    await says('publisher_hints', { type: 'publisher_hints', id: 1, hints: [{ track: picture, result: 'UNKNOWN_TRACK' }] });
    clock.advance(1000);
    await says('publisher_hints', { type: 'publisher_hints', id: 2, hints: [{ track: picture, result: 'OK' }] });
    await says('publisher_hints', { type: 'client_reset', track: picture, id: 1 });
    roomMedia.emit('layersWanted', { trackSid: picture, layers: [true, true, true] });
    expect(told('publisher_hints').slice(1)).toEqual([hint(2, [true, true, false]), hint(3, [true, true, false]), hint(4, [true, true, true])]);
    signaling.close();
    roomMedia.emit('layersWanted', { trackSid: picture, layers: [true, false, false] });
    expect(media.sent).toHaveLength(4);
  });

  it('asks a page that never obeys six times', async () => {
    const picture = anna.publish({ kind: 'video', name: '' }).sid;
    const { told, says } = open(['publisher_hints']);
    roomMedia.emit('layersWanted', { trackSid: picture, layers: [false] });
    for (let id = 1; id < 10; id++) {
      await says('publisher_hints', { type: 'publisher_hints', id, hints: [{ track: picture, result: 'COULD_NOT_APPLY_HINT' }] });
      clock.advance(1000);
    }
    expect(told('publisher_hints')).toHaveLength(6);
  });
});

it('transcriptions of the source that the room has are told, and of no other', () => {
  class Source extends Emitter<{ transcribed: [Transcription] }> implements TranscriptionSource {
    stopped = 0;
    stop = (): void => void this.stopped++;
  }
  const { told } = open(['extension_transcriptions']);
  const [first, second] = [new Source(), new Source()];
  const words: Transcription = { participantSid: anna.sid, trackSid: newSid('MT'), text: 'hello', partial: true, languageCode: 'en-US', stability: 0.5, timestamp: '2026-01-01T00:00:00.000Z', sequenceNumber: 1 };
  room.setTranscriptionSource(first);
  first.emit('transcribed', words);
  room.setTranscriptionSource(second);
  first.emit('transcribed', { ...words, sequenceNumber: 9 });
  const { stability: _, ...final } = { ...words, partial: false, sequenceNumber: 2 };
  second.emit('transcribed', final);
  const message = { type: 'extension_transcriptions', language_code: 'en-US', partial_results: true, participant: anna.sid, sequence_number: 1, timestamp: words.timestamp, track: words.trackSid, transcription: 'hello', stability: 0.5 };
  const { stability: __, ...finalMessage } = { ...message, partial_results: false, sequence_number: 2 };
  expect(told('extension_transcriptions')).toEqual([message, finalMessage]);
  room.end('completed-by-api');
  expect([first.stopped, second.stopped]).toEqual([1, 1]);
});
