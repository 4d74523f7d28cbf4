import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import twilio from 'twilio';
import { createApi } from '../src/api/api.ts';
import { systemClock } from '../src/base/clock.ts';
import { TwilioError } from '../src/base/errors.ts';
import { silentLog } from '../src/base/log.ts';
import { newSid, type AccountSid } from '../src/base/sid.ts';
import type { ApiDeps, VoiceRecordings } from '../src/api/deps.ts';
import type { Rooms } from '../src/rooms/contract.ts';
import { createCompositions } from '../src/recording/composition/compositions.ts';
import { createCompositionHooks } from '../src/recording/composition/hooks.ts';
import { createRoomSources } from '../src/recording/composition/room-sources.ts';
import { createRoomTranscriptions } from '../src/recording/transcription/transcriptions.ts';
import { createRoomRecordings } from '../src/recording/room-recordings.ts';
import type { RoomRecordings } from '../src/recording/contract.ts';
import { createRooms } from '../src/rooms/rooms.ts';
import { openStore, type Store } from '../src/store/store.ts';
import type { ValidationOptions, ValidationRequest } from '../src/voice/caller-id-validation.ts';
import { createExplainer, type Explainer } from '../src/voice/explain.ts';
import { createTrunks, type Trunks } from '../src/voice/carrier/trunks.ts';
import { createRecordings } from '../src/voice/recording/recording-service.ts';
import { createGatherings, type Gatherings } from '../src/voice/gatherings.ts';
import type { Calls, CreateCallOptions, UpdateCallOptions } from '../src/voice/contract.ts';
import { CallJournal } from '../src/voice/call-journal.ts';
import { CallStreams } from '../src/voice/streams/call-streams.ts';
import { createStreamControl, type StreamedCall } from '../src/voice/streams/stream-control.ts';
import { ALLOW_ALL } from '../src/voice/webhook/network-policy.ts';
import { FakeComposer } from '../src/testing/fake-composer.ts';
import { FakePhone } from '../src/testing/fake-media.ts';
import type { AccountRecord, CallRecord, CallRepository, KeyRecord } from '../src/voice/model.ts';
import { createCallRecordings, type AnsweredCall } from '../src/voice/recording/call-recordings.ts';
import { createRecordingMedia } from '../src/voice/recording/recording-media.ts';
import { prepareDatabase } from './prepared-database.ts';

/** The REST API over a real store and real rooms, with calls that nobody dials. Listens on loopback. */
export interface RestWorld {
  store: Store;
  trunks: Trunks;
  explainer: Explainer;
  rooms: Rooms;
  gatherings: Gatherings;
  calls: FakeCalls;
  voiceRecordings: VoiceRecordings;
  roomRecordings: RoomRecordings;
  transcriptions: ApiDeps['transcriptions'];
  account: AccountRecord;
  key: KeyRecord;
  app: FastifyInstance;
  url: string;
  /** Signed in by the account's token. */
  client: twilio.Twilio;
  logged: string[];
  composer: FakeComposer;
  compositionDeps: Pick<ApiDeps, 'compositions' | 'compositionHooks' | 'compositionRepository'>;
  compositionCallbacks: { url: string; parameters: Record<string, string> }[];
  setReady(ready: boolean): void;
  setPublicUrl(url: string | null): void;
  /** A raw request, signed in unless `authorization` says otherwise (null: not at all). */
  raw(path: string, init?: { method?: string; body?: string | URLSearchParams; headers?: Record<string, string>; authorization?: string | null }): Promise<RawAnswer>;
  clientAs(user: string, password: string): twilio.Twilio;
  newAccount(over?: Partial<AccountRecord>): Promise<AccountRecord>;
  close(): Promise<void>;
}

export interface RawAnswer {
  status: number;
  headers: Headers;
  text: string;
  // Tests read whatever members they assert on.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any;
}

