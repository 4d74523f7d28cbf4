import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { CallSid } from '../../base/sid.ts';
import { MediaError } from '../../media/protocol.ts';
import type { FakePhone } from '../../testing/fake-media.ts';
import { FakeIncomingCall } from '../testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from '../testing/fake-world.ts';
import type { Conference } from './conference.ts';

const EVENTS = 'statusCallback="/events" statusCallbackEvent="start end join leave mute hold modify speaker announcement"';

let world: FakeWorld;
beforeEach(() => {
  world = fakeWorld();
  world.app.on('/next', '<Response><Pause length="600"/></Response>');
  world.app.on('/after', '<Response><Pause length="600"/></Response>');
});

/** One more caller whose document dials the conference with these attributes. */
async function call(attributes = '', { dial = '', name = 'Standup' }: { dial?: string; name?: string } = {}): Promise<{ phone: FakeIncomingCall; media: FakePhone; sid: CallSid }> {
  world.app.on('/voice', `<Response><Dial ${dial}><Conference ${attributes}>${name}</Conference></Dial><Redirect>/next</Redirect></Response>`);
  const phone = world.arrive();
  await settle();
  return { phone, media: world.media.phones.at(-1) as FakePhone, sid: world.record().sid };
}

const conference = (): Conference => {
  const found = world.gatherings.conferences.live(world.accountSid, [...world.conferenceRepository.conferences.values()].at(-1)!.sid);
  if (!found) throw new Error('no conference is live');
  return found;
};
const record = () => [...world.conferenceRepository.conferences.values()].at(-1)!;
const told = (): string[] => world.told.filter(({ url }) => url.endsWith('/events')).map(({ params }) => [params['SequenceNumber'], params['StatusCallbackEvent'], params['ReasonParticipantLeft'] ?? params['ReasonConferenceEnded']].filter(Boolean).join(' '));
const asked = (path: string): Record<string, string>[] => world.app.asked.filter((request) => request.path === path).map((request) => request.params);
const codes = (): number[] => world.calls.notifications.map((notification) => notification.errorCode);
const hangUp = async (phone: FakeIncomingCall): Promise<void> => {
  phone.emit('ended', { cause: 'remote-bye' });
  await settle();
};

