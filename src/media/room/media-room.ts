import type { RoomSid, TrackSid } from '../../base/sid.ts';
import type { TrackRegistry, TrackSink, TrackSource } from '../forward/track.ts';
import { DataRelay } from '../data/data-relay.ts';
import { ActiveSpeaker } from '../mix/active-speaker.ts';
import { BrowserVoice } from '../mix/browser-voice.ts';
import { MixParty } from '../mix/mix-party.ts';
import { PromptVoice } from '../mix/prompt-voice.ts';
import { RoomMixer, type MixTap, type VoiceTap } from '../mix/room-mixer.ts';
import type { Ticked, Ticker } from '../mix/ticker.ts';
import type { PcmSource } from '../play/pcm-source.ts';
import type { PlayOutcome, RoomVoice } from '../protocol.ts';
import { SILENCE_DBOV } from '../codec/level.ts';
import type { PhoneTransport } from '../transport/phone-transport.ts';
import { PhoneTrack } from './phone-track.ts';

interface PhoneMember {
  phone: PhoneTransport;
  party: MixParty;
  track: PhoneTrack;
}

interface BrowserMember {
  source: TrackSource;
  voice: BrowserVoice;
}

/**
 * One room in a media worker: the register of its tracks, its mixer, its active speaker. Phones that join are taken from the
 * ticker's hands and stepped by the room, so that a mix is made right before it is sent.
 */
export class MediaRoom implements TrackRegistry, Ticked {
  readonly roomSid: RoomSid;
  readonly data = new DataRelay();
  readonly #ticker: Ticker;
  readonly #activeSpeakerChanged: (trackSid: TrackSid | null) => void;
  readonly #mixer = new RoomMixer();
  readonly #speaker = new ActiveSpeaker();
  readonly #sources = new Map<TrackSid, TrackSource>();
  readonly #waiting = new Map<TrackSid, Set<TrackSink>>();
  readonly #phones = new Map<string, PhoneMember>();
  readonly #browsers = new Map<TrackSid, BrowserMember>();
  readonly #prompts = new Map<number, PromptVoice>();
  #isWide = false;

  constructor(options: { roomSid: RoomSid; ticker: Ticker; activeSpeakerChanged: (trackSid: TrackSid | null) => void }) {
    this.roomSid = options.roomSid;
    this.#ticker = options.ticker;
    this.#activeSpeakerChanged = options.activeSpeakerChanged;
  }

  // ------------------------------------------------------------------------------------------------------- tracks

  addSource(source: TrackSource): void {
    const before = this.#sources.get(source.trackSid);
    if (before === source) return;
    if (before) this.removeSource(before);
    this.#sources.set(source.trackSid, source);
    const waiting = this.#waiting.get(source.trackSid);
    if (waiting) for (const sink of waiting) source.addSink(sink);
    if (source.kind === 'audio' && !(source instanceof PhoneTrack)) this.#browserAudioAdded(source);
  }

  removeSource(source: TrackSource): void {
    if (this.#sources.get(source.trackSid) !== source) return;
    this.#sources.delete(source.trackSid);
    this.#browserAudioRemoved(source.trackSid);
  }

  source(trackSid: TrackSid): TrackSource | null {
    return this.#sources.get(trackSid) ?? null;
  }

  subscribe(trackSid: TrackSid, sink: TrackSink): () => void {
    let sinks = this.#waiting.get(trackSid);
    if (!sinks) this.#waiting.set(trackSid, (sinks = new Set()));
    sinks.add(sink);
    this.#sources.get(trackSid)?.addSink(sink);
    return () => this.#unsubscribe(trackSid, sink);
  }

  #unsubscribe(trackSid: TrackSid, sink: TrackSink): void {
    const sinks = this.#waiting.get(trackSid);
    sinks?.delete(sink);
    if (sinks?.size === 0) this.#waiting.delete(trackSid);
    this.#sources.get(trackSid)?.removeSink(sink);
  }

  get activeSpeaker(): TrackSid | null {
    return this.#speaker.current;
  }

  #browserAudioAdded(source: TrackSource): void {
    const voice = new BrowserVoice({ ended: () => this.#browserAudioRemoved(source.trackSid) });
    voice.needed = this.#isMixNeeded;
    voice.wideWanted = this.#isWide;
    this.#browsers.set(source.trackSid, { source, voice });
    this.#mixer.addInput(voice, new MixParty(source.trackSid));
    source.addSink(voice);
    this.#ticker.add(this);
  }

  #browserAudioRemoved(trackSid: TrackSid): void {
    const member = this.#browsers.get(trackSid);
    if (!member) return;
    this.#browsers.delete(trackSid);
    member.source.removeSink(member.voice);
    this.#mixer.removeInput(member.voice);
    member.voice.close();
    this.#speaker.remove(trackSid);
  }

