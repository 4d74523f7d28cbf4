import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { RoomSid, TrackSid } from '../../base/sid.ts';
import { VoiceWatch } from '../detect/voice-watch.ts';
import type { RequestBody, RequestResult, WorkerEvent, WorkerHandlers, WorkerSettings } from '../ipc.ts';
import type { MixTap } from '../mix/room-mixer.ts';
import { Ticker } from '../mix/ticker.ts';
import { ClipSource, silenceSource, ToneSource, type PcmSource } from '../play/pcm-source.ts';
import { ringbackClip } from '../play/ringback.ts';
import { PromptStore } from '../play/prompt-store.ts';
import { MediaError, type PhoneRemote, type PlayOutcome, type PromptSource, type RoomVoice } from '../protocol.ts';
import { Listenings } from '../record/listenings.ts';
import { Recordings } from '../record/recordings.ts';
import { TrackRecordings } from '../record-track/track-recordings.ts';
import { StreamFloor } from '../stream/stream-floor.ts';
import { PhoneTransport } from '../transport/phone-transport.ts';
import type { PhoneTap } from '../transport/phone-taps.ts';
import { PipeTransport } from '../transport/pipe-transport.ts';
import { PortPool } from '../transport/port-pool.ts';
import { createBrowserTransport, type BrowserTransport } from './browser-port.ts';
import { MediaRoom } from './media-room.ts';
import { PhoneKeys } from './phone-keys.ts';

/** What a recording begins with. */
const BEEP = { frequencyHz: 1000, durationMs: 250, levelDbov: -15 };

interface PhoneEntry {
  phone: PhoneTransport;
  keys: PhoneKeys;
  isPipeEnd: boolean;
  room: MediaRoom | null;
  pipe: PipeTransport | null;
  watch: VoiceWatch | null;
  /** The latest `play`; an older one that is still loading its file has been stopped by it. */
  playId: number;
}

interface BrowserEntry {
  transport: BrowserTransport;
  roomSid: RoomSid;
}

/** Everything one worker holds, and what it does on each request. Closing a room closes its browsers; phones outlive it. */
export class MediaFloor {
  readonly #settings: WorkerSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #emit: (event: WorkerEvent) => void;
  readonly #ticker: Ticker;
  readonly #ports: PortPool;
  readonly #prompts = new PromptStore();
  readonly #phones = new Map<string, PhoneEntry>();
  readonly #rooms = new Map<RoomSid, MediaRoom>();
  readonly #browsers = new Map<string, BrowserEntry>();
  readonly #recordings: Recordings;
  readonly #trackRecordings: TrackRecordings;
  readonly #listenings: Listenings;
  readonly #streams: StreamFloor;
  /** Prompts of rooms that are still being read, by the control side's number, which is unique in this worker. */
  readonly #loading = new Set<number>();

  constructor(settings: WorkerSettings, deps: { clock: Clock; log: Log; emit: (event: WorkerEvent) => void }) {
    this.#settings = settings;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#emit = deps.emit;
    this.#recordings = new Recordings(deps);
    this.#trackRecordings = new TrackRecordings(deps);
    this.#listenings = new Listenings(deps);
    this.#streams = new StreamFloor(deps);
    this.#ticker = new Ticker(deps.clock, deps.log);
    this.#ports = new PortPool(settings.rtpPorts);
  }

  /** Of its steps, since the start. */
  get lateness(): { readonly steps: number; readonly lateMs: number } {
    return this.#ticker.lateness;
  }

