import { afterAll, beforeAll, expect, it } from 'vitest';
import { callRecord, openRestWorld, type RestWorld } from '../../test/rest-world.ts';
import { newSid } from '../base/sid.ts';
import type { AccountRecord, ApplicationRecord, CallRecord, CallerIdRecord, KeyRecord, NotificationRecord, PhoneNumberRecord } from '../voice/model.ts';

// Every list of v2010, and of Voice v1, is walked to its end by the official client, page by page: each item once.

const ITEMS = 51;

let world: RestWorld;
let call: CallRecord;
beforeAll(async () => {
  world = await openRestWorld();
  call = world.calls.keep(callRecord(world.account.sid, { status: 'completed', endedAtMs: 2000 }));
  const saved: Promise<void>[] = [];
  for (let n = 0; n < ITEMS; n++) saved.push(...seed(n));
  await Promise.all(saved);
}, 60_000);
afterAll(() => world.close());

function seed(n: number): Promise<void>[] {
  const accountSid = world.account.sid;
  const stamps = { createdAtMs: 1000 + (n >> 1), updatedAtMs: 1000 };
  const urls = { voiceUrl: null, voiceMethod: 'POST', voiceFallbackUrl: null, voiceFallbackMethod: 'POST', statusCallback: null, statusCallbackMethod: 'POST' } as const;
  const account: AccountRecord = { ...world.account, ...stamps, sid: newSid('AC'), ownerAccountSid: accountSid, authToken: 'unused' };
  const key: KeyRecord = { ...stamps, sid: newSid('SK'), accountSid, friendlyName: '', secret: 's' };
  const application: ApplicationRecord = { ...stamps, ...urls, sid: newSid('AP'), accountSid, friendlyName: '', voiceCallerIdLookup: false, publicApplicationConnectEnabled: false };
  const callerId: CallerIdRecord = { ...stamps, sid: newSid('PN'), accountSid, phoneNumber: `+1555900${n}`, friendlyName: '' };
  const number: PhoneNumberRecord = { ...stamps, ...urls, sid: newSid('PN'), accountSid, phoneNumber: `+1555800${n}`, friendlyName: '', voiceApplicationSid: null, trunkSid: null, voiceCallerIdLookup: false, voiceReceiveMode: 'voice' };
  const notification: NotificationRecord = { sid: newSid('NO'), accountSid, callSid: call.sid, log: 1, errorCode: 12200, messageText: '', messageAtMs: 1000, requestMethod: null, requestUrl: null, requestVariables: '', responseBody: '', responseHeaders: '' };
  const { directory, calls, trunks } = world.store;
  const trunk = { ...stamps, ...urls, sid: newSid('BY'), accountSid, friendlyName: '', cnamLookupEnabled: false, connectionPolicySid: null, fromDomainSid: null };
  const policy = { ...stamps, sid: newSid('NY'), accountSid, friendlyName: '', targets: [] };
  calls.saveNotification(notification);
  calls.saveEvent({ callSid: call.sid, atMs: n, request: { method: 'POST', url: `https://app.example/${n}`, parameters: {} }, response: { responseCode: 200, contentType: null, responseBody: '', requestDurationMs: 1, validTwiml: true } });
  world.calls.keep(callRecord(accountSid, { to: '+15558001', status: 'completed', endedAtMs: 2000 }));
  return [directory.saveAccount(account), directory.saveKey(key), directory.saveApplication(application), directory.saveCallerId(callerId), directory.saveNumber(number), trunks.saveTrunk(trunk), trunks.savePolicy(policy)];
}

const client = (): RestWorld['client'] => world.client;
const LISTS: Record<string, { walk: (pageSize?: number) => Promise<object[]>; more?: number }> = {
  accounts: { walk: (pageSize) => client().api.v2010.accounts.list({ ...(pageSize ? { pageSize } : {}) }), more: 1 },
  applications: { walk: (pageSize) => client().applications.list({ ...(pageSize ? { pageSize } : {}) }) },
  calls: { walk: (pageSize) => client().calls.list({ to: '+15558001', ...(pageSize ? { pageSize } : {}) }) },
  events: { walk: (pageSize) => client().calls(call.sid).events.list({ ...(pageSize ? { pageSize } : {}) }) },
  'notifications of a call': { walk: (pageSize) => client().calls(call.sid).notifications.list({ log: 1, ...(pageSize ? { pageSize } : {}) }) },
  notifications: { walk: (pageSize) => client().notifications.list({ log: 1, ...(pageSize ? { pageSize } : {}) }) },
  keys: { walk: (pageSize) => client().keys.list({ ...(pageSize ? { pageSize } : {}) }), more: 1 },
  'signing keys': { walk: (pageSize) => client().signingKeys.list({ ...(pageSize ? { pageSize } : {}) }), more: 1 },
  'incoming phone numbers': { walk: (pageSize) => client().incomingPhoneNumbers.list({ phoneNumber: '+15558', ...(pageSize ? { pageSize } : {}) }) },
  trunks: { walk: (pageSize) => client().voice.v1.byocTrunks.list({ ...(pageSize ? { pageSize } : {}) }) },
  'connection policies': { walk: (pageSize) => client().voice.v1.connectionPolicies.list({ ...(pageSize ? { pageSize } : {}) }) },
  'outgoing caller ids': { walk: (pageSize) => client().outgoingCallerIds.list({ ...(pageSize ? { pageSize } : {}) }) },
};

it.each(Object.entries(LISTS))('%s', async (name, { walk, more = 0 }) => {
  for (const pageSize of [undefined, 17]) {
    const items = (await walk(pageSize)) as { sid?: string; request?: { url: string } }[];
    const identities = items.map((item) => item.sid ?? item.request?.url);
    expect(identities, `${name} by ${pageSize ?? 50}`).toHaveLength(ITEMS + more);
    expect(new Set(identities).size).toBe(ITEMS + more);
  }
});