  // ------------------------------------------------------------------------------------------------------- phones

  get phoneCount(): number {
    return this.#phones.size;
  }

  addPhone(phone: PhoneTransport, options: { trackSid: TrackSid; voice: RoomVoice }): void {
    const party = new MixParty(options.trackSid);
    party.setVoice(options.voice);
    const track = new PhoneTrack(party);
    this.#phones.set(phone.id, { phone, party, track });
    phone.enterRoom(track);
    this.addSource(track);
    this.#mixer.addInput(phone.voice, party);
    this.#mixer.addOutput(phone, party);
    this.#ticker.remove(phone.idle);
    this.#needsChanged();
  }

  /** Everybody's next mix obeys. */
  setVoice(phone: PhoneTransport, voice: RoomVoice): void {
    this.#phones.get(phone.id)?.party.setVoice(voice);
  }

  /** The phone goes on in the ticker's hands, with silence. */
  removePhone(phone: PhoneTransport): void {
    const member = this.#phones.get(phone.id);
    if (!member) return;
    this.#phones.delete(phone.id);
    this.#mixer.removeInput(phone.voice);
    this.#mixer.removeOutput(phone);
    phone.leaveRoom();
    this.removeSource(member.track);
    member.track.ended();
    this.#speaker.remove(member.track.trackSid);
    this.#ticker.add(phone.idle);
    this.#needsChanged();
  }

  close(): void {
    for (const { phone } of [...this.#phones.values()]) this.removePhone(phone);
    for (const trackSid of [...this.#browsers.keys()]) this.#browserAudioRemoved(trackSid);
    for (const playId of [...this.#prompts.keys()]) this.stopPlay(playId);
    this.#mixer.roomClosed();
    this.#ticker.remove(this);
    this.#waiting.clear();
  }

  // ------------------------------------------------------------------------------------------- prompts, recordings

  /** Heard by every phone that is not held; resolves when it came to its end or was stopped. Several at a time. */
  play(playId: number, source: PcmSource): Promise<PlayOutcome> {
    return new Promise((resolve) => {
      const prompt = new PromptVoice(source, (outcome) => {
        this.#prompts.delete(playId);
        this.#mixer.removePrompt(prompt);
        resolve(outcome);
      });
      this.#prompts.set(playId, prompt);
      this.#mixer.addPrompt(prompt);
      this.#ticker.add(this);
    });
  }

  stopPlay(playId: number): void {
    this.#prompts.get(playId)?.end('stopped');
  }

  addTap(tap: MixTap): void {
    this.#mixer.addTap(tap);
    this.#needsChanged();
  }

  removeTap(tap: MixTap): void {
    this.#mixer.removeTap(tap);
    this.#needsChanged();
  }

  addVoiceTap(tap: VoiceTap): void {
    this.#mixer.addVoiceTap(tap);
    this.#needsChanged();
  }

  removeVoiceTap(tap: VoiceTap): void {
    this.#mixer.removeVoiceTap(tap);
    this.#needsChanged();
  }

  get #isMixNeeded(): boolean {
    return this.#phones.size > 0 || this.#mixer.tapped;
  }

  /** Browsers are decoded at 16 kHz while a wide-band phone listens; codecs change by re-INVITE, so this is looked at in each step. */
  #wideChanged(): void {
    this.#isWide = !this.#isWide;
    for (const { voice } of this.#browsers.values()) voice.wideWanted = this.#isWide;
  }

  /** Browsers are decoded while a phone or a recording listens. */
  #needsChanged(): void {
    const needed = this.#isMixNeeded;
    for (const { voice } of this.#browsers.values()) voice.needed = needed;
    if (needed) this.#ticker.add(this);
  }

  // --------------------------------------------------------------------------------------------------------- steps

  tick(nowMs: number): void {
    if (this.#mixer.wideWanted !== this.#isWide) this.#wideChanged();
    if (this.#phones.size > 0 || this.#mixer.busy) this.#mixer.tick(nowMs);
    for (const { phone, party } of this.#phones.values()) this.#speaker.level(party.trackSid, party.isPublic ? phone.voice.levelDbov : SILENCE_DBOV, nowMs);
    for (const [trackSid, { voice }] of this.#browsers) this.#speaker.level(trackSid, voice.levelAt(nowMs), nowMs);
    if (this.#speaker.decide(nowMs)) this.#activeSpeakerChanged(this.#speaker.current);
    if (this.#phones.size === 0 && this.#browsers.size === 0 && !this.#mixer.busy) this.#ticker.remove(this);
  }
}
