import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openRestWorld, type RestWorld } from '../../../test/rest-world.ts';
import { problemsOf } from '../../../test/openapi.ts';

let world: RestWorld;
beforeAll(async () => {
  world = await openRestWorld();
}, 60_000);
afterAll(() => world.close());

const account = (): string => `/2010-04-01/Accounts/${world.account.sid}`;
const post = (path: string, parameters: Record<string, string>) => world.raw(account() + path, { body: new URLSearchParams(parameters) });

describe('queues', () => {
  it('are made, listed, changed and deleted by the official client', async () => {
    const { client } = world;
    const queue = await client.queues.create({ friendlyName: 'support' });
    expect(queue.sid).toMatch(/^QU[0-9a-f]{32}$/);
    expect([queue.maxSize, queue.currentSize, queue.averageWaitTime]).toEqual([1000, 0, 0]);
    expect((await client.queues(queue.sid).update({ maxSize: 5, friendlyName: 'sales' })).maxSize).toBe(5);
    for (let n = 0; n < 4; n++) await client.queues.create({ friendlyName: `q${n}` });
    expect((await client.queues.list({ pageSize: 2 })).map(({ friendlyName }) => friendlyName).sort()).toEqual(['q0', 'q1', 'q2', 'q3', 'sales']);
    expect(await client.queues(queue.sid).remove()).toBe(true);
    await expect(client.queues(queue.sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
  });

  it('are as documented', async () => {
    const { body } = await post('/Queues.json', { FriendlyName: 'documented' });
    expect(problemsOf('api', 'api.v2010.account.queue', body)).toEqual([]);
    expect((await world.raw(`${account()}/Queues/${body.sid}/Members.json`)).body).toMatchObject({ queue_members: [], page: 0 });
  });

  it.each([
    [{}, 22001],
    [{ FriendlyName: 'x'.repeat(65) }, 22001],
    [{ FriendlyName: 'twice' }, 22003],
    [{ FriendlyName: 'large', MaxSize: '5001' }, 20001],
    [{ FriendlyName: 'none', MaxSize: '0' }, 20001],
  ])('refuse %j', async (parameters: Record<string, string>, code) => {
    if (!world.gatherings.queues.byName(world.account.sid, 'twice')) world.gatherings.queues.create(world.account.sid, { friendlyName: 'twice' });
    expect((await post('/Queues.json', parameters)).body).toMatchObject({ status: 400, code });
  });

  it('are another account’s where they are', async () => {
    const other = await world.newAccount();
    const queue = world.gatherings.queues.create(other.sid, { friendlyName: 'foreign' });
    expect((await world.raw(`${account()}/Queues/${queue.record.sid}.json`)).status).toBe(404);
  });

  it('know who is not in them', async () => {
    const queue = world.gatherings.queues.create(world.account.sid, { friendlyName: 'empty' });
    for (const member of ['Front', `CA${'0'.repeat(32)}`, 'nonsense']) expect((await world.raw(`${account()}/Queues/${queue.record.sid}/Members/${member}.json`)).body).toMatchObject({ status: 404, code: 20404 });
  });
});

describe('conferences', () => {
  it('are made by calling somebody into them', async () => {
    const { client } = world;
    const participant = await client.conferences('Standup & more').participants.create({ from: '+15550100', to: 'sip:bob@192.0.2.7', label: 'bob', earlyMedia: false, startConferenceOnEnter: false, endConferenceOnExit: true, beep: 'onEnter', conferenceStatusCallback: 'https://app.test/events', timeout: 20 });
    expect(participant).toMatchObject({ label: 'bob', status: 'queued', muted: false, hold: false, coaching: false, endConferenceOnExit: true, startConferenceOnEnter: false });
    const created = world.calls.created.at(-1);
    expect(created).toMatchObject({ to: 'sip:bob@192.0.2.7', from: '+15550100', timeout: '20', other: {} });
    expect(created?.twiml).toBe('<Response><Dial><Conference beep="onEnter" muted="false" startConferenceOnEnter="false" endConferenceOnExit="true" maxParticipants="250" participantLabel="bob" statusCallback="https://app.test/events" statusCallbackMethod="POST" statusCallbackEvent="start end">Standup &#38; more</Conference></Dial></Response>');
    const conference = await client.conferences(participant.conferenceSid).fetch();
    expect(conference).toMatchObject({ friendlyName: 'Standup & more', status: 'init', region: 'us1' });
    expect((await client.conferences(conference.sid).participants.list()).map(({ callSid }) => callSid)).toEqual([participant.callSid]);
    expect((await client.conferences(conference.sid).participants('bob').fetch()).callSid).toBe(participant.callSid);
    expect((await client.conferences.list({ friendlyName: 'Standup & more' })).map(({ sid }) => sid)).toEqual([conference.sid]);
    expect(await client.conferences.list({ status: 'in-progress' })).toEqual([]);
    const ended = await client.conferences(conference.sid).update({ status: 'completed' });
    expect(ended).toMatchObject({ status: 'completed', reasonConferenceEnded: 'conference-ended-via-api' });
    expect((await client.conferences.list({ status: 'completed', dateCreated: new Date() })).length).toBe(1);
    await expect(client.conferences(conference.sid).participants.list()).rejects.toMatchObject({ status: 404 });
  });

  it('are as documented', async () => {
    const { body: participant } = await post('/Conferences/Documented/Participants.json', { From: '+15550100', To: '+15550111' });
    expect(problemsOf('api', 'api.v2010.account.conference.participant', participant)).toEqual([]);
    const { body: conference } = await world.raw(`${account()}/Conferences/${participant.conference_sid}.json`);
    // The schema forgets what its own text says: null while the conference lives.
    expect(problemsOf('api', 'api.v2010.account.conference', conference).filter((problem) => !problem.startsWith('/reason_conference_ended'))).toEqual([]);
  });

  it('end when nobody came', async () => {
    const { body } = await post('/Conferences/Lonely/Participants.json', { From: '+15550100', To: '+15550111' });
    world.gatherings.conferences.callEnded({ sid: body.call_sid, status: 'busy' });
    expect((await world.raw(`${account()}/Conferences/${body.conference_sid}.json`)).body).toMatchObject({ status: 'completed', reason_conference_ended: null });
  });

  it.each([
    [{ Label: 'a/b' }, 16024],
    [{ Label: 'taken' }, 16026],
    [{ Beep: 'loud' }, 20001],
    [{ MaxParticipants: '1' }, 20001],
    [{ Coaching: 'true' }, 20001],
    [{ CallSidToCoach: `CA${'0'.repeat(32)}` }, 13240],
    [{ EarlyMedia: 'true' }, 20001],
    [{ CallerDisplayName: 'Bob' }, 20001],
    [{ WaitUrl: 'ftp://x' }, 21205],
    [{ ConferenceStatusCallback: 'nowhere' }, 21205],
    [{ ConferenceStatusCallbackEvent: 'start lunch' }, 20001],
    [{ JitterBufferSize: 'huge' }, 20001],
  ])('refuse a participant with %j', async (parameters: Record<string, string>, code) => {
    await post('/Conferences/Refusing/Participants.json', { From: '+15550100', To: '+15550111', Label: 'taken' });
    const calls = world.calls.created.length;
    expect((await post('/Conferences/Refusing/Participants.json', { From: '+15550100', To: '+15550111', ...parameters })).body).toMatchObject({ status: 400, code });
    expect(world.calls.created).toHaveLength(calls);
  });

  it('that a refused call would have made are not left behind', async () => {
    expect((await post('/Conferences/Refused/Participants.json', { From: '+15550100', To: '+15550111', Coaching: 'true' })).status).toBe(400);
    expect(await world.client.conferences.list({ friendlyName: 'Refused', status: 'init' })).toEqual([]);
    expect((await post(`/Conferences/CF${'0'.repeat(32)}/Participants.json`, { From: '+15550100', To: '+15550111' })).status).toBe(404);
  });

  it('announce only where somebody listens', async () => {
    const { body } = await post('/Conferences/Quiet/Participants.json', { From: '+15550100', To: '+15550111' });
    expect((await post(`/Conferences/${body.conference_sid}.json`, { AnnounceUrl: 'https://app.test/x' })).body).toMatchObject({ status: 400, code: 20001 });
    expect((await post(`/Conferences/${body.conference_sid}/Participants/${body.call_sid}.json`, { Muted: 'true' })).body).toMatchObject({ status: 400, code: 20001 });
  });

  it('call off who was being called', async () => {
    const { body } = await post('/Conferences/Off/Participants.json', { From: '+15550100', To: '+15550111', Label: 'late' });
    expect((await world.raw(`${account()}/Conferences/${body.conference_sid}/Participants/late.json`, { method: 'DELETE' })).status).toBe(204);
    expect(world.calls.updated.at(-1)).toMatchObject({ status: 'completed' });
  });
});

describe('after a crash', () => {
  beforeEach(async () => {
    await post('/Conferences/Crashed/Participants.json', { From: '+15550100', To: '+15550111' });
  });

  it('no conference is left live', async () => {
    await world.store.settled();
    await world.store.conferences.closeLeftovers(Date.now());
    expect(await world.client.conferences.list({ friendlyName: 'Crashed', status: 'init' })).toEqual([]);
    expect((await world.client.conferences.list({ friendlyName: 'Crashed' }))[0]?.status).toBe('completed');
  });
});