describe('<Dial><Conference>', () => {
  it('lets the first wait with music, and mixes both when a second comes', async () => {
    const first = await call();
    expect(first.media.played.at(-1)).toMatchObject({ source: { path: '/hold-music.wav' }, loops: 0 });
    expect(first.media.room).toBeNull();
    expect(record()).toMatchObject({ friendlyName: 'Standup', status: 'init' });
    const second = await call();
    expect(record().status).toBe('in-progress');
    expect(world.media.rooms).toHaveLength(1);
    expect(first.media.room).toBe(world.media.rooms[0]);
    expect(second.media.room).toBe(world.media.rooms[0]);
    expect(second.media.voice).toEqual({ muted: false, held: false, heardBy: null, hears: null });
    expect(world.media.rooms[0]?.played).toMatchObject([{ source: { kind: 'tone' } }]);
  });

  it('tells everything in order', async () => {
    const first = await call(`${EVENTS} participantLabel="agent"`);
    const second = await call('statusCallback="/elsewhere"');
    conference().change(second.sid, { muted: true });
    conference().change(second.sid, { held: true });
    await hangUp(second.phone);
    await hangUp(first.phone);
    expect(told()).toEqual([
      '1 participant-join', '2 conference-start', '3 participant-join', '4 participant-mute', '5 participant-hold',
      '6 participant-leave participant_hung_up', '7 participant-leave participant_hung_up', '8 conference-end last-participant-left',
    ]);
    const [join, , , , hold] = world.told.filter(({ url }) => url.endsWith('/events')).map(({ params }) => params);
    expect(join).toMatchObject({ ConferenceSid: record().sid, FriendlyName: 'Standup', AccountSid: world.accountSid, CallSid: first.sid, ParticipantLabel: 'agent', Muted: 'false', Hold: 'false', Coaching: 'false', StartConferenceOnEnter: 'true', EndConferenceOnExit: 'false' });
    expect(hold).toMatchObject({ CallSid: second.sid, Muted: 'true', Hold: 'true' });
    expect(record()).toMatchObject({ status: 'completed', reasonEnded: 'last-participant-left', callSidEnding: first.sid });
    expect(world.media.rooms[0]?.closed).toBe(1);
  });

  it('goes on with the action when a moderator ends it, as answered', async () => {
    const guest = await call('startConferenceOnEnter="false"', { dial: 'action="/after"' });
    const moderator = await call('endConferenceOnExit="true"');
    await hangUp(moderator.phone);
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'answered', CallSid: guest.sid }]);
    expect(guest.media.room).toBeNull();
  });

  it('a removed participant goes on with its next verb, and the others stay', async () => {
    const first = await call();
    const second = await call();
    conference().remove(second.sid);
    await settle();
    expect(asked('/next')).toMatchObject([{ CallSid: second.sid }]);
    expect(second.media.room).toBeNull();
    expect(first.media.room).not.toBeNull();
  });

  it('gives muted, held and coaching members their voices', async () => {
    const first = await call();
    const second = await call('muted="true"');
    expect(second.media.voice).toMatchObject({ muted: true });
    const coach = await call(`coach="${first.sid}"`);
    expect(coach.media.voice?.heardBy).toHaveLength(1);
    first.media.playsOn = true;
    conference().change(first.sid, { held: true });
    await settle();
    expect(first.media.voice).toMatchObject({ held: true });
    expect(first.media.played.at(-1)).toMatchObject({ source: { path: '/hold-music.wav' } });
    conference().change(first.sid, { held: false });
    await settle();
    expect(first.media.voice).toMatchObject({ held: false });
  });

  it('the coach of nobody does not get in', async () => {
    await call();
    await call('coach="CA00000000000000000000000000000000"', { dial: 'action="/after"' });
    expect(codes()).toEqual([13240]);
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'failed' }]);
  });

  it('a full conference is not entered, and the next verb runs', async () => {
    await call('maxParticipants="2"');
    await call('maxParticipants="2"');
    const third = await call('maxParticipants="2"');
    expect(codes()).toEqual([16020]);
    expect(asked('/next')).toMatchObject([{ CallSid: third.sid }]);
  });

  it('a label is used once', async () => {
    await call('participantLabel="agent"');
    await call('participantLabel="agent"');
    expect(codes()).toEqual([16025]);
  });

  it('a video room is no conference, and a SID of none is none', async () => {
    await call('', { name: 'RM0123456789abcdef0123456789abcdef' });
    await call('', { name: 'CF0123456789abcdef0123456789abcdef' });
    expect(codes()).toEqual([13236, 13236]);
    expect(asked('/next')).toHaveLength(2);
  });

  it('* and the time limit leave it', async () => {
    await call();
    const second = await call('', { dial: 'hangupOnStar="true"' });
    second.media.emit('digitReceived', '*');
    await settle();
    expect(asked('/next')).toMatchObject([{ CallSid: second.sid }]);
    const third = await call('', { dial: 'timeLimit="60"' });
    world.clock.advance(60_000);
    await settle();
    expect(asked('/next')).toMatchObject([{ CallSid: second.sid }, { CallSid: third.sid }]);
  });

  it('a waiting document is asked with the conference, and may not hold everything', async () => {
    world.app.on('/wait', '<Response><Gather/><Play>/music.wav</Play></Response>');
    const first = await call('waitUrl="/wait"');
    expect(asked('/wait')[0]).toMatchObject({ ConferenceSid: record().sid, FriendlyName: 'Standup', CallSid: first.sid });
    expect(codes()[0]).toBe(13238);
    expect(first.media.played).toMatchObject([{ source: { path: '/prompts/music.wav' } }]);
    await call();
    const before = asked('/wait').length;
    world.clock.advance(10_000);
    await settle();
    expect(asked('/wait')).toHaveLength(before);
  });

  it('waitUrl="" is silence', async () => {
    const first = await call('waitUrl=""');
    expect(first.media.played).toEqual([]);
  });

  it('speakers are told', async () => {
    const first = await call(EVENTS);
    await call();
    const track = (conference() as unknown as { member(sid: CallSid): unknown }).member(first.sid);
    expect(track).not.toBeNull();
    world.media.rooms[0]?.emit('activeSpeakerChanged', first.media.trackSid!);
    world.media.rooms[0]?.emit('activeSpeakerChanged', null);
    expect(told().slice(3)).toEqual(['4 participant-speech-start', '5 participant-speech-stop']);
  });

  it('announcements are heard by one or by all, and told when they are over', async () => {
    world.app.on('/announce', '<Response><Say>Five minutes left</Say></Response>');
    const first = await call(EVENTS);
    await call();
    await conference().announce({ url: 'http://app.test/announce', method: 'POST' });
    expect(world.media.rooms[0]?.played.at(-1)).toMatchObject({ source: { kind: 'file' } });
    const heard = first.media.played.length;
    await conference().announce({ url: 'http://app.test/announce', method: 'GET', callSid: first.sid });
    expect(first.media.played).toHaveLength(heard + 1);
    await conference().announce({ url: 'http://app.test/nowhere', method: 'GET', callSid: first.sid });
    expect(told().slice(3)).toEqual(['4 announcement-end', '5 announcement-end', '6 announcement-fail']);
  });

  it('an announcement to all goes on when the one in whose name it is asked for hangs up', async () => {
    world.app.on('/announce', '<Response><Say>Five</Say><Pause length="5"/><Say>minutes left</Say></Response>');
    const first = await call(EVENTS);
    await call();
    await call();
    const announced = conference().announce({ url: 'http://app.test/announce', method: 'POST' });
    await settle();
    await hangUp(first.phone);
    await world.clock.advanceAsync(5000);
    await announced;
    expect(world.spoken).toEqual(['Five', 'Five', 'minutes left']);
    expect(told().at(-1)).toMatch(/announcement-end$/);
  });

  it('ends for all by REST', async () => {
    await call(EVENTS);
    await call();
    conference().end('conference-ended-via-api');
    await settle();
    expect(told().slice(3)).toEqual(['4 participant-leave conference_ended_via_api', '5 participant-leave conference_ended_via_api', '6 conference-end conference-ended-via-api']);
    expect(asked('/next')).toHaveLength(2);
  });

  it('a new conference of the same name comes after the old one', async () => {
    const { phone, sid } = await call();
    const first = record().sid;
    await hangUp(phone);
    expect(record()).toMatchObject({ status: 'completed', callSidEnding: sid });
    await call();
    expect(record().sid).not.toBe(first);
  });

  it('is recorded from its start to its end, as the first participant wanted', async () => {
    const first = await call('record="record-from-start" recordingStatusCallback="/recorded" trim="do-not-trim"');
    expect(world.media.rooms[0]?.recordings).toEqual([]);
    const second = await call('record="do-not-record"');
    await vi.waitFor(() => expect(world.media.rooms[0]?.recordings).toHaveLength(1));
    await settle();
    expect(world.media.rooms[0]?.recordings[0]?.options).toMatchObject({ trimSilence: false });
    await hangUp(second.phone);
    await hangUp(first.phone);
    const recorded = world.told.filter(({ url }) => url === 'http://app.test/recorded');
    expect(recorded).toMatchObject([{ params: { ConferenceSid: record().sid, RecordingSource: 'Conference', RecordingStatus: 'completed', RecordingDuration: '2', RecordingChannels: '1' } }]);
    expect(world.media.rooms[0]?.closed).toBe(1);
  });

  it('a call that REST sends elsewhere has left', async () => {
    const first = await call(EVENTS);
    const second = await call();
    await world.live.update(world.accountSid, second.sid, { url: 'http://app.test/next' });
    await settle();
    expect(told().slice(3)).toEqual(['4 participant-leave participant_updated_via_api']);
    expect(second.media.room).toBeNull();
    expect(first.media.room).not.toBeNull();
  });

  it('somebody who was called in vain is told of', async () => {
    await call(EVENTS);
    const created = await world.live.create(world.accountSid, { to: 'sip:bob@192.0.2.7', from: '+15550100', twiml: '<Response/>', other: {} });
    const settings = { label: 'bob', muted: false, startOnEnter: true, endOnExit: false, beepOnEnter: true, beepOnExit: true, maxParticipants: 250, callSidToCoach: null };
    world.gatherings.conferences.invited(conference(), created.sid, settings);
    expect(world.gatherings.conferences.participant(conference(), 'bob')).toMatchObject({ status: 'queued' });
    await world.live.update(world.accountSid, created.sid, { status: 'canceled' });
    await settle();
    expect(told()).toEqual(['1 participant-join', '2 participant-leave participant_add_failed']);
    expect(world.told.at(-1)?.params).toMatchObject({ ParticipantLabel: 'bob', ParticipantCallStatus: 'canceled' });
    expect(world.gatherings.conferences.participant(conference(), 'bob')).toBeNull();
  });

  it('one who was held before the start hears music after it', async () => {
    const first = await call('waitUrl=""');
    first.media.playsOn = true;
    conference().change(first.sid, { held: true });
    await call();
    expect(first.media.voice).toMatchObject({ held: true });
    expect(first.media.played).toMatchObject([{ source: { path: '/hold-music.wav' } }]);
  });

  it('a caller who hangs up while it is answered leaves no conference behind', async () => {
    world.app.on('/voice', '<Response><Dial><Conference>Standup</Conference></Dial></Response>');
    const caller = new FakeIncomingCall();
    caller.acknowledges = false;
    world.arrive(caller);
    await settle();
    expect(caller.said).toEqual(['180', '200']);
    caller.remoteEnds('remote-bye');
    await settle();
    expect(record()).toMatchObject({ status: 'completed' });
    expect(world.gatherings.conferences.live(world.accountSid, record().sid)).toBeNull();
    expect(world.media.rooms.map(({ closed }) => closed)).toEqual([1]);
  });

  it('one who is being answered while the last one goes comes into the next conference', async () => {
    const first = await call();
    const over = record().sid;
    const second = new FakeIncomingCall();
    second.acknowledges = false;
    world.arrive(second);
    await settle();
    await hangUp(first.phone);
    second.acknowledge();
    await settle();
    expect(codes()).toEqual([]);
    expect(record().sid).not.toBe(over);
    expect(conference().members).toHaveLength(1);
  });

  it('a mixer that cannot be opened is asked for again by the next who comes', async () => {
    const createRoom = vi.spyOn(world.media, 'createRoom').mockRejectedValueOnce(new MediaError('no-port', 'none'));
    world.gatherings.conferences.open(world.accountSid, 'Standup');
    const standup = conference();
    await expect(standup.media()).rejects.toThrow('none');
    await expect(standup.media()).resolves.toBe(world.media.rooms[0]);
    expect(createRoom).toHaveBeenCalledTimes(2);
  });

  it('an announcement to one who is removed ends before the next verb', async () => {
    world.app.on('/announce', '<Response><Say>Five minutes left</Say></Response>');
    world.app.on('/next', '<Response><Play>/own.wav</Play><Pause length="600"/></Response>');
    await call();
    const second = await call();
    second.media.playsOn = true;
    const announced = conference().announce({ url: 'http://app.test/announce', method: 'POST', callSid: second.sid });
    await settle();
    const play = vi.spyOn(second.media, 'play');
    const heard = second.media.played.length;
    conference().remove(second.sid);
    await settle();
    await announced;
    expect(second.media.played.slice(heard)).toMatchObject([{ source: { path: '/prompts/own.wav' } }]);
    expect(play).toHaveBeenCalledTimes(1);
  });
});
