import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../base/log.ts';
import type { Page } from '../../base/paging.ts';
import { newSid, type AccountSid, type CallSid } from '../../base/sid.ts';
import type { RoomMedia } from '../../media/protocol.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { LiveCalls } from '../calls.ts';
import type { CallbackSender, RoomConnector, RoomStay, RoomWishes } from '../contract.ts';
import type { ConferenceFilter, ConferenceRecord, ConferenceRepository } from '../conference/model.ts';
import { createGatherings } from '../gatherings.ts';
import { IncomingCalls } from '../incoming-calls.ts';
import type { ApplicationRecord, CallEventRecord, CallQuality, CallRecord, CallRepository, CallerIdRecord, DirectoryRepository, NotificationRecord, PhoneNumberRecord } from '../model.ts';
import type { RecordingRecord, RecordingRepository } from '../recording/model.ts';
import { createRecordings } from '../recording/recording-service.ts';
import type { SpeechRecognizer } from '../speech-recognition.ts';
import { ALLOW_ALL, type NetworkPolicy } from '../webhook/network-policy.ts';
import type { WebhookAnswer, WebhookClient, WebhookRequest } from '../webhook/client.ts';
import { OfferMemory } from '../offer-memory.ts';
import type { RegisteredContact } from '../registrations.ts';
import { FakeSipDirectory } from './fake-sip-directory.ts';
import { FakeTrunkRepository } from './fake-trunks.ts';
import { Carriers, type CarriersDeps } from '../carrier/carriers.ts';
import { createTrunks } from '../carrier/trunks.ts';
import type { Strangers } from '../dial-plan/dial-plan.ts';
import type { OutboundPolicy } from '../dial-plan/fraud-guard.ts';
import { FakeIncomingCall, FakeUserAgent } from './fake-sip.ts';
import { FakeMediaPlane, fakeRoomMedia } from '../../testing/fake-media.ts';

/** Rooms by name; a stay lasts until `release` or until the call lets go. */
export class FakeRooms implements RoomConnector {
  readonly names = new Set<string>();
  readonly stays: { roomName: string; identity: string | null; wishes: RoomWishes; release: (stay: RoomStay) => void }[] = [];
  readonly #waiting = new Set<() => void>();
  readonly media = fakeRoomMedia();

  exists(_account: AccountSid, roomName: string): boolean {
    return this.names.has(roomName);
  }

  /** A room opens. */
  open(roomName: string): void {
    this.names.add(roomName);
    for (const look of this.#waiting) look();
  }

  whenOpen(_account: AccountSid, roomName: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => void ((this.names.has(roomName) || signal.aborted) && this.#waiting.delete(look) && resolve());
      this.#waiting.add(look);
      signal.addEventListener('abort', look);
      look();
    });
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  mediaOf(_account: AccountSid, roomName: string): Promise<RoomMedia | null> {
    return Promise.resolve(this.names.has(roomName) ? this.media : null);
  }

  stay({ roomName, identity, wishes, signal }: Parameters<RoomConnector['stay']>[0]): Promise<RoomStay> {
    if (!this.names.has(roomName)) return Promise.resolve({ reason: 'room-not-found', parameters: [], notification: { errorCode: 53106, message: 'Room not found' } });
    return new Promise((resolve) => {
      this.stays.push({ roomName, identity, wishes, release: resolve });
      signal.addEventListener('abort', () => resolve({ reason: 'left', parameters: [] }));
    });
  }
}

export class FakeCallRepository implements CallRepository {
  readonly calls = new Map<CallSid, CallRecord>();
  readonly notifications: NotificationRecord[] = [];
  readonly events: CallEventRecord[] = [];
  saveCall = (record: CallRecord): void => void this.calls.set(record.sid, record);
  saveQuality = (sid: CallSid, quality: CallQuality): void => {
    const record = this.calls.get(sid);
    if (record) record.quality = quality;
  };
  saved = (): Promise<void> => Promise.resolve();
  saveNotification = (record: NotificationRecord): void => void this.notifications.push(record);
  saveEvent = (record: CallEventRecord): void => void this.events.push(record);
  findCall = (accountSid: AccountSid, sid: CallSid): Promise<CallRecord | null> => {
    const record = this.calls.get(sid);
    return Promise.resolve(record?.accountSid === accountSid ? record : null);
  };
  listCalls = (): Promise<Page<CallRecord>> => Promise.resolve(page([...this.calls.values()]));
  deleteCall = (): Promise<void> => Promise.resolve();
  listNotifications = (): Promise<Page<NotificationRecord>> => Promise.resolve(page(this.notifications));
  findNotification = (): Promise<null> => Promise.resolve(null);
  listEvents = (): Promise<Page<CallEventRecord>> => Promise.resolve(page(this.events));
  closeLeftovers = (): Promise<CallRecord[]> => Promise.resolve([]);
}

export class FakeConferenceRepository implements ConferenceRepository {
  readonly conferences = new Map<string, ConferenceRecord>();
  saveConference = (record: ConferenceRecord): void => void this.conferences.set(record.sid, record);
  findConference = (_accountSid: AccountSid, sid: string): Promise<ConferenceRecord | null> => Promise.resolve(this.conferences.get(sid) ?? null);
  listConferences = (_filter: ConferenceFilter): Promise<Page<ConferenceRecord>> => Promise.resolve(page([...this.conferences.values()]));
  closeLeftovers = (): Promise<void> => Promise.resolve();
}

export class FakeRecordingRepository implements RecordingRepository {
  readonly records = new Map<string, RecordingRecord>();
  saveRecording = (record: RecordingRecord): void => void this.records.set(record.sid, record);
  findRecording = (accountSid: AccountSid, sid: string): Promise<RecordingRecord | null> => {
    const record = this.records.get(sid);
    return Promise.resolve(record?.accountSid === accountSid ? record : null);
  };
  listRecordings = (): Promise<Page<RecordingRecord>> => Promise.resolve(page([...this.records.values()]));
  deleteRecording = (_account: AccountSid, sid: string): Promise<void> => Promise.resolve(void this.records.delete(sid));
  unfinishedRecordings = (): Promise<RecordingRecord[]> => Promise.resolve([...this.records.values()].filter(({ status }) => status !== 'completed' && status !== 'absent'));
}

function page<T>(items: T[]): Page<T> {
  return { items, nextToken: null, previousToken: null };
}

/** Answers by path of the URL; a missing path is a 404. Keeps what was asked. */
export class FakeWebApp implements WebhookClient {
  readonly pages = new Map<string, { body: string; contentType?: string } | 'never'>();
  readonly asked: (WebhookRequest & { path: string; params: Record<string, string> })[] = [];

