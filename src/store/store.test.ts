import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { newSid, type AccountSid } from '../base/sid.ts';
import type { ParticipantRecord, RoomRecord, TrackRecord } from '../rooms/model.ts';
import type { ApplicationRecord, CallRecord, CallerIdRecord, NotificationRecord, PhoneNumberRecord } from '../voice/model.ts';
import { prepareDatabase } from '../../test/prepared-database.ts';
import { openStore, type Store } from './store.ts';

let account: AccountSid;
let folder: string;
let store: Store;

const open = (): Promise<Store> => openStore({ dataDir: folder, databaseUrl: null }, { log: silentLog, clock: systemClock });

// One database for all: making one takes seconds, and each test has its own account.
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'partyline-store-'));
  await prepareDatabase(folder);
  store = await open();
}, 60_000);

beforeEach(() => {
  account = newSid('AC');
});

afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function room(over: Partial<RoomRecord> = {}): RoomRecord {
  const sid = newSid('RM');
  return {
    sid, accountSid: account, uniqueName: sid, type: 'group', status: 'in-progress', adHoc: false, maxParticipants: 50, maxParticipantDurationS: 14_400, emptyRoomTimeoutMin: 5,
    unusedRoomTimeoutMin: 5, recordParticipantsOnConnect: false, videoCodecs: ['VP8'], audioOnly: false, largeRoom: false, mediaRegion: 'us1', statusCallback: null,
    statusCallbackMethod: 'POST', createdAtMs: 1_700_000_000_000, updatedAtMs: 1_700_000_000_000, endedAtMs: null, endReason: null, recordingRules: null, transcribeOnConnect: null, ...over,
  };
}

function call(over: Partial<CallRecord> = {}): CallRecord {
  return {
    sid: newSid('CA'), accountSid: account, parentCallSid: null, to: '+15550100', from: '+15550111', phoneNumberSid: null, status: 'in-progress', direction: 'inbound',
    createdAtMs: 1_700_000_000_000, updatedAtMs: 1_700_000_000_000, startedAtMs: 1_700_000_000_000, answeredAtMs: null, endedAtMs: null, answeredBy: null, forwardedFrom: null,
    callerName: null, terminationReason: null, statusCallback: null, quality: null, ...over,
  };
}

function number(over: Partial<PhoneNumberRecord> = {}): PhoneNumberRecord {
  return {
    sid: newSid('PN'), accountSid: account, phoneNumber: '+15550100', friendlyName: 'Line', voiceUrl: 'https://app.example/voice', voiceMethod: 'POST', voiceFallbackUrl: null,
    voiceFallbackMethod: 'POST', statusCallback: null, statusCallbackMethod: 'POST', voiceApplicationSid: null, trunkSid: null, voiceCallerIdLookup: false, voiceReceiveMode: 'voice',
    createdAtMs: 1, updatedAtMs: 1, ...over,
  };
}

it('keeps what strangers wrote with characters that no text of PostgreSQL may have', async () => {
  const record = call({ from: 'sip:a\0b@phone.test', forwardedFrom: '\0' });
  store.calls.saveCall(record);
  store.calls.saveEvent({ callSid: record.sid, atMs: 1, request: { method: 'POST', url: 'http://app.test', parameters: { 'SipHeader_X-\0': 'a\0b\ud800c' } }, response: { responseCode: 200, contentType: null, responseBody: '', requestDurationMs: 1, validTwiml: true } });
  expect(await store.calls.findCall(account, record.sid)).toMatchObject({ from: 'sip:a\ufffdb@phone.test', forwardedFrom: '\ufffd' });
  const events = await store.calls.listEvents(record.sid, { pageSize: 10 });
  expect(events.items[0]?.request.parameters).toEqual({ 'SipHeader_X-\ufffd': 'a\ufffdb\ufffdc' });
});

