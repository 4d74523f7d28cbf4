import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { newSid, type CallSid, type TrackSid } from '../../base/sid.ts';
import type { MediaPlane, PromptSource, RoomMedia, RoomVoice } from '../../media/protocol.ts';
import type { CallbackSender } from '../contract.ts';
import type { HoldMusic } from '../hold-music.ts';
import type { HttpMethod } from '../model.ts';
import type { RecordingCallback } from '../recording/model.ts';
import type { LiveRecording, Recordings } from '../recording/recordings.ts';
import type { WaitSound } from '../waiting.ts';
import { ConferenceCallbacks, type ConferenceCallback } from './conference-callbacks.ts';
import { ConferenceState, type ConferenceStep, type JoinRefusal, type LeaveReason, type Member, type MemberChange, type MemberSettings } from './conference-state.ts';
import type { ConferenceRecord, ConferenceRepository } from './model.ts';
import { HEARD_VERBS, Presence, type PresenceOptions } from './presence.ts';
import { RoomSpeaker } from './room-speaker.ts';

export interface ConferenceDeps {
  clock: Clock;
  log: Log;
  media: MediaPlane;
  repository: ConferenceRepository;
  callbacks: CallbackSender;
  music: HoldMusic;
  recordings: Recordings;
}

/** `record-from-start`: how the conference is recorded. */
export interface ConferenceRecording {
  trimSilence: boolean;
  callback: RecordingCallback | null;
}

export interface JoinOptions extends PresenceOptions {
  settings: MemberSettings;
  /** Why it goes when its signal aborts. */
  leaveReason: () => LeaveReason;
  /** Counts for the first who comes. */
  callback: ConferenceCallback | null;
  /** Counts for the first who comes, too. */
  recording: ConferenceRecording | null;
}

export interface ConferenceOptions {
  record: ConferenceRecord;
  /** Somebody is in. */
  joined: (conference: Conference, callSid: CallSid) => void;
  /** Called once, when the conference is over. */
  ended: (conference: Conference) => void;
}

/** How a stay ended; `refused` never began. */
export type StayEnd = { kind: 'refused'; refusal: JoinRefusal } | { kind: 'stayed'; reason: LeaveReason };

const ENTER_BEEP: PromptSource = { kind: 'tone', frequencyHz: 880, durationMs: 200, levelDbov: -22 };
const EXIT_BEEP: PromptSource = { kind: 'tone', frequencyHz: 587, durationMs: 200, levelDbov: -22 };

const LONGEST_RECORDING_MS = 24 * 3_600_000;

/** A live conference: carries out what its machine says, on the media plane, in callbacks and in the database. */
export class Conference {
  readonly record: ConferenceRecord;
  readonly #deps: ConferenceDeps;
  readonly #state = new ConferenceState();
  readonly #callbacks: ConferenceCallbacks;
  readonly #presences = new Map<CallSid, Presence>();
  /** Phones that are on their way out of the room. */
  readonly #leaving = new Set<Promise<unknown>>();
  readonly #memberJoined: ConferenceOptions['joined'];
  readonly #ended: (conference: Conference) => void;
  #room: Promise<RoomMedia> | null = null;
  #speaker: TrackSid | null = null;
  /** Undefined until the first participant has decided. */
  #recordingWanted: ConferenceRecording | null | undefined;
  #recording: Promise<LiveRecording | null> | null = null;

  constructor(deps: ConferenceDeps, { record, joined, ended }: ConferenceOptions) {
    this.record = record;
    this.#deps = deps;
    this.#memberJoined = joined;
    this.#ended = ended;
    this.#callbacks = new ConferenceCallbacks({ sender: deps.callbacks, clock: deps.clock, record, callStatusOf: ({ callSid }) => this.#presences.get(callSid)?.options.context.call.status ?? 'completed' });
    this.#save();
  }

  get members(): readonly Member[] {
    return this.#state.members;
  }

  member(callSid: CallSid): Member | null {
    return this.#state.member(callSid);
  }

  memberByLabel(label: string): Member | null {
    return this.#state.members.find((member) => member.label === label) ?? null;
  }

