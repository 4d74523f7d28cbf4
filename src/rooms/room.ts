import { randomBytes } from 'node:crypto';
import type { Clock, Timer } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { TwilioError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { newSid, type AccountSid, type ParticipantSid, type RoomSid } from '../base/sid.ts';
import type { MediaPlane, RoomMedia } from '../media/protocol.ts';
import type { JoinOptions, Participant, RecordingCallbackEvent, Room, RoomEvents, TranscriptionSource } from './contract.ts';
import type { LeaveReason, RoomCallbackSender, RoomEndReason, RoomRecord, RoomRepository } from './model.ts';
import { checkIdentity } from './participant-checks.ts';
import { LiveParticipant, type ParticipantOwner } from './participant.ts';
import { LiveRecordingState } from './recording-state.ts';
import { RoomCallbacks } from './room-callbacks.ts';

const MAX_LIFE_MS = 24 * 3_600_000;
/** Phones a room, inside MaxParticipants (contract §3.3). */
const MAX_PHONES = 35;
/** An ad-hoc room whose maker never arrived. Twilio names no time; nothing may stay for ever. */
const AD_HOC_UNUSED_MS = 60_000;

export interface RoomDeps {
  clock: Clock;
  log: Log;
  media: MediaPlane;
  repository: RoomRepository;
  callbacks: RoomCallbackSender;
  /** The room is over: forget it. Called before its participants hear of it, so that its name is free at once. */
  forget: (room: LiveRoom) => void;
}

/** One room in progress (contract §7.1). Time-outs, limits and who is in it; media and signaling belong to others. */
export class LiveRoom extends Emitter<RoomEvents> implements Room {
  readonly recording: LiveRecordingState;
  readonly #deps: RoomDeps;
  readonly #callbacks: RoomCallbacks;
  readonly #participants = new Map<ParticipantSid, LiveParticipant>();
  readonly #stayTimers = new Map<ParticipantSid, Timer>();
  readonly #owner: ParticipantOwner;
  readonly #lifeTimer: Timer;
  #record: RoomRecord;
  #idleTimer: Timer | null = null;
  #media: Promise<RoomMedia> | null = null;
  #mediaClosed: Promise<void> = Promise.resolve();
  #stopTranscriptions: () => void = () => {};

  constructor(record: RoomRecord, deps: RoomDeps) {
    super();
    this.#record = record;
    this.#deps = deps;
    this.#callbacks = new RoomCallbacks(() => this.#record, deps);
    this.#owner = this.#ownerOfParticipants();
    this.recording = this.#recordingState();
    this.#lifeTimer = deps.clock.after(MAX_LIFE_MS, () => this.end('max-duration'));
    this.#endWhenIdle(record.adHoc ? AD_HOC_UNUSED_MS : record.unusedRoomTimeoutMin * 60_000, 'unused');
    deps.repository.saveRoom(record);
    this.#callbacks.send('room-created');
  }

  get sid(): RoomSid {
    return this.#record.sid;
  }
  get accountSid(): AccountSid {
    return this.#record.accountSid;
  }
  get uniqueName(): string {
    return this.#record.uniqueName;
  }
  get record(): Readonly<RoomRecord> {
    return this.#record;
  }
  get ended(): boolean {
    return this.#record.status !== 'in-progress';
  }
  get participants(): ReadonlyMap<ParticipantSid, Participant> {
    return this.#participants;
  }

  participantByIdentity(identity: string): LiveParticipant | null {
    for (const participant of this.#participants.values()) if (participant.identity === identity) return participant;
    return null;
  }

  media(): Promise<RoomMedia> {
    if (this.ended) return Promise.reject(new TwilioError(53118, 'The room is completed'));
    this.#media ??= this.#openMedia();
    return this.#media;
  }

  async #openMedia(): Promise<RoomMedia> {
    try {
      const media = await this.#deps.media.createRoom({ roomSid: this.sid });
      media.on('lost', () => this.end('media-lost'));
      return media;
    } catch (error) {
      this.#media = null;
      this.#deps.log.error({ roomSid: this.sid, error: messageOf(error) }, 'the media of a room could not be opened');
      throw error;
    }
  }

  #recordingState(): LiveRecordingState {
    const nowMs = (): number => this.#deps.clock.wallMs();
    return new LiveRecordingState({
      stored: () => this.#record.recordingRules,
      recordsOnConnect: () => this.#record.recordParticipantsOnConnect,
      save: (recordingRules) => {
        this.#record = { ...this.#record, recordingRules, updatedAtMs: nowMs() };
        this.#deps.repository.saveRoom(this.#record);
      },
      nowMs,
    });
  }

  tellRecording(event: RecordingCallbackEvent, parameters: [name: string, value: string][]): void {
    this.#callbacks.send(event, { parameters });
  }

  join(options: JoinOptions): Participant {
    if (this.ended) throw new TwilioError(53118, 'The room is completed');
    const identity = options.identity ?? this.#freeIdentity();
    checkIdentity(identity);
    const displaced = this.participantByIdentity(identity);
    if (options.medium === 'phone') this.#checkPhone(displaced);
    if (this.#participants.size - (displaced ? 1 : 0) >= this.#record.maxParticipants) {
      throw new TwilioError(53105, `The room is full: it takes ${this.#record.maxParticipants} participants`);
    }
    // The room must not take itself for empty between the two.
    this.#cancelIdle();
    displaced?.disconnect('duplicate-identity');
    return this.#admit(identity, options);
  }

  #checkPhone(displaced: LiveParticipant | null): void {
    const { type } = this.#record;
    if (type === 'peer-to-peer' || type === 'go') throw new TwilioError(53108, `Phones cannot join rooms of type ${type}`);
    let phones = displaced?.medium === 'phone' ? -1 : 0;
    for (const participant of this.#participants.values()) if (participant.medium === 'phone') phones++;
    if (phones >= MAX_PHONES) throw new TwilioError(53105, `The room has its ${MAX_PHONES} phones already`, { details: { phoneLimit: true } });
  }

  #freeIdentity(): string {
    for (;;) {
      const identity = randomBytes(16).toString('hex');
      if (!this.participantByIdentity(identity)) return identity;
    }
  }

  #admit(identity: string, { medium, call }: JoinOptions): LiveParticipant {
    const nowMs = this.#deps.clock.wallMs();
    const participant = new LiveParticipant(
      {
        sid: newSid('PA'),
        roomSid: this.sid,
        accountSid: this.accountSid,
        identity,
        status: 'connected',
        medium,
        createdAtMs: nowMs,
        updatedAtMs: nowMs,
        startedAtMs: nowMs,
        endedAtMs: null,
        leaveReason: null,
        subscribeRules: null,
        call: call ?? null,
      },
      this.#owner,
    );
    this.#participants.set(participant.sid, participant);
    this.#stayTimers.set(
      participant.sid,
      this.#deps.clock.after(this.#record.maxParticipantDurationS * 1000, () => participant.disconnect('participant-duration')),
    );
    this.#deps.repository.saveParticipant(participant.record);
    this.#callbacks.send('participant-connected', { participant: participant.record });
    this.emit('participantConnected', participant);
    return participant;
  }

  setTranscriptionSource(source: TranscriptionSource | null): void {
    this.#stopTranscriptions();
    this.#stopTranscriptions = () => {};
    if (!source) return;
    if (this.ended) return source.stop();
    const unlisten = source.on('transcribed', (transcription) => this.emit('transcribed', transcription));
    this.#stopTranscriptions = () => {
      unlisten();
      source.stop();
    };
  }

  end(reason: RoomEndReason): void {
    if (this.ended) return;
    const nowMs = this.#deps.clock.wallMs();
    this.#record = { ...this.#record, status: 'completed', updatedAtMs: nowMs, endedAtMs: nowMs, endReason: reason };
    this.#deps.repository.saveRoom(this.#record);
    this.#deps.forget(this);
    this.#lifeTimer.cancel();
    this.#cancelIdle();
    for (const participant of [...this.#participants.values()]) participant.disconnect(leaveReasonOf(reason));
    this.#callbacks.send('room-ended');
    this.setTranscriptionSource(null);
    this.#mediaClosed = this.#closeMedia();
    this.emit('ended', reason);
    this.removeAllListeners();
  }

  async #closeMedia(): Promise<void> {
    try {
      await (await this.#media)?.close();
    } catch (error) {
      this.#deps.log.warn({ roomSid: this.sid, error: messageOf(error) }, 'the media of an ended room was gone already');
    }
  }

  /** Resolves when an ended room's media is closed too. */
  closed(): Promise<void> {
    return this.#mediaClosed;
  }

  #ownerOfParticipants(): ParticipantOwner {
    const { repository, clock } = this.#deps;
    return {
      room: this,
      nowMs: () => clock.wallMs(),
      published: (participant, track) => {
        repository.saveTrack(track.record);
        this.#callbacks.send('track-added', { participant: participant.record, track: track.record });
        this.emit('trackPublished', participant, track);
      },
      unpublished: (participant, track) => {
        repository.saveTrack(track.record);
        this.#callbacks.send('track-removed', { participant: participant.record, track: track.record });
        this.emit('trackUnpublished', participant, track);
      },
      trackUpdated: (participant, track, change) => {
        repository.saveTrack(track.record);
        if (change.enabled) this.#callbacks.send(track.enabled ? 'track-enabled' : 'track-disabled', { participant: participant.record, track: track.record });
        this.emit('trackUpdated', participant, track);
      },
      reconnecting: (participant, reconnecting) => {
        repository.saveParticipant(participant.record);
        this.emit(reconnecting ? 'participantReconnecting' : 'participantReconnected', participant);
      },
      changed: (participant) => repository.saveParticipant(participant.record),
      left: (participant, reason) => this.#left(participant, reason),
    };
  }

  #left(participant: LiveParticipant, reason: LeaveReason): void {
    this.#participants.delete(participant.sid);
    this.#stayTimers.get(participant.sid)?.cancel();
    this.#stayTimers.delete(participant.sid);
    this.#deps.repository.saveParticipant(participant.record);
    this.#callbacks.send('participant-disconnected', { participant: participant.record });
    this.emit('participantDisconnected', participant, reason);
    // Who displaces somebody is about to come in.
    if (this.#participants.size > 0 || this.ended || reason === 'duplicate-identity') return;
    if (this.#record.adHoc) this.end('empty');
    else this.#endWhenIdle(this.#record.emptyRoomTimeoutMin * 60_000, 'empty');
  }

  #endWhenIdle(delayMs: number, reason: RoomEndReason): void {
    this.#cancelIdle();
    this.#idleTimer = this.#deps.clock.after(delayMs, () => this.end(reason));
  }

  #cancelIdle(): void {
    this.#idleTimer?.cancel();
    this.#idleTimer = null;
  }
}

function leaveReasonOf(reason: RoomEndReason): LeaveReason {
  if (reason === 'media-lost' || reason === 'server-stopped') return reason;
  return 'room-completed';
}