  on(path: string, body: string): void {
    this.pages.set(path, { body });
  }

  request(request: WebhookRequest): Promise<WebhookAnswer> {
    const path = new URL(request.url).pathname;
    this.asked.push({ ...request, path, params: Object.fromEntries(request.parameters) });
    const found = this.pages.get(path);
    const base = { url: request.url, durationMs: 1, headers: { 'content-type': 'text/xml' } };
    if (found === 'never') return new Promise((resolve) => request.signal?.addEventListener('abort', () => resolve({ ...base, ok: false, errorCode: 11205, message: 'aborted', statusCode: null, body: new Uint8Array(), aborted: true })));
    if (!found) return Promise.resolve({ ...base, ok: false, errorCode: 11200, message: 'HTTP 404', statusCode: 404, body: new Uint8Array(), aborted: false });
    return Promise.resolve({ ...base, ok: true, statusCode: 200, contentType: found.contentType ?? 'text/xml', body: Buffer.from(found.body) });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** voice/ over fakes on every side, with a number `+15550100` that asks http://app/voice. */
export function fakeWorld(options: { transfers?: 'off' | 'users' | 'all'; carrier?: string | null; callsPerSecond?: number; recognizer?: SpeechRecognizer; network?: NetworkPolicy; strangers?: Strangers; outbound?: OutboundPolicy; isOwn?: CarriersDeps['isOwn'] } = {}) {
  const accountSid = newSid('AC');
  const number: PhoneNumberRecord = {
    sid: newSid('PN'), accountSid, phoneNumber: '+15550100', friendlyName: '', voiceApplicationSid: null, trunkSid: null, voiceCallerIdLookup: false, voiceReceiveMode: 'voice', createdAtMs: 0, updatedAtMs: 0,
    voiceUrl: 'http://app.test/voice', voiceMethod: 'POST', voiceFallbackUrl: null, voiceFallbackMethod: 'POST', statusCallback: 'http://app.test/number-status', statusCallbackMethod: 'POST',
  };
  const account = { sid: accountSid, friendlyName: '', status: 'active' as const, authToken: 'secret', ownerAccountSid: accountSid, clientRoomCreation: true, roomStatusCallback: null, createdAtMs: 0, updatedAtMs: 0 };
  const applications: ApplicationRecord[] = [];
  const callerIds: CallerIdRecord[] = [];
  const directory = {
    application: (owner: AccountSid, sid: string) => applications.find((record) => record.accountSid === owner && record.sid === sid) ?? null,
    callerIds: (owner: AccountSid) => callerIds.filter((record) => record.accountSid === owner),
    saveCallerId: (record: CallerIdRecord) => Promise.resolve(void callerIds.push(record)),
    numbers: (owner: AccountSid) => (owner === accountSid ? [number] : []),
    account: (sid: AccountSid) => (sid === accountSid ? account : null), numberByDigits: (digits: string) => (digits === number.phoneNumber ? number : null), number: () => number,
  } as unknown as DirectoryRepository;
  const clock = new FakeClock();
  const sip = new FakeUserAgent();
  const media = new FakeMediaPlane();
  const rooms = new FakeRooms();
  const calls = new FakeCallRepository();
  const app = new FakeWebApp();
  const told: { url: string; params: Record<string, string>; refused: Parameters<CallbackSender['send']>[0]['refused'] }[] = [];
  const callbacks: CallbackSender = { send: ({ url, parameters, refused }) => void told.push({ url, params: Object.fromEntries(parameters), refused }) };
  const spoken: string[] = [];
  const speech = { speak: ({ text }: { text: string }) => Promise.resolve({ path: `/speech/${spoken.push(text)}.wav`, contentType: 'audio/wav' }) };
  const prompts = {
    fetch: ({ url }: { url: string }) => Promise.resolve({ path: `/prompts${new URL(url).pathname}`, contentType: 'audio/wav' }),
    keep: ({ body }: { body: Uint8Array }) => Promise.resolve({ path: `/kept/${Buffer.from(body).toString()}`, contentType: 'audio/wav' }),
  };
  const sipDirectory = new FakeSipDirectory();
  const trunks = createTrunks({ repository: new FakeTrunkRepository(), sipDirectory, directory, carrier: options.carrier ?? null });
  const recordingRepository = new FakeRecordingRepository();
  const recordings = createRecordings({ folder: join(tmpdir(), 'partyline-fake-recordings'), origin: () => 'http://server.test' }, { clock, log: silentLog, repository: recordingRepository, calls, callbacks });
  const deps = { clock, log: silentLog, sip, media, rooms, calls, recordingRepository, directory, sipDirectory, trunks, config: { publicAddress: '192.0.2.1', localHosts: ['127.0.0.1'], carrier: options.carrier ?? null, transfers: options.transfers ?? 'all', strangers: options.strangers ?? 'allow', ...(options.outbound && { outbound: options.outbound }), ...(options.callsPerSecond === undefined ? {} : { callsPerSecond: options.callsPerSecond }), dataDir: '/nowhere', speech: { command: 'none' } } };
  /** By identity. */
  const registered = new Map<string, RegisteredContact[]>();
  const registrations = { contactsOf: (_account: AccountSid, identity: string) => registered.get(identity) ?? [], contactsAt: () => null };
  const conferenceRepository = new FakeConferenceRepository();
  const queueRepository = { queues: () => [], saveQueue: () => undefined, deleteQueue: () => undefined };
  const liveCall = (sid: CallSid): CallRecord | null => live.live(sid);
  const gatherings = createGatherings({ ...deps, callbacks, recordings, conferenceRepository, queueRepository, liveCall, music: { file: () => Promise.resolve({ path: '/hold-music.wav', contentType: 'audio/wav' }) } });
  const carriers = new Carriers({ ...deps, publicAddress: '192.0.2.1', ...(options.isOwn && { isOwn: options.isOwn }) });
  const live: LiveCalls = new LiveCalls({ ...deps, carriers, conferenceRepository, queueRepository, gatherings, client: app, callbacks, speech, recognizer: options.recognizer ?? null, prompts, recordings, registrations, offers: new OfferMemory(), network: options.network ?? ALLOW_ALL });
  const incoming = new IncomingCalls({ ...deps, conferenceRepository, queueRepository, live });
  const arrive = (call = new FakeIncomingCall()): FakeIncomingCall => {
    sip.emit('incomingCall', call);
    return call;
  };
  const record = (): CallRecord => [...calls.calls.values()].at(-1) as CallRecord;
  return { accountSid, account, directory, callbacks, number, applications, callerIds, clock, sip, media, rooms, calls, recordings, recordingRepository, app, told, spoken, registered, sipDirectory, trunks, carriers, live, incoming, gatherings, conferenceRepository, arrive, record };
}

export type FakeWorld = ReturnType<typeof fakeWorld>;

/** Lets everything that waits for nothing but promises go on. */
export async function settle(): Promise<void> {
  for (let n = 0; n < 20; n++) await new Promise<void>((resolve) => setImmediate(resolve));
}
