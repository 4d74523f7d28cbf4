import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemsOf } from '../../../test/openapi.ts';
import { callRecord, openRestWorld, type RestWorld } from '../../../test/rest-world.ts';
import type { CallRecord } from '../../voice/model.ts';

// Streams of a call as the official client and raw requests see them.

let world: RestWorld;
beforeAll(async () => {
  world = await openRestWorld();
}, 60_000);
afterAll(() => world.close());

const talking = (over: Partial<CallRecord> = {}): CallRecord => world.calls.keep(callRecord(world.account.sid, { status: 'in-progress', ...over }));
const path = ({ sid }: CallRecord): string => `/2010-04-01/Accounts/${world.account.sid}/Calls/${sid}/Streams`;
const post = (url: string, form: Record<string, string>): ReturnType<RestWorld['raw']> => world.raw(url, { body: new URLSearchParams(form) });
const opened = () => world.calls.phone.streams;

describe('a stream', () => {
  it('is started and stopped by the official client, with its parameters', async () => {
    const { sid } = talking();
    const started = await world.client.calls(sid).streams.create({ url: 'wss://app.example/listen', name: 'my ear', track: 'both_tracks', 'parameter1.name': 'first', 'parameter1.value': 'Ada', 'parameter99.name': 'last', 'parameter99.value': '' });
    expect(started).toMatchObject({ callSid: sid, name: 'my ear', status: 'in-progress' });
    expect(opened().at(-1)?.options).toMatchObject({ url: 'wss://app.example/listen', track: 'both', bidirectional: false, streamSid: started.sid, parameters: { first: 'Ada', last: '' } });
    const stopped = await world.client.calls(sid).streams('my ear').update({ status: 'stopped' });
    expect(stopped).toMatchObject({ sid: started.sid, status: 'stopped' });
    expect(opened().at(-1)?.over).toBe(true);
    expect((await world.client.calls(sid).streams(started.sid).update({ status: 'stopped' })).status).toBe('stopped');
  });

  it('is as documented', async () => {
    const call = talking();
    const answer = await post(`${path(call)}.json`, { Url: 'ws://app.example/listen' });
    expect(answer.status, answer.text).toBe(201);
    expect(problemsOf('api', 'api.v2010.account.call.stream', answer.body)).toEqual([]);
    expect(answer.body).toMatchObject({ name: null, status: 'in-progress', uri: `${path(call)}/${answer.body.sid}.json` });
    const stopped = await post(`${path(call)}/${answer.body.sid}.json`, { Status: 'stopped' });
    expect(stopped.status).toBe(200);
    expect(problemsOf('api', 'api.v2010.account.call.stream', stopped.body)).toEqual([]);
  });

  it.each([
    [{}, 21205],
    [{ Url: 'https://app.example' }, 21205],
    [{ Url: '/relative' }, 21205],
    [{ Url: 'wss://app.example', Track: 'all' }, 20001],
    [{ Url: 'wss://app.example', Track: 'constructor' }, 20001],
    [{ Url: 'wss://app.example', StatusCallback: 'ftp://app.example' }, 21609],
    [{ Url: 'wss://app.example', StatusCallbackMethod: 'PUT' }, 21209],
    [{ Url: 'wss://app.example', 'Parameter1.Value': 'x' }, 20001],
    [{ Url: 'wss://app.example', 'Parameter1.Name': 'n', 'Parameter1.Value': 'x'.repeat(500) }, 20001],
    [{ Url: 'wss://app.example', Name: 'x'.repeat(129) }, 20001],
  ])('%j is refused with %i', async (form, code) => {
    const before = opened().length;
    const answer = await post(`${path(talking())}.json`, form);
    expect([answer.status, answer.body.code]).toEqual([400, code]);
    expect(opened()).toHaveLength(before);
  });

  it('is not started on a call that does not talk', async () => {
    for (const over of [{ status: 'ringing' as const }, { status: 'completed' as const, endedAtMs: 1 }]) {
      expect((await post(`${path(talking(over))}.json`, { Url: 'wss://app.example' })).body).toMatchObject({ code: 21220, status: 400 });
    }
  });

  it('of that name is there already, or four are enough', async () => {
    const call = talking();
    const names = ['a', 'a', 'b', 'c', 'd', 'e'];
    const codes: unknown[] = [];
    for (const Name of names) codes.push((await post(`${path(call)}.json`, { Url: 'wss://app.example', Name })).body.code ?? 201);
    expect(codes).toEqual([201, 20001, 201, 201, 201, 20001]);
  });

  it('that is not there, or another call’s, is 404; it can only be stopped', async () => {
    const call = talking();
    const { body } = await post(`${path(call)}.json`, { Url: 'wss://app.example', Name: 'ear' });
    expect((await post(`${path(call)}/nose.json`, { Status: 'stopped' })).body).toMatchObject({ status: 404, code: 20404 });
    expect((await post(`${path(talking())}/${body.sid}.json`, { Status: 'stopped' })).status).toBe(404);
    expect((await post(`${path(call)}/ear.json`, { Status: 'in-progress' })).body.code).toBe(20001);
    expect((await post(`${path(call)}/ear.json`, {})).body.code).toBe(20001);
    const other = await world.newAccount();
    expect((await post(path(talking({ accountSid: other.sid })), { Url: 'wss://app.example' })).status).toBe(404);
    expect(opened().at(-1)?.over).toBe(false);
  });
});
