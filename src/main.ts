import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createApi } from './api/api.ts';
import { registerDemo } from './api/demo.ts';
import { systemClock } from './base/clock.ts';
import { clientAddresses } from './client-address.ts';
import { printable } from './base/printable.ts';
import { StartupError, messageOf } from './base/errors.ts';
import { setListenerErrorSink } from './base/listener-errors.ts';
import type { SipUserAgentOptions } from './sip/contract.ts';
import { bracket } from './sip/message/uri.ts';
import type { Log } from './base/log.ts';
import type { AccountSid } from './base/sid.ts';
import { banner, type Reachable } from './banner.ts';
import { createRoomConnector } from './bridge/phone-participant.ts';
import { describeSettings, outboundPolicyOf, privateNetworksOf, readConfig, strangerRateOf, strangersOf, turnAccessOf, type Config } from './config.ts';
import { loadCredentials, type Credentials } from './credentials.ts';
import { DEMO_ROOM, demoUri, seedDemoNumber } from './demo-number.ts';
import { keepRegistrations } from './kept-registrations.ts';
import { createMediaPlane, type MediaPlaneHandle } from './media/worker-pool.ts';
import { watchMedia } from './media-lateness.ts';
import { Overload, watchEventLoop } from './overload.ts';
import { choicesOf, isOwnSip, localHostsOf, mediaBinding, ownAddressesOf, phoneNetworksOf, sipAddressesOf } from './own-addresses.ts';
import { checkPorts } from './port-check.ts';
import { createRoomRecordings } from './recording/room-recordings.ts';
import { FfmpegComposer } from './recording/composition/composer.ts';
import { createCompositions } from './recording/composition/compositions.ts';
import { createCompositionHooks } from './recording/composition/hooks.ts';
import { createRoomTranscriptions } from './recording/transcription/transcriptions.ts';
import { createRoomSources } from './recording/composition/room-sources.ts';
import type { Rooms } from './rooms/contract.ts';
import { createRooms } from './rooms/rooms.ts';
import { createLog } from './server-log.ts';
import { makeAccessToken } from './signaling/access-token.ts';
import { refuseUpgrade } from './signaling/refuse-upgrade.ts';
import { createSignaling, iceServers, type TokenKeys } from './signaling/signaling.ts';
import { createMetrics } from './observe/metrics.ts';
import { serveMetrics } from './observe/metrics-server.ts';
import { runSelfTest, selfTestLines } from './self-test.ts';
import { createSipUserAgent } from './sip/user-agent.ts';
import { openStore, type Store } from './store/store.ts';
import { createCommandRecognizer } from './voice/speech-recognition.ts';
import { readTrunks } from './voice/carrier/trunks-file.ts';
import { createTrunks, type DescribedTrunk } from './voice/carrier/trunks.ts';
import { networksOfNobody } from './voice/carrier/inbound.ts';
import { trustedSources } from './voice/carrier/trusted-sources.ts';
import { createVoice } from './voice/voice.ts';

const DRAIN_MS = 1500;
/** RFC 3261 §21.5.4. */
const OVERLOADED: NonNullable<ReturnType<NonNullable<SipUserAgentOptions['admit']>>> = { statusCode: 503, headers: [['Retry-After', '10']] };
const clock = systemClock;

/** A running server. */
export interface RunningServer extends Reachable {
  media: MediaPlaneHandle;
  /** Reads the trunks file again; throws StartupError and leaves all as it is when something is wrong with it. */
  reload(): void;
  /** Refuses new work, ends calls and rooms, saves, closes. Idempotent. */
  stop(): Promise<void>;
}

/**
 * The order in which the house is left: no more browsers come in, calls hang up, then rooms tell their browsers, then the
 * doors close, then the last callbacks go out, and the database last of all. docs/design/closures.md draws it.
 */
const STOP_ORDER = ['load', 'lobby', 'calls', 'rooms', 'transcriptions', 'recordings', 'compositions', 'signaling', 'api', 'voice', 'sip', 'media', 'metrics', 'store'] as const;
type Closers = Map<(typeof STOP_ORDER)[number], () => Promise<void> | void>;

/**
 * Builds the house from the ground up: store, media, rooms, voice, SIP, signaling and API. What fails on the way undoes
 * what stood already. This is the only place that knows every room.
 */
