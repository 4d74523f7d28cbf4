import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { newSid, type TrackSid } from '../../base/sid.ts';
import type { PhoneMedia, RoomMedia, RoomVoice } from '../../media/protocol.ts';
import type { HoldMusic } from '../hold-music.ts';
import type { HttpMethod } from '../model.ts';
import type { NestingRule, RunEnd } from '../twiml/nesting.ts';
import { keepWaiting, type GatheredCall, type WaitSound } from '../waiting.ts';
import type { LeaveReason } from './conference-state.ts';

/** What may stand in documents that are heard in a conference (13238, contract §3.4). */
export const HEARD_VERBS: NestingRule = { verbs: ['Play', 'Say', 'Pause', 'Redirect'], code: 13238 };

export interface PresenceOptions {
  context: GatheredCall;
  phone: PhoneMedia;
  /** Heard until the conference starts. */
  waitSound: WaitSound;
  /** Its call hung up, was redirected, or wants to leave. */
  signal: AbortSignal;
}

export interface PresenceDeps {
  music: HoldMusic;
  log: Log;
  /** Of the conference, for requests of waiting and announcement documents. */
  parameters: () => [name: string, value: string][];
  /** The phone could not be brought into the room. */
  failed: () => void;
}

/**
 * A member's phone in a conference: waits, talks, is held, hears an announcement. What is asked of the media plane is asked
 * one after another, so that a quick mute-unmute or join-leave ends as it was asked.
 */
export class Presence {
  readonly trackSid: TrackSid = newSid('MT');
  readonly options: PresenceOptions;
  readonly #deps: PresenceDeps;
  /** Resolves when it has left and its phone is its own again. */
  readonly gone: Promise<LeaveReason>;
  #resolveGone: (reason: LeaveReason) => void = () => undefined;
  #work: Promise<void> = Promise.resolve();
  #talking = false;
  #over = false;
  #waitSound: WaitSound;
  /** What it hears instead of the room; null while it talks. */
  #sound: WaitSound | null = null;
  /** Counts what was begun or stopped, so that nothing outdated is begun again. */
  #changes = 0;
  #playing: { controller: AbortController; done: Promise<void> } | null = null;
  /** Aborts when it leaves. */
  readonly #leaving = new AbortController();
  readonly #announcements = new Set<Promise<unknown>>();

  constructor(options: PresenceOptions, deps: PresenceDeps) {
    this.options = options;
    this.#deps = deps;
    this.#waitSound = options.waitSound;
    this.gone = new Promise((resolve) => (this.#resolveGone = resolve));
  }

  /** The conference has not started. */
  wait(): void {
    if (!this.#talking) this.#play(this.#waitSound);
  }

  /** REST gives another waitUrl. */
  changeWaitSound(sound: WaitSound): void {
    this.#waitSound = sound;
    if (!this.#talking && this.#sound) this.#play(sound);
  }

  enter(room: Promise<RoomMedia>, voice: RoomVoice): void {
    if (this.#talking || this.#over) return;
    this.#talking = true;
    this.#play(null);
    this.#do(async () => {
      try {
        await this.options.phone.joinRoom(await room, { trackSid: this.trackSid, voice });
      } catch (error) {
        this.#deps.log.warn({ error: messageOf(error) }, 'a phone could not be brought into its conference');
        this.#deps.failed();
      }
    });
  }

  setVoice(voice: RoomVoice): void {
    if (this.#talking) this.#do(() => this.options.phone.setRoomVoice(voice));
  }

  /** Held members hear this; null: no longer held. */
  hold(sound: WaitSound | null): void {
    if (this.#talking) this.#play(sound);
  }

  /** Runs a document that it hears at once; what it heard before goes on afterwards. Resolves with what went wrong, or null. */
  async announce(url: string, method: HttpMethod): Promise<string | null> {
    const before = this.#sound;
    this.#play(null);
    const changes = this.#changes;
    await this.#silent();
    const end = await this.#announcement(url, method);
    if (before && changes === this.#changes) this.#play(before);
    return end.kind === 'failed' ? 'The announcement could not be had' : null;
  }

  /** Goes no longer than the stay: what the phone hears after it is its call's own business. */
  async #announcement(url: string, method: HttpMethod): Promise<RunEnd> {
    const { signal, context } = this.options;
    const heard = context.nested({ kind: 'url', url, method }, { signal: AbortSignal.any([signal, this.#leaving.signal]), rule: HEARD_VERBS, parameters: this.#deps.parameters });
    const over = heard.catch(() => undefined);
    this.#announcements.add(over);
    try {
      return await heard;
    } finally {
      this.#announcements.delete(over);
    }
  }

  leave(reason: LeaveReason): void {
    if (this.#over) return;
    this.#over = true;
    this.#play(null);
    this.#leaving.abort();
    this.#do(async () => {
      await this.#silent();
      await Promise.all(this.#announcements);
      if (this.#talking) await this.options.phone.leaveRoom();
    });
    void this.#work.then(() => this.#resolveGone(reason));
  }

  /** One after another; a phone that is closed already is no news. */
  #do(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => this.#deps.log.debug({ error: messageOf(error) }, 'a phone in a conference did not follow'));
  }

  #play(sound: WaitSound | null): void {
    const previous = this.#playing;
    previous?.controller.abort();
    this.#changes++;
    this.#sound = sound;
    if (!sound || this.#over) return;
    const controller = new AbortController();
    this.#playing = { controller, done: this.#entertain(sound, controller, previous?.done) };
  }

  async #entertain(sound: WaitSound, controller: AbortController, previous: Promise<void> | undefined): Promise<void> {
    await previous;
    if (controller.signal.aborted) return;
    const { context, phone, signal } = this.options;
    const { music, parameters, log } = this.#deps;
    try {
      await keepWaiting({ context, phone, music, sound, rule: HEARD_VERBS, parameters, signal: AbortSignal.any([controller.signal, signal]) });
    } catch (error) {
      log.debug({ error: messageOf(error) }, 'a waiting phone can hear nothing');
    }
  }

  async #silent(): Promise<void> {
    await this.#playing?.done;
  }
}