  /** The mixer, opened with the first who needs it; so that a call can be answered beside it. Rejects with MediaError. */
  media(): Promise<RoomMedia> {
    if (this.#room) return this.#room;
    const room = this.#openRoom();
    this.#room = room;
    // A worker that is short of memory today need not be so for the next who comes.
    room.catch(() => void (this.#room === room && (this.#room = null)));
    return room;
  }

  /** Takes a call in until it leaves, is removed, or the conference is over; its phone is its own again then. */
  async stay(join: JoinOptions): Promise<StayEnd> {
    const { settings, callback, signal, context } = join;
    const callSid = context.call.sid;
    const refusal = this.#state.refusal(settings, callSid);
    if (refusal) return { kind: 'refused', refusal };
    const presence = new Presence(join, { music: this.#deps.music, log: this.#deps.log.child({ callSid }), parameters: () => this.#parameters(), failed: () => this.#leave(callSid, 'participant_add_failed') });
    this.#presences.set(callSid, presence);
    this.#callbacks.decide(callback);
    if (this.#recordingWanted === undefined) this.#recordingWanted = join.recording;
    this.#apply(this.#state.join(callSid, settings, this.#deps.clock.wallMs()));
    const leave = (): void => this.#leave(callSid, join.leaveReason());
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    const reason = await presence.gone;
    signal.removeEventListener('abort', leave);
    return { kind: 'stayed', reason };
  }

  /** REST changes a participant. `holdSound` is heard while it is held, `waitSound` until the conference starts. */
  change(callSid: CallSid, wanted: MemberChange, { holdSound, waitSound }: { holdSound?: WaitSound; waitSound?: WaitSound } = {}): void {
    const presence = this.#presences.get(callSid);
    if (waitSound) presence?.changeWaitSound(waitSound);
    const heldBefore = this.member(callSid)?.held ?? false;
    this.#apply(this.#state.change(callSid, { ...wanted, ...(waitSound ? { waitChanged: true } : {}) }, this.#deps.clock.wallMs()));
    const held = this.member(callSid)?.held ?? false;
    if (held && (!heldBefore || holdSound)) presence?.hold(holdSound ?? { kind: 'music' });
    if (!held && heldBefore) presence?.hold(null);
  }

  /** A call that was to bring somebody in is over without having done so. */
  addFailed(callSid: CallSid, settings: MemberSettings, callStatus: string): void {
    const nowMs = this.#deps.clock.wallMs();
    this.#callbacks.tell({ step: 'add-failed', member: { ...settings, callSid, held: false, coaching: settings.callSidToCoach !== null, joinedAtMs: nowMs, updatedAtMs: nowMs }, callStatus });
  }

  remove(callSid: CallSid): void {
    this.#leave(callSid, 'participant_updated_via_api');
  }

  /** Lets one participant, or all of them, hear a document. Told by a callback when it is over; never rejects. */
  async announce({ url, method, callSid }: { url: string; method: HttpMethod; callSid?: CallSid }): Promise<void> {
    const member = callSid === undefined ? null : this.member(callSid);
    let problem: string | null;
    try {
      problem = callSid === undefined ? await this.#announceToAll(url, method) : ((await this.#presences.get(callSid)?.announce(url, method)) ?? null);
    } catch (error) {
      problem = messageOf(error);
    }
    if (problem === null) this.#callbacks.tell({ step: 'announced', member, url });
    else this.#callbacks.tell({ step: 'announcement-failed', member, url, problem });
  }

  /** Over REST; or null when its media is gone or nobody came. */
  end(reason: 'conference-ended-via-api' | null): void {
    this.#apply(this.#state.end(reason));
  }

  async #announceToAll(url: string, method: HttpMethod): Promise<string | null> {
    const [speaker] = this.#presences.values();
    if (!speaker || this.record.status !== 'in-progress') return 'The conference has not started';
    const phone = new RoomSpeaker(await this.media());
    // In the name of one of them; when that one goes, the others hear it from the beginning.
    const end = await speaker.options.context.nested({ kind: 'url', url, method }, { signal: speaker.options.signal, rule: HEARD_VERBS, parameters: () => this.#parameters(), phone });
    if (end.kind === 'aborted' && this.#state.status === 'in-progress') return await this.#announceToAll(url, method);
    return end.kind === 'failed' ? 'The announcement could not be had' : null;
  }

  #leave(callSid: CallSid, reason: LeaveReason): void {
    const wasTalking = this.record.status === 'in-progress';
    const steps = this.#state.leave(callSid, reason);
    this.#apply(steps);
    const [gone] = steps;
    if (gone?.step === 'left' && gone.member.beepOnExit && wasTalking && this.#state.status === 'in-progress') this.#beep(EXIT_BEEP);
  }

  #apply(steps: readonly ConferenceStep[]): void {
    for (const step of steps) {
      if (step.step === 'ended') this.#over(step);
      this.#callbacks.tell(step);
      if (step.step === 'started') this.#started();
      else if (step.step === 'joined') this.#joined(step.member);
      else if (step.step === 'left') this.#gone(step.member, step.reason);
      else if (step.step !== 'ended') this.#presences.get(step.member.callSid)?.setVoice(this.#voiceOf(step.member));
    }
  }

  #started(): void {
    this.record.status = 'in-progress';
    this.#save();
    for (const member of this.#state.members) this.#enter(member);
    if (this.#recordingWanted) this.#recording = this.#record(this.#recordingWanted);
  }

  /** A conference that cannot be recorded goes on, with a line in the log. */
  async #record({ trimSilence, callback }: ConferenceRecording): Promise<LiveRecording | null> {
    try {
      const room = await this.media();
      const { accountSid, sid: conferenceSid } = this.record;
      return await this.#deps.recordings.start({ accountSid, callSid: null, conferenceSid, source: 'Conference', channels: 1, track: 'both', callback, begin: (path) => room.record({ path, maxDurationMs: LONGEST_RECORDING_MS, trimSilence }) });
    } catch (error) {
      this.#deps.log.error({ conferenceSid: this.record.sid, error: messageOf(error) }, 'a conference is not recorded');
      return null;
    }
  }

  #joined(member: Member): void {
    this.#memberJoined(this, member.callSid);
    if (this.record.status !== 'in-progress') return this.#presences.get(member.callSid)?.wait();
    this.#enter(member);
    if (member.beepOnEnter) this.#beep(ENTER_BEEP);
  }

  #enter(member: Member): void {
    const presence = this.#presences.get(member.callSid);
    presence?.enter(this.media(), this.#voiceOf(member));
    // Held before the conference started.
    if (member.held) presence?.hold({ kind: 'music' });
  }

  #gone({ callSid }: Member, reason: LeaveReason): void {
    const presence = this.#presences.get(callSid);
    this.#presences.delete(callSid);
    if (!presence) return;
    presence.leave(reason);
    const leaving: Promise<unknown> = presence.gone.then(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  #over({ reason, ending }: ConferenceStep & { step: 'ended' }): void {
    this.record.status = 'completed';
    this.record.reasonEnded = reason;
    this.record.callSidEnding = ending?.callSid ?? null;
    this.record.endedAtMs = this.#deps.clock.wallMs();
    this.#save();
    this.#deps.log.info({ conferenceSid: this.record.sid, reason }, 'conference ended');
    this.#ended(this);
    void this.#closeRoom().catch((error: unknown) => this.#deps.log.debug({ error: messageOf(error) }, 'the mixer of a conference did not close cleanly'));
  }

  async #closeRoom(): Promise<void> {
    const room = await this.#room;
    await (await this.#recording)?.stop();
    await Promise.all(this.#leaving);
    await room?.close();
  }

  #voiceOf({ muted, held, coaching, callSidToCoach }: Member): RoomVoice {
    const coached = callSidToCoach === null ? undefined : this.#presences.get(callSidToCoach)?.trackSid;
    // A coach whose pupil has gone is heard by nobody, never suddenly by all.
    return { muted, held, heardBy: coaching ? (coached ? [coached] : []) : null, hears: null };
  }

  async #openRoom(): Promise<RoomMedia> {
    const room = await this.#deps.media.createRoom({ roomSid: newSid('RM') });
    room.on('lost', () => this.end(null));
    room.on('activeSpeakerChanged', (trackSid) => this.#spoke(trackSid));
    return room;
  }

  #spoke(trackSid: TrackSid | null): void {
    const memberOf = (track: TrackSid | null): Member | null => {
      const found = [...this.#presences].find(([, presence]) => presence.trackSid === track);
      return found ? this.member(found[0]) : null;
    };
    const [before, now] = [memberOf(this.#speaker), memberOf(trackSid)];
    this.#speaker = trackSid;
    if (before) this.#callbacks.tell({ step: 'speech-stop', member: before });
    if (now) this.#callbacks.tell({ step: 'speech-start', member: now });
  }

  #beep(tone: PromptSource): void {
    void this.media().then((room) => room.play(tone)).catch((error: unknown) => this.#deps.log.debug({ error: messageOf(error) }, 'a conference could not beep'));
  }

  #parameters(): [name: string, value: string][] {
    return [['ConferenceSid', this.record.sid], ['FriendlyName', this.record.friendlyName]];
  }

  #save(): void {
    this.record.updatedAtMs = this.#deps.clock.wallMs();
    this.#deps.repository.saveConference({ ...this.record });
  }
}