export async function startServer(config: Config, log: Log): Promise<RunningServer> {
  const closers: Closers = new Map();
  const stop = once(async () => {
    for (const part of STOP_ORDER) await closePart(closers.get(part)).catch((error: unknown) => log.error({ part, error: messageOf(error) }, 'a part did not stop cleanly'));
  });
  try {
    return await build(config, log, { closers, stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

async function closePart(close: (() => Promise<void> | void) | undefined): Promise<void> {
  await close?.();
}

async function build(config: Config, log: Log, { closers, stop }: { closers: Closers; stop: () => Promise<void> }): Promise<RunningServer> {
  await checkPorts(wantedPorts(config));
  const { credentials } = loadCredentials(config.dataDir, config);
  const store = await openStore({ dataDir: config.dataDir, databaseUrl: config.databaseUrl }, { log: log.child({ part: 'store' }), clock });
  closers.set('store', () => store.close());
  await seedDirectory(store, config, credentials);
  const roomsLeft = await store.rooms.closeLeftovers(clock.wallMs());
  const leftovers = await store.calls.closeLeftovers(clock.wallMs());
  await store.conferences.closeLeftovers(clock.wallMs());

  const own = choicesOf(config);
  const media = await createMediaPlane({ workers: config.mediaWorkers, rtpPorts: config.rtpPorts, webrtcPort: config.webrtcPort, ...mediaBinding(config) }, { clock, log: log.child({ part: 'media' }) });
  closers.set('media', () => media.stop());

  const rooms = createRooms({
    clock,
    log: log.child({ part: 'rooms' }),
    media,
    repository: store.rooms,
    callbacks: { send: (callback) => voice.callbacks.send(callback) },
    settings: (sid) => store.directory.account(sid),
  });
  closers.set('rooms', () => rooms.stop('server-stopped'));

  const roomRecordings = createRoomRecordings(
    { folder: join(config.dataDir, 'room-recordings') },
    { clock, log: log.child({ part: 'recording' }), rooms, repository: store.roomRecordings, roomRepository: store.rooms, callbacks: { send: (callback) => voice.callbacks.send(callback) } },
  );
  closers.set('recordings', () => roomRecordings.stop());

  const compositions = createCompositions(
    { folder: join(config.dataDir, 'compositions') },
    {
      clock,
      log: log.child({ part: 'compositions' }),
      repository: store.compositions,
      rooms,
      roomRepository: store.rooms,
      sources: createRoomSources({ repository: store.roomRecordings, recordings: roomRecordings }),
      composer: new FfmpegComposer('ffmpeg', { clock }),
      callbacks: { send: (callback) => voice.callbacks.send(callback) },
    },
  );
  closers.set('compositions', () => compositions.stop());

  const trunks = createTrunks({ repository: store.trunks, sipDirectory: store.sip, directory: store.directory, carrier: config.carrier });
  const describeTrunks = (): void => trunks.describe(trunksOfFile(config, { accountSid: credentials.accountSid, nowMs: clock.wallMs() }));
  describeTrunks();
  for (const trunk of trunks.all()) {
    const networks = networksOfNobody(trunk);
    if (networks.length > 0) log.warn({ trunk: trunk.sid, networks }, 'networks of a trunk are wider than any carrier: calls from there are not taken for its calls, name those of the carrier');
  }
  const demoUrls: string[] = [];
  const listening = { url: 'http://localhost' };
  const overload = new Overload(config.maxCalls);
  const sip = createSipUserAgent({ door: { strangerRatePerS: strangerRateOf(config), isTrusted: trustedSources(trunks) }, admit: () => (overload.refusal(voice.calls.liveCount) ? OVERLOADED : null), bindAddress: sipAddressesOf(config).bind, port: config.sipPort, addressFor: own.sip, product: `Partyline/${version()}`, digestAlgorithms: config.sipDigest, natKeepAliveMs: config.sipNatKeepAliveS * 1000, sessionIntervalS: config.sipSessionS, ...sipTlsOf(config) }, { clock, log: log.child({ part: 'sip' }) });
  closers.set('sip', () => sip.stop());

  const voice = createVoice({
    clock,
    log: log.child({ part: 'voice' }),
    sip,
    media,
    rooms: createRoomConnector({ rooms, attributes: config.phoneAttributes, clock, log: log.child({ part: 'bridge' }) }),
    calls: store.calls,
    recordingRepository: store.recordings,
    directory: store.directory,
    conferenceRepository: store.conferences,
    queueRepository: store.queues,
    sipDirectory: store.sip,
    trunks,
    config: {
      publicAddress: own.sip(''),
      mediaAddressFor: own.media,
      phoneNetworks: phoneNetworksOf(config),
      phoneCodecs: config.phoneCodecs,
      phoneSrtp: config.phoneSrtp,
      localHosts: localHostsOf(config),
      isOwnSip: isOwnSip(config, () => sip.ports),
      strangers: strangersOf(config),
      outbound: outboundPolicyOf(config),
      carrier: config.carrier,
      transfers: config.sipTransfers,
      ...(config.callsPerSecond === null ? {} : { callsPerSecond: config.callsPerSecond }),
      dataDir: config.dataDir,
      speech: { command: 'espeak-ng', recognizer: config.speechRecognizer },
      httpOrigin: () => config.publicUrl?.replace(/\/+$/, '') ?? listening.url,
      webhooks: { privateNetworks: privateNetworksOf(config), ownAddresses: ownAddressesOf(config), ownUrls: () => demoUrls },
    },
  });
  closers.set('calls', async () => {
    await Promise.all([voice.carriers.stop(), voice.calls.stop(DRAIN_MS)]);
  });
  closers.set('voice', () => voice.stop(DRAIN_MS));
  voice.leftoversEnded(leftovers);
  await roomRecordings.closeLeftovers();
  await store.transcriptions.closeStarted(clock.wallMs());
  const transcriptions = createRoomTranscriptions({
    clock,
    log: log.child({ part: 'transcription' }),
    rooms,
    repository: store.transcriptions,
    recognizer: config.speechRecognizer === null ? null : createCommandRecognizer({ command: config.speechRecognizer, folder: join(config.dataDir, 'heard-in-rooms') }, { log: log.child({ part: 'transcription' }) }),
  });
  closers.set('transcriptions', () => Promise.resolve(transcriptions.stop()));
  await sip.start();
  const saveRegistrations = keepRegistrations(sip, join(config.dataDir, 'registrations.json'), { clock, log: log.child({ part: 'sip' }) });
  closers.set('sip', () => {
    saveRegistrations();
    return sip.stop();
  });
  voice.carriers.start();

  let ready = false;
  const app = createApi({
    log: log.child({ part: 'api' }),
    clock,
    calls: voice.calls,
    callerIds: voice.callerIds,
    callRepository: store.calls,
    voiceRecordings: { recordings: voice.recordings, recordingMedia: voice.recordingMedia, callRecordings: voice.callRecordings, recordingRepository: store.recordings, publicRecordings: config.publicRecordings },
    directory: store.directory,
    sip: store.sip,
    trunks,
    explainer: voice.explainer,
    sipDomainSuffix: config.sipDomainSuffix,
    gatherings: voice.gatherings,
    conferenceRepository: store.conferences,
    rooms,
    roomRepository: store.rooms,
    roomRecordings: { recordings: roomRecordings, repository: store.roomRecordings },
    transcriptions: { service: transcriptions, repository: store.transcriptions },
    compositions,
    compositionHooks: createCompositionHooks({ repository: store.compositions, wallMs: () => clock.wallMs() }),
    compositionRepository: store.compositions,
    publicUrl: () => config.publicUrl,
    ready: () => ready,
  });
  closers.set('api', () => app.close());
  if (config.demo) {
    registerDemo(app, {
      clock,
      rooms,
      consoleDir: fileURLToPath(new URL('./console', import.meta.url)),
      info: () => ({ room: DEMO_ROOM, number: config.demoNumber, sipUri: demoUri(config, sip.ports.udp), accountSid: credentials.accountSid, version: version() }),
      makeToken: (identity, room) => makeAccessToken({ ...credentials, identity, ...(room ? { room } : {}) }),
    });
  }
  const loopWatch = watchEventLoop(overload, { clock, changed: (late, delayMs) => log.warn({ delayMs: Math.round(delayMs) }, late ? 'the server is late: new calls are answered with 503' : 'the server is in time again: new calls are taken') });
  const mediaWatch = watchMedia(overload, { clock, workers: () => media.cpuUsage(), changed: (late, delayMs) => log.warn({ delayMs: Math.round(delayMs) }, late ? 'a media worker is late: new calls are answered with 503' : 'media workers are in time again: new calls are taken') });
  closers.set('load', () => {
    loopWatch.stop();
    mediaWatch.stop();
  });
  const metrics = createMetrics({ sipOpen: () => ({ ...sip.counts() }), sipRefused: () => ({ ...sip.refusedAtDoor, ...overload.refused }), calls: () => voice.calls.liveCount, carriers: () => voice.carriers.counts(), rooms: () => rooms.all().length, participants: () => participantsOf(rooms), workers: () => media.cpuUsage() });
  if (config.metricsPort !== null) {
    const server = await serveMetrics(metrics, { address: config.bindAddress, port: config.metricsPort }, { log });
    closers.set('metrics', () => server.close());
  }
  const clientAddress = clientAddresses(config.trustedProxies);
  const signaling = createSignaling({ clientAddress, clock, log: log.child({ part: 'signaling' }), rooms, keys: tokenKeys(store), iceServers: iceServers(config.turnUrls, turnAccessOf(config)), browserReported: metrics.browserReported });
  closers.set('lobby', () => signaling.drain());
  closers.set('signaling', () => signaling.stop());
  app.server.on('upgrade', (request, socket, head) => {
    if (signaling.handleUpgrade(request, socket, head)) return;
    if (request.url?.split('?')[0] !== '/sip' || !sip.handleUpgrade(request, socket, head, clientAddress(request))) refuseUpgrade(socket, '404 Not Found');
  });

  // Before anybody can ask for new ones: it takes all it finds unfinished for left by an earlier run.
  await compositions.resume(roomsLeft);
  const httpUrl = await listen(app, config);
  listening.url = httpUrl;
  await voice.recordings.closeLeftovers();
  void voice.recordingMedia.selfCheck();
  if (config.demo) {
    demoUrls.push(`${httpUrl}/demo/voice`);
    await seedDemoNumber(store, config, { accountSid: credentials.accountSid, httpUrl, nowMs: clock.wallMs() });
  }
  ready = true;
  const leave = async (): Promise<void> => {
    ready = false;
    await stop();
  };
  return { httpUrl, sipPort: sip.ports.udp, sipTlsPort: sip.ports.tls, credentials, media, reload: describeTrunks, stop: leave };
}

function wantedPorts(config: Config): Parameters<typeof checkPorts>[0] {
  const sip = (protocol: 'udp' | 'tcp', named: { setting: string; port: number }) => sipAddressesOf(config).bind.map((address) => ({ ...named, protocol, address }));
  const onPort = { setting: 'PARTYLINE_SIP_PORT', port: config.sipPort };
  const media = mediaBinding(config).bindAddress;
  return [
    { setting: 'PARTYLINE_HTTP_PORT', protocol: 'tcp', address: config.bindAddress, port: config.httpPort },
    ...sip('udp', onPort),
    ...sip('tcp', onPort),
    ...(config.sipTlsCert.length > 0 ? sip('tcp', { setting: 'PARTYLINE_SIP_TLS_PORT', port: config.sipTlsPort }) : []),
    ...Array.from({ length: config.mediaWorkers }, (_, n) => ({ setting: 'PARTYLINE_WEBRTC_PORT', protocol: 'udp' as const, address: media, port: config.webrtcPort === 0 ? 0 : config.webrtcPort + n })),
  ];
}

function participantsOf(rooms: Rooms): { browser: number; phone: number } {
  const count = { browser: 0, phone: 0 };
  for (const room of rooms.all()) for (const { medium } of room.participants.values()) count[medium]++;
  return count;
}

function sipTlsOf(config: Config): Pick<SipUserAgentOptions, 'tls'> {
  const { sipTlsCert, sipTlsKey, sipTlsCa } = config;
  const certificates = sipTlsCert.map((certFile, n) => ({ certFile, keyFile: sipTlsKey[n] ?? '' }));
  const common = { certificates, verifyServers: config.sipTlsVerify, requireClientCertificate: config.sipTlsClients === 'verified', ...(sipTlsCa !== null && { caFile: sipTlsCa }) };
  return { tls: { ...common, ...(certificates.length > 0 && { port: config.sipTlsPort }) } };
}

/** The account and its first key, as the configuration and the credentials file have them. */
async function seedDirectory(store: Store, config: Config, credentials: Credentials): Promise<void> {
  const nowMs = clock.wallMs();
  const account = store.directory.account(credentials.accountSid);
  await store.directory.saveAccount({
    ...(account ?? { sid: credentials.accountSid, friendlyName: 'Partyline', status: 'active', ownerAccountSid: credentials.accountSid, roomStatusCallback: null, createdAtMs: nowMs }),
    authToken: credentials.authToken,
    clientRoomCreation: config.clientRoomCreation,
    updatedAtMs: nowMs,
  });
  const key = store.directory.key(credentials.apiKeySid);
  await store.directory.saveKey({
    ...(key ?? { sid: credentials.apiKeySid, friendlyName: 'First key', createdAtMs: nowMs }),
    accountSid: credentials.accountSid,
    secret: credentials.apiKeySecret,
    updatedAtMs: nowMs,
  });
}

function tokenKeys(store: Store): TokenKeys {
  return {
    secretOf: (keySid) => {
      const key = store.directory.key(keySid);
      return key ? { accountSid: key.accountSid, secret: key.secret } : null;
    },
    accountActive: (sid) => store.directory.account(sid)?.status === 'active',
  };
}

async function listen(app: ReturnType<typeof createApi>, config: Config): Promise<string> {
  try {
    await app.listen({ host: config.bindAddress, port: config.httpPort });
  } catch (error) {
    throw new StartupError(`TCP port ${config.httpPort} on ${config.bindAddress} cannot be opened (${messageOf(error)}): see PARTYLINE_HTTP_PORT`);
  }
  const address = app.server.address();
  const port = address !== null && typeof address === 'object' ? address.port : config.httpPort;
  const reachable = config.bindAddress === '0.0.0.0' || config.bindAddress === '::' ? '127.0.0.1' : config.bindAddress;
  return `http://${bracket(reachable)}:${port}`;
}

function trunksOfFile({ trunksFile }: Config, about: { accountSid: AccountSid; nowMs: number }): DescribedTrunk[] {
  if (trunksFile === null) return [];
  let content: string;
  try {
    content = readFileSync(trunksFile, 'utf8');
  } catch (error) {
    throw new StartupError(`PARTYLINE_TRUNKS_FILE cannot be read: ${messageOf(error)}`);
  }
  return readTrunks(content, about);
}

function version(): string {
  const file = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return file.version;
}

function once(fn: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  return () => (running ??= fn());
}

/** `partyline serve`: runs until SIGINT or SIGTERM. Settles the exit code itself. */
export async function serve(argv: string[]): Promise<void> {
  if (argv.includes('--help')) return void process.stdout.write(`partyline serve [options]\n\n${describeSettings()}\n`);
  let config: Config;
  let server: RunningServer;
  let log: Log;
  try {
    config = readConfig(argv, process.env);
    log = createLog(config.logLevel);
    setListenerErrorSink((event, error) => log.error({ event, error: error instanceof Error ? error.stack : String(error) }, 'a listener threw'));
    process.on('unhandledRejection', (error) => log.error({ error: error instanceof Error ? error.stack : String(error) }, 'a promise was left rejected'));
    server = await startServer(config, log);
  } catch (error) {
    process.stderr.write(`partyline: ${error instanceof StartupError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  }
  const selfTest = await runSelfTest(config, { ports: { udp: server.sipPort, tcp: server.sipPort, tls: server.sipTlsPort }, clock });
  process.stdout.write(printable(banner(config, server, { version: version(), selfTest: selfTestLines(selfTest) }), { lines: true }));
  const leave = (): void => {
    clock.after(10_000, () => process.exit(1));
    void server.stop().then(() => process.exit(0));
  };
  // Without a file to read again it ends the server, as a terminal that closes wants it.
  if (config.trunksFile !== null) process.on('SIGHUP', () => {
    try {
      server.reload();
      log.info({}, 'the trunks file was read again');
    } catch (error) {
      log.error({ error: messageOf(error) }, 'the trunks file was read again and is not good: the trunks stay as they were');
    }
  });
  process.once('SIGINT', leave);
  process.once('SIGTERM', leave);
}