describe('the store', () => {
  it('gives back what was saved, at once and after a restart', async () => {
    const made = room({ uniqueName: 'Réunion', videoCodecs: ['H264', 'VP8'] });
    store.rooms.saveRoom(made);
    store.rooms.saveRoom({ ...made, status: 'completed', endedAtMs: 1_700_000_060_000, endReason: 'empty' });
    const ended = { ...made, status: 'completed', endedAtMs: 1_700_000_060_000, endReason: 'empty' };
    expect(await store.rooms.findRoom(account, made.sid)).toEqual(ended);
    expect(await store.rooms.findRoom(newSid('AC'), made.sid)).toBeNull();
    await store.close();
    store = await open();
    expect(await store.rooms.findRoom(account, made.sid)).toEqual(ended);
  }, 30_000);

  it('walks a list forth and back, newest first, whatever comes meanwhile', async () => {
    const sids = Array.from({ length: 7 }, (_, n) => {
      const made = call({ to: `+1555010${n}` });
      store.calls.saveCall(made);
      return made.sid;
    }).reverse();
    const filter = { accountSid: account };
    const first = await store.calls.listCalls(filter, { pageSize: 3 });
    expect(first.items.map((item) => item.sid)).toEqual(sids.slice(0, 3));
    expect(first.previousToken).toBeNull();
    store.calls.saveCall(call());
    const second = await store.calls.listCalls(filter, { pageSize: 3, token: first.nextToken ?? '' });
    expect(second.items.map((item) => item.sid)).toEqual(sids.slice(3, 6));
    const third = await store.calls.listCalls(filter, { pageSize: 3, token: second.nextToken ?? '' });
    expect(third.items.map((item) => item.sid)).toEqual(sids.slice(6));
    expect(third.nextToken).toBeNull();
    const back = await store.calls.listCalls(filter, { pageSize: 3, token: third.previousToken ?? '' });
    expect(back.items.map((item) => item.sid)).toEqual(sids.slice(3, 6));
    await expect(store.calls.listCalls(filter, { pageSize: 3, token: 'junk' })).rejects.toMatchObject({ code: 21481 });
  });

  it('filters calls and rooms', async () => {
    store.calls.saveCall(call({ to: '+1', status: 'busy', startedAtMs: 1000 }));
    store.calls.saveCall(call({ to: '+2', from: '+9', startedAtMs: 2000 }));
    store.calls.saveCall(call({ accountSid: newSid('AC') }));
    const tos = async (filter: object): Promise<string[]> => (await store.calls.listCalls({ accountSid: account, ...filter }, { pageSize: 50 })).items.map((item) => item.to);
    expect(await tos({})).toEqual(['+2', '+1']);
    expect(await tos({ status: 'busy' })).toEqual(['+1']);
    expect(await tos({ from: '+9' })).toEqual(['+2']);
    expect(await tos({ startedAfterMs: 1500 })).toEqual(['+2']);
    expect(await tos({ startedBeforeMs: 1500 })).toEqual(['+1']);
    store.rooms.saveRoom(room({ uniqueName: 'a', status: 'completed', createdAtMs: 10 }));
    store.rooms.saveRoom(room({ uniqueName: 'a', createdAtMs: 20 }));
    const created = async (filter: object): Promise<number[]> => (await store.rooms.listRooms({ accountSid: account, ...filter }, { pageSize: 50 })).items.map((item) => item.createdAtMs);
    expect(await created({ uniqueName: 'a' })).toEqual([20, 10]);
    expect(await created({ status: 'in-progress' })).toEqual([20]);
    expect(await created({ createdBeforeMs: 15 })).toEqual([10]);
  });

  it('ends what a crash left open and tells which calls', async () => {
    const live = room();
    const alice: ParticipantRecord = { sid: newSid('PA'), roomSid: live.sid, accountSid: account, identity: 'alice', status: 'connected', medium: 'phone', createdAtMs: 1, updatedAtMs: 1, startedAtMs: 1, endedAtMs: null, leaveReason: null, subscribeRules: null, call: { sid: newSid('CA'), from: '+1', to: null } };
    const track: TrackRecord = { sid: newSid('MT'), roomSid: live.sid, participantSid: alice.sid, name: 't', kind: 'audio', enabled: true, createdAtMs: 1, updatedAtMs: 1, endedAtMs: null };
    const open = call();
    const done = call({ status: 'completed', endedAtMs: 5 });
    store.rooms.saveRoom(live);
    store.rooms.saveParticipant(alice);
    store.rooms.saveTrack(track);
    store.calls.saveCall(open);
    store.calls.saveCall(done);
    await store.settled();
    const rooms = await store.rooms.closeLeftovers(9);
    expect(rooms.map(({ sid, status }) => [sid, status])).toContainEqual([live.sid, 'completed']);
    const leftovers = await store.calls.closeLeftovers(9);
    expect(leftovers.filter((record) => record.accountSid === account)).toEqual([{ ...open, status: 'failed', endedAtMs: 9, updatedAtMs: 9, terminationReason: 'server-killed' }]);
    expect(await store.calls.closeLeftovers(10)).toEqual([]);
    expect(await store.calls.findCall(account, done.sid)).toEqual(done);
    expect(await store.rooms.findRoom(account, live.sid)).toMatchObject({ status: 'completed', endedAtMs: 9 });
    expect(await store.rooms.findParticipant(live.sid, alice.sid)).toMatchObject({ status: 'disconnected', endedAtMs: 9 });
    expect((await store.rooms.listTracks(alice.sid, { pageSize: 50 })).items).toEqual([]);
  });

  it('keeps numbers findable by their digits and forgets deleted ones', async () => {
    const line = number();
    await store.directory.saveNumber(line);
    expect(store.directory.numberByDigits('+15550100')).toEqual(line);
    await store.directory.saveNumber({ ...line, phoneNumber: '+15550199' });
    expect(store.directory.numberByDigits('+15550100')).toBeNull();
    await store.directory.saveKey({ sid: newSid('SK'), accountSid: account, friendlyName: 'k', secret: 's', createdAtMs: 1, updatedAtMs: 1 });
    await store.close();
    store = await open();
    expect(store.directory.number(account, line.sid)?.phoneNumber).toBe('+15550199');
    await store.directory.deleteNumber(line.sid);
    await store.close();
    store = await open();
    expect(store.directory.numbers(account)).toEqual([]);
  }, 60_000);

  it('keeps applications and verified caller ids, each of its account, over a restart', async () => {
    const application: ApplicationRecord = {
      sid: newSid('AP'), accountSid: account, friendlyName: 'Desk', voiceUrl: 'https://app.example/voice', voiceMethod: 'POST', voiceFallbackUrl: null, voiceFallbackMethod: 'POST', statusCallback: null,
      statusCallbackMethod: 'POST', voiceCallerIdLookup: false, publicApplicationConnectEnabled: false, createdAtMs: 1, updatedAtMs: 1, kept: { smsUrl: 'https://app.example/sms' },
    };
    const gone = { ...application, sid: newSid('AP') };
    const callerId: CallerIdRecord = { sid: newSid('PN'), accountSid: account, phoneNumber: '+15557700', friendlyName: 'Mobile', createdAtMs: 1, updatedAtMs: 1 };
    await store.directory.saveApplication(application);
    await store.directory.saveApplication(gone);
    await store.directory.saveCallerId(callerId);
    await store.directory.deleteApplication(gone.sid);
    await store.close();
    store = await open();
    expect(store.directory.applications(account)).toEqual([application]);
    expect(store.directory.application(newSid('AC'), application.sid)).toBeNull();
    expect(store.directory.callerIds(account)).toEqual([callerId]);
    await store.directory.deleteCallerId(callerId.sid);
    expect(store.directory.callerId(account, callerId.sid)).toBeNull();
  });

  it('deletes a call with its debugger entries', async () => {
    const gone = call({ status: 'completed' });
    const notification: NotificationRecord = { sid: newSid('NO'), accountSid: account, callSid: gone.sid, log: 1, errorCode: 12200, messageText: 'x', messageAtMs: 1, requestMethod: null, requestUrl: null, requestVariables: '', responseBody: '', responseHeaders: '' };
    store.calls.saveCall(gone);
    store.calls.saveNotification(notification);
    expect((await store.calls.listNotifications({ accountSid: account, callSid: gone.sid, log: 1 }, { pageSize: 50 })).items).toEqual([notification]);
    await store.calls.deleteCall(account, gone.sid);
    expect(await store.calls.findCall(account, gone.sid)).toBeNull();
    expect(await store.calls.findNotification(account, notification.sid)).toBeNull();
  });

  it('loses only the row that the database cannot take', async () => {
    const good = call();
    const bad = call({ createdAtMs: Number.NaN });
    store.calls.saveCall(bad);
    store.calls.saveCall(good);
    expect(await store.calls.findCall(account, good.sid)).toEqual(good);
    expect(await store.calls.findCall(account, bad.sid)).toBeNull();
  });

  it('lets one server in, for its user only', async () => {
    await expect(open()).rejects.toThrow(/Another Partyline|uses this data folder/);
    expect(statSync(join(folder, 'db')).mode & 0o077).toBe(0);
  });
});