  /** All requests but `configure` and `cpuUsage`, which are the process's own. */
  readonly handlers: Omit<WorkerHandlers, 'configure' | 'cpuUsage'> = {
    createPhone: ({ phoneId }) => this.#createPhone(phoneId, false),
    createPipeEnd: ({ phoneId }) => this.#createPhone(phoneId, true),
    connectPhone: ({ phoneId, remote }) => done(this.#connectPhone(this.#phone(phoneId), remote)),
    keySignaled: ({ phoneId, digit, heldMs }) => done(this.#phone(phoneId).keys.received(digit, 'signaling', heldMs)),
    play: (body) => this.#play(body),
    stopPlay: ({ phoneId, playId }) => done(this.#stopPlay(phoneId, playId)),
    sendDigits: async ({ phoneId, digits }) => done(await this.#phone(phoneId).keys.send(digits)),
    joinRoom: (body) => done(this.#joinRoom(body)),
    setRoomVoice: ({ phoneId, voice }) => done(this.#setRoomVoice(this.#phone(phoneId), voice)),
    leaveRoom: ({ phoneId }) => done(this.#leaveRoom(this.#phone(phoneId))),
    phoneStats: ({ phoneId }) => this.#phone(phoneId).phone.stats(),
    closePhone: ({ phoneId }) => done(this.#closePhone(phoneId)),
    openPipe: ({ phoneId }) => this.#openPipe(phoneId),
    connectPipe: ({ phoneId, port }) => done(this.#phone(phoneId).pipe?.connect(port)),
    closePipe: ({ phoneId }) => done(this.#closePipe(this.#phone(phoneId))),
    createRoom: ({ roomSid }) => done(this.#createRoom(roomSid)),
    closeRoom: ({ roomSid }) => done(this.#closeRoom(roomSid)),
    playRoom: (body) => this.#playRoom(body),
    stopRoomPlay: ({ roomSid, playId }) => done(this.#stopRoomPlay(roomSid, playId)),
    watchVoice: ({ phoneId, on }) => done(this.#watchVoice(phoneId, on)),
    record: async (body) => done(await this.#record(body)),
    recordRoom: async (body) => done(await this.#recordRoom(body)),
    pauseRecording: ({ recordingId, mode }) => done(this.#recordings.pause(recordingId, mode)),
    resumeRecording: ({ recordingId }) => done(this.#recordings.resume(recordingId)),
    openStream: ({ phoneId, options }) => done(this.#streams.open(phoneId, this.#phone(phoneId).phone, options)),
    stopStream: ({ phoneId, streamSid }) => done(this.#streams.stop(phoneId, streamSid)),
    stopRecording: ({ recordingId }) => this.#recordings.stop(recordingId),
    recordTrack: async (body) => done(await this.#recordTrack(body)),
    stopTrackRecording: ({ recordingId }) => this.#trackRecordings.stop(recordingId),
    listen: (body) => done(this.#listenings.start(this.#room(body.roomSid), body)),
    stopListening: async ({ listeningId }) => done(await this.#listenings.stop(listeningId)),
    createBrowser: (body) => this.#createBrowser(body),
    restartIce: ({ browserId, remote }) => this.#browser(browserId).restartIce(remote),
    setReceiveTracks: ({ browserId, tracks }) => done(this.#browser(browserId).setReceiveTracks(tracks)),
    setSendTracks: ({ browserId, tracks }) => done(this.#browser(browserId).setSendTracks(tracks)),
    setDataTracks: ({ browserId, tracks }) => done(this.#browser(browserId).setDataTracks(tracks)),
    openChannel: ({ browserId, label }) => done(this.#browser(browserId).openChannel(label)),
    sendOnChannel: ({ browserId, label, text }) => done(this.#browser(browserId).sendOnChannel(label, text)),
    showState: ({ browserId, label, text }) => done(this.#browser(browserId).showState(label, text)),
    setVideoPolicy: ({ browserId, policy }) => done(this.#browser(browserId).setVideoPolicy(policy)),
    browserQuality: ({ browserId }) => this.#browser(browserId).quality(),
    browserStats: ({ browserId }) => this.#browser(browserId).stats(),
    closeBrowser: ({ browserId }) => done(this.#closeBrowser(browserId)),
  };

  /** Says BYE to phones and closes everything; resolves when all recordings are complete. */
  async close(): Promise<void> {
    const recorded = Promise.all([this.#recordings.close(), this.#trackRecordings.close()]);
    for (const id of [...this.#phones.keys()]) this.#closePhone(id);
    for (const roomSid of [...this.#rooms.keys()]) this.#closeRoom(roomSid);
    this.#ticker.stop();
    this.#prompts.close();
    await recorded;
  }

  // ------------------------------------------------------------------------------------------------------- phones

  async #createPhone(phoneId: string, isPipeEnd: boolean): Promise<RequestResult<'createPhone'>> {
    if (this.#phones.has(phoneId)) throw new MediaError('bad-request', `phone ${phoneId} exists already`);
    const keys = new PhoneKeys({
      clock: this.#clock,
      told: (digit) => {
        this.#streams.digitReceived(phoneId, digit);
        this.#emit({ type: 'digitReceived', phoneId, digit });
      },
    });
    const phone = await PhoneTransport.open({
      id: phoneId,
      bindAddress: isPipeEnd ? '127.0.0.1' : this.#settings.bindAddress,
      ports: this.#ports,
      mediaTimeoutMs: isPipeEnd ? 0 : this.#settings.mediaTimeoutMs,
      clock: this.#clock,
      log: this.#log,
      identity: isPipeEnd ? undefined : this.#settings.dtlsIdentity,
      events: {
        digitReceived: (digit) => keys.received(digit, 'event'),
        firstPacketReceived: () => isPipeEnd || this.#emit({ type: 'firstPacketReceived', phoneId }),
        mediaTimedOut: () => this.#emit({ type: 'mediaTimedOut', phoneId }),
        securityFailed: (why) => this.#emit({ type: 'securityFailed', phoneId, why }),
      },
    });
    keys.opened(phone);
    this.#phones.set(phoneId, { phone, keys, isPipeEnd, room: null, pipe: null, watch: null, playId: 0 });
    this.#ticker.add(phone.idle);
    return { localPort: phone.localPort };
  }

  #connectPhone({ phone, keys, isPipeEnd }: PhoneEntry, remote: PhoneRemote): void {
    phone.connect(remote);
    // At the end of a pipe the phone itself listens already.
    if (!isPipeEnd) keys.negotiated(remote);
  }

  #phone(phoneId: string): PhoneEntry {
    const entry = this.#phones.get(phoneId);
    if (!entry) throw new MediaError('closed', `phone ${phoneId} is closed`);
    return entry;
  }

  #closePhone(phoneId: string): void {
    const entry = this.#phones.get(phoneId);
    if (!entry) return;
    this.#phones.delete(phoneId);
    this.#streams.phoneClosed(phoneId);
    this.#leaveRoom(entry);
    this.#closePipe(entry);
    this.#ticker.remove(entry.phone.idle);
    entry.phone.close();
  }

  async #play(body: RequestBody<'play'>): Promise<PlayOutcome> {
    const entry = this.#phone(body.phoneId);
    entry.playId = body.playId;
    entry.phone.stopPlaying();
    const source = await this.#promptSource(body.source, body.loops);
    if (entry.playId !== body.playId || !this.#phones.has(body.phoneId)) return 'stopped';
    return entry.phone.play(source);
  }

  async #promptSource(source: PromptSource, loops: number): Promise<PcmSource> {
    if (source.kind === 'tone') return new ToneSource(source, loops);
    if (source.kind === 'silence') return silenceSource(source.durationMs, loops);
    if (source.kind === 'ringback') return new ClipSource(ringbackClip(), loops);
    if (source.kind === 'beep') return new ToneSource(BEEP, loops);
    return new ClipSource(await this.#prompts.load(source.path, source.contentType), loops);
  }

  #stopPlay(phoneId: string, playId: number): void {
    const entry = this.#phones.get(phoneId);
    if (!entry || entry.playId !== playId) return;
    entry.playId = 0;
    entry.phone.stopPlaying();
  }

  #joinRoom(body: RequestBody<'joinRoom'>): void {
    const entry = this.#phone(body.phoneId);
    const room = this.#room(body.roomSid);
    this.#leaveRoom(entry);
    this.#closePipe(entry);
    entry.room = room;
    room.addPhone(entry.phone, body);
  }

  #setRoomVoice(entry: PhoneEntry, voice: RoomVoice): void {
    entry.room?.setVoice(entry.phone, voice);
  }

  #leaveRoom(entry: PhoneEntry): void {
    entry.room?.removePhone(entry.phone);
    entry.room = null;
  }

  async #openPipe(phoneId: string): Promise<RequestResult<'openPipe'>> {
    const entry = this.#phone(phoneId);
    this.#leaveRoom(entry);
    this.#closePipe(entry);
    const pipe = await PipeTransport.open(entry.phone, this.#clock);
    entry.pipe = pipe;
    entry.phone.enterPipe(pipe);
    return { localPort: pipe.localPort };
  }

  #closePipe(entry: PhoneEntry): void {
    entry.pipe?.close();
    entry.pipe = null;
  }

  /** Turned on again it begins anew. */
  #watchVoice(phoneId: string, on: boolean): void {
    const entry = this.#phone(phoneId);
    if (entry.watch) entry.phone.removeTap(entry.watch);
    entry.watch = null;
    if (!on) return;
    entry.watch = new VoiceWatch({
      voiceChanged: (speaking) => this.#emit({ type: 'voiceChanged', phoneId, speaking }),
      beepHeard: () => this.#emit({ type: 'beepHeard', phoneId }),
    });
    entry.phone.addTap(entry.watch);
  }

  #record({ phoneId, recordingId, options }: RequestBody<'record'>): Promise<void> {
    const entry = this.#phone(phoneId);
    const { phone } = entry;
    return this.#recordings.start(recordingId, options, (recording) => {
      if (this.#phones.get(phoneId) !== entry) return null;
      const tap: PhoneTap = {
        frame: (inbound, outbound) => recording.frame(inbound, outbound),
        phoneClosed: () => void recording.end('phone-closed'),
      };
      phone.addTap(tap);
      return () => phone.removeTap(tap);
    });
  }

  #recordRoom({ roomSid, recordingId, options }: RequestBody<'recordRoom'>): Promise<void> {
    const room = this.#room(roomSid);
    return this.#recordings.start(recordingId, options, (recording) => {
      if (this.#rooms.get(roomSid) !== room) return null;
      const tap: MixTap = {
        frame: (mix) => recording.frame(mix, mix),
        roomClosed: () => void recording.end('phone-closed'),
      };
      room.addTap(tap);
      return () => room.removeTap(tap);
    });
  }

  // ------------------------------------------------------------------------------------------------ rooms, browsers

  #room(roomSid: RoomSid): MediaRoom {
    const room = this.#rooms.get(roomSid);
    if (!room) throw new MediaError('closed', `room ${roomSid} is closed`);
    return room;
  }

  #createRoom(roomSid: RoomSid): void {
    if (this.#rooms.has(roomSid)) return;
    const activeSpeakerChanged = (trackSid: TrackSid | null): void =>
      this.#emit({ type: 'activeSpeakerChanged', roomSid, trackSid });
    this.#rooms.set(roomSid, new MediaRoom({ roomSid, ticker: this.#ticker, activeSpeakerChanged }));
  }

  async #playRoom(body: RequestBody<'playRoom'>): Promise<PlayOutcome> {
    const { roomSid, playId } = body;
    const room = this.#room(roomSid);
    this.#loading.add(playId);
    const source = await this.#promptSource(body.source, body.loops).catch((error: unknown) => {
      this.#loading.delete(playId);
      throw error;
    });
    const wanted = this.#loading.delete(playId);
    return wanted && this.#rooms.get(roomSid) === room ? room.play(playId, source) : 'stopped';
  }

  #stopRoomPlay(roomSid: RoomSid, playId: number): void {
    if (!this.#loading.delete(playId)) this.#rooms.get(roomSid)?.stopPlay(playId);
  }

  #recordTrack({ roomSid, trackSid, recordingId, options }: RequestBody<'recordTrack'>): Promise<void> {
    const room = this.#room(roomSid);
    return this.#trackRecordings.start(recordingId, { room, trackSid, options, isOpen: () => this.#rooms.get(roomSid) === room });
  }

  #closeRoom(roomSid: RoomSid): void {
    const room = this.#rooms.get(roomSid);
    if (!room) return;
    this.#rooms.delete(roomSid);
    this.#trackRecordings.roomClosed(room);
    for (const [browserId, browser] of [...this.#browsers]) if (browser.roomSid === roomSid) this.#closeBrowser(browserId);
    for (const entry of this.#phones.values()) if (entry.room === room) this.#leaveRoom(entry);
    room.close();
  }

  async #createBrowser(body: RequestBody<'createBrowser'>): Promise<RequestResult<'createBrowser'>> {
    const { browserId, roomSid, remote } = body;
    const registry = this.#room(roomSid);
    const transport = await createBrowserTransport({
      id: browserId,
      remote,
      registry,
      data: registry.data,
      settings: this.#settings,
      clock: this.#clock,
      log: this.#log,
      events: {
        connected: () => this.#emit({ type: 'browserConnected', browserId }),
        failed: () => this.#emit({ type: 'browserFailed', browserId }),
        videoSwitched: (off, on) => this.#emit({ type: 'videoSwitched', browserId, off, on }),
        layersWanted: (demand) => this.#emit({ type: 'layersWanted', roomSid, demand }),
        channelMessage: (label, text) => this.#emit({ type: 'channelMessage', browserId, label, text }),
      },
    });
    if (this.#rooms.get(roomSid) !== registry) {
      transport.close();
      throw new MediaError('closed', `room ${roomSid} closed meanwhile`);
    }
    this.#browsers.set(browserId, { transport, roomSid });
    return transport.local;
  }

  #browser(browserId: string): BrowserTransport {
    const entry = this.#browsers.get(browserId);
    if (!entry) throw new MediaError('closed', `browser ${browserId} is closed`);
    return entry.transport;
  }

  #closeBrowser(browserId: string): void {
    const entry = this.#browsers.get(browserId);
    if (!entry) return;
    this.#browsers.delete(browserId);
    entry.transport.close();
  }
}

/** The answer of requests that have none. */
function done(_nothing: void): null {
  return null;
}