export async function openRestWorld(): Promise<RestWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'partyline-rest-'));
  const logged: string[] = [];
  const compositionCallbacks: RestWorld['compositionCallbacks'] = [];
  const log = { ...silentLog, error: (fields: Record<string, unknown>) => void logged.push(JSON.stringify(fields)) };
  await prepareDatabase(folder);
  const store = await openStore({ dataDir: folder, databaseUrl: null }, { log: silentLog, clock: systemClock });
  const rooms = createRooms({
    clock: systemClock,
    log: silentLog,
    media: { createPhone: () => Promise.reject(new TwilioError(53500, 'no media here')), createRoom: () => Promise.reject(new TwilioError(53500, 'no media here')) },
    repository: store.rooms,
    callbacks: { send: () => {} },
    settings: (sid) => store.directory.account(sid),
  });
  const newAccount = async (over: Partial<AccountRecord> = {}): Promise<AccountRecord> => {
    const sid = newSid('AC');
    const nowMs = Date.now();
    const record: AccountRecord = { sid, friendlyName: 'Test', status: 'active', authToken: `token of ${sid}`, ownerAccountSid: sid, clientRoomCreation: true, roomStatusCallback: null, createdAtMs: nowMs, updatedAtMs: nowMs, ...over };
    await store.directory.saveAccount(record);
    return record;
  };
  const account = await newAccount();
  const key: KeyRecord = { sid: newSid('SK'), accountSid: account.sid, friendlyName: 'First', secret: 'secret:with a colon', createdAtMs: 1000, updatedAtMs: 1000 };
  await store.directory.saveKey(key);
  const calls = new FakeCalls(store.calls);
  const validate = (accountSid: AccountSid, options: ValidationOptions): Promise<ValidationRequest> => {
    const refusal = calls.refusal;
    calls.refusal = null;
    if (refusal) return Promise.reject(refusal);
    calls.validated.push(options);
    return Promise.resolve({ accountSid, callSid: newSid('CA'), friendlyName: options.friendlyName, phoneNumber: options.phoneNumber, validationCode: '012345' });
  };
  const recordings = createRecordings({ folder: join(folder, 'recordings'), origin: () => 'http://server.test' }, { clock: systemClock, log: silentLog, repository: store.recordings, calls: store.calls, callbacks: { send: () => {} } });
  const voiceRecordings: VoiceRecordings = {
    recordings,
    recordingRepository: store.recordings,
    recordingMedia: createRecordingMedia({ command: 'ffmpeg' }, { recordings, log: silentLog }),
    callRecordings: createCallRecordings(recordings, (sid) => calls.answeredCall(sid)),
    publicRecordings: false,
  };
  const roomRecordings = createRoomRecordings(
    { folder: join(folder, 'room-recordings') },
    { clock: systemClock, log: silentLog, rooms, repository: store.roomRecordings, roomRepository: store.rooms, callbacks: { send: () => {} } },
  );
  let ready = true;
  let publicUrl: string | null = null;
  const gatherings = createGatherings({
    clock: systemClock,
    log: silentLog,
    media: { createPhone: () => Promise.reject(new TwilioError(53500, 'no media here')), createRoom: () => Promise.reject(new TwilioError(53500, 'no media here')) },
    callbacks: { send: () => {} },
    recordings,
    conferenceRepository: store.conferences,
    queueRepository: store.queues,
    liveCall: (sid) => calls.live(sid),
    config: { dataDir: folder },
  });
  const recognizer = { newFile: () => Promise.resolve(join(folder, 'heard', 'x.wav')), recognize: () => Promise.resolve(null), discard: () => Promise.resolve() };
  const transcriptions = { service: createRoomTranscriptions({ clock: systemClock, log: silentLog, rooms, repository: store.transcriptions, recognizer }), repository: store.transcriptions };
  const composer = new FakeComposer();
  const compositions = createCompositions(
    { folder: join(folder, 'compositions') },
    {
      clock: systemClock,
      log: silentLog,
      repository: store.compositions,
      rooms,
      roomRepository: store.rooms,
      sources: createRoomSources({ repository: store.roomRecordings, recordings: { pathOf: ({ sid, container }) => join(folder, `${sid}.${container}`) } }),
      composer,
      callbacks: { send: ({ url, parameters }) => void compositionCallbacks.push({ url, parameters: Object.fromEntries(parameters) }) },
    },
  );
  const compositionDeps = { compositions, compositionHooks: createCompositionHooks({ repository: store.compositions, wallMs: () => Date.now() }), compositionRepository: store.compositions };
  const trunks = createTrunks({ repository: store.trunks, sipDirectory: store.sip, directory: store.directory, carrier: null });
  const explainer = createExplainer({ directory: store.directory, sipDirectory: store.sip, trunks, config: { publicAddress: '192.0.2.1', localHosts: ['127.0.0.1'], carrier: null, dataDir: folder, speech: { command: 'none' } }, carriers: { preview: ({ trunk }) => ({ targets: trunk.targets.map((target) => ({ ...target, to: null, healthy: true })), from: 'sip:us@192.0.2.1', fromDisplayName: '', headers: [], refusal: null }) }, mayDial: () => null });
  const app = createApi({
    gatherings,
    conferenceRepository: store.conferences,
    log,
    clock: systemClock,
    calls,
    callerIds: { validate: (sid, options) => validate(sid, options) },
    callRepository: store.calls,
    voiceRecordings,
    directory: store.directory,
    sip: store.sip,
    trunks,
    explainer,
    sipDomainSuffix: 'sip.example.com',
    rooms,
    roomRepository: store.rooms,
    ...compositionDeps,
    roomRecordings: { recordings: roomRecordings, repository: store.roomRecordings },
    transcriptions,
    publicUrl: () => publicUrl,
    ready: () => ready,
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const clientAs = (user: string, password: string): twilio.Twilio => {
    const client = twilio(user, password, { accountSid: account.sid });
    client.api.baseUrl = url;
    client.video.baseUrl = url;
    client.voice.baseUrl = url;
    return client;
  };
  return {
    store,
    trunks,
    explainer,
    rooms,
    gatherings,
    calls,
    voiceRecordings,
    transcriptions,
    roomRecordings,
    account,
    key,
    app,
    url,
    logged,
    composer,
    compositionDeps,
    compositionCallbacks,
    client: clientAs(account.sid, account.authToken),
    clientAs,
    newAccount,
    setReady: (next) => void (ready = next),
    setPublicUrl: (next) => void (publicUrl = next),
    raw: (path, init = {}) => request(path.startsWith('http') ? path : url + path, { authorization: basic(account.sid, account.authToken), ...init }),
    close: async () => {
      await app.close();
      await rooms.stop('server-stopped');
      await compositions.stop();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

async function request(url: string, { method, body, headers, authorization }: { method?: string; body?: string | URLSearchParams; headers?: Record<string, string>; authorization: string | null }): Promise<RawAnswer> {
  const answer = await fetch(url, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { ...(typeof body === 'string' ? { 'content-type': 'application/x-www-form-urlencoded' } : {}), ...(authorization === null ? {} : { authorization }), ...headers },
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await answer.text();
  let parsed: unknown = text;
  try {
    parsed = JSON.parse(text);
  } catch {
    // No JSON: the text is asserted on.
  }
  return { status: answer.status, headers: answer.headers, text, body: parsed };
}

/** Calls that go nowhere: what REST asked for is kept to be looked at. */
export class FakeCalls implements Calls {
  readonly created: CreateCallOptions[] = [];
  readonly updated: UpdateCallOptions[] = [];
  readonly validated: ValidationOptions[] = [];
  readonly #repository: CallRepository;
  readonly #live = new Map<string, CallRecord>();
  /** Streams are real, their phones are not. */
  readonly streams = createStreamControl((sid) => this.#streamedCall(sid));
  readonly phone = new FakePhone();
  readonly #streams = new Map<string, CallStreams>();
  /** Thrown by the next create. */
  refusal: Error | null = null;

  constructor(repository: CallRepository) {
    this.#repository = repository;
  }

  get liveCount(): number {
    return this.#live.size;
  }

  create(accountSid: AccountSid, options: CreateCallOptions): Promise<CallRecord> {
    const refusal = this.refusal;
    this.refusal = null;
    if (refusal) return Promise.reject(refusal);
    this.created.push(options);
    return Promise.resolve(this.keep(callRecord(accountSid, { to: options.to ?? '', from: options.from ?? '' })));
  }

  async update(accountSid: AccountSid, sid: CallRecord['sid'], options: UpdateCallOptions): Promise<CallRecord> {
    this.updated.push(options);
    const record = this.live(sid) ?? (await this.#repository.findCall(accountSid, sid));
    if (!record) throw new TwilioError(20404, 'unknown', { status: 404 });
    if (options.url !== undefined && record.status !== 'in-progress') throw new TwilioError(21220, 'Call is not in-progress');
    return options.status === 'completed' ? this.keep({ ...record, status: 'completed', endedAtMs: Date.now() }) : record;
  }

  live(sid: CallRecord['sid']): CallRecord | null {
    return this.#live.get(sid) ?? null;
  }

  readonly phones = new Map<string, FakePhone>();

  /** Calls have phones where a test gave them some. */
  answeredCall(sid: CallRecord['sid']): AnsweredCall | null {
    const [record, phone] = [this.live(sid), this.phones.get(sid)];
    return record?.status === 'in-progress' && phone ? { record, phone } : null;
  }

  #streamedCall(sid: CallRecord['sid']): StreamedCall | null {
    const record = this.live(sid);
    if (!record) return null;
    const journal = new CallJournal(this.#repository, systemClock, record);
    const streams = this.#streams.get(sid) ?? new CallStreams({ record, authToken: '', clock: systemClock, callbacks: { send: () => undefined }, journal, network: ALLOW_ALL });
    this.#streams.set(sid, streams);
    return { record, streams, phone: this.phone };
  }

  /** Puts a call there, live until it has an end. */
  keep(record: CallRecord): CallRecord {
    if (record.endedAtMs === null) this.#live.set(record.sid, record);
    else this.#live.delete(record.sid);
    this.#repository.saveCall(record);
    return record;
  }

  accountClosed(accountSid: AccountSid): void {
    for (const record of [...this.#live.values()]) if (record.accountSid === accountSid) this.keep({ ...record, status: 'completed', endedAtMs: Date.now() });
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

export function callRecord(accountSid: AccountSid, over: Partial<CallRecord> = {}): CallRecord {
  const nowMs = Date.now();
  return {
    sid: newSid('CA'), accountSid, parentCallSid: null, to: '+15550100', from: '+15550111', phoneNumberSid: null, status: 'queued', direction: 'outbound-api', createdAtMs: nowMs, updatedAtMs: nowMs,
    startedAtMs: null, answeredAtMs: null, endedAtMs: null, answeredBy: null, forwardedFrom: null, callerName: null, terminationReason: null, ...over,
  };
}
