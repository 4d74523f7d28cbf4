import { Emitter } from '../base/emitter.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { MediaPlane, PhoneMedia, RoomMedia } from '../media/protocol.ts';
import type { PhoneStream } from '../sdp/phone-stream.ts';
import type { IncomingSipRefer, OutgoingSipCall, ReofferAnswer, SipBody, SipCallBase, SipCallEvents, SipEnding } from '../sip/contract.ts';
import { keyOfInfo, type InfoKey } from './info-keys.ts';
import { LegMedia, type LegAudio } from './leg-media.ts';
import { tellQuality } from './leg-quality.ts';
import type { CallQuality } from './model.ts';
import type { OfferMemory } from './offer-memory.ts';
import { referCall, type Referable, type ReferResult } from './refer-call.ts';
import { terminated, terminationOf, type Termination } from './termination.ts';

export interface LegEvents {
  /** 180 or 183 of a called phone. */
  rang: [];
  /** A called phone sends sound before it answers; told once, and its media is connected. */
  soundedEarly: [];
  /** A called phone took the call and its media is connected. */
  answered: [];
  /** First RTP packet of the phone. */
  heard: [];
  /** The phone transfers its call (REFER); 603 when nobody answers it. */
  referReceived: [refer: IncomingSipRefer];
  /** How it was for a phone that was heard; at most once, after the leg was closed. */
  measured: [quality: CallQuality];
  /** Its media and all was given back, or is another leg's. Once. */
  closed: [];
  /** Over by itself: by the phone, the network or the media plane. At most once, never after `hangup` or `close`. */
  ended: [termination: Termination];
}

export interface LegDeps extends LegAudio {
  media: MediaPlane;
  /** Which of our addresses is written into SDP for a peer (address or host name of its signaling). */
  mediaAddressFor: (peer: string) => string;
  /** Which offers called phones took. Default: nothing is remembered. */
  offers?: OfferMemory;
  log: Log;
}

/** One SIP dialog and one phone transport: a call's way to its phone. */
export abstract class Leg extends Emitter<LegEvents> {
  protected readonly media: LegMedia;
  protected readonly log: Log;
  /** The latest offer of the phone's own before the call was answered (UPDATE), and what was said to it: that holds, not what was said before. */
  protected moved: { offer: SipBody; body: SipBody; stream: PhoneStream } | null = null;
  /** The answer is settled on our side: a new offer that comes now is no early one, even when our 200 waits for a PRACK. */
  protected settled = false;
  #over = false;
  #closed = false;
  #deafen: (() => void)[] = [];

  constructor(deps: LegDeps) {
    super();
    this.media = new LegMedia(deps.media, () => deps.mediaAddressFor(this.peer()), { ...deps, signalingAddress: () => this.dialog()?.source.address ?? '' });
    this.log = deps.log;
  }

  /** The media, once opened. */
  get phone(): PhoneMedia | null {
    return this.media.phone;
  }

  /** Call-ID of its dialog; null before anything was sent. */
  abstract get sipCallId(): string | null;

  protected get over(): boolean {
    return this.#over;
  }

  /** BYE, CANCEL or a refusal, whatever the dialog needs. `reason` is the value of a Reason header. */
  hangup(reason?: string): void {
    this.letGo();
    this.hangupDialog(reason);
  }

  /** Asks the phone to call somebody else; resolves when that is settled, refused or the signal aborts. Rejects with SipError for a bad URI. */
  refer(uri: string, signal: AbortSignal): Promise<ReferResult> {
    return referCall(this.dialog(), uri, signal);
  }

  /** To be dialled with the media of a call whose phone it shall take the place of; until `takeOver` that goes on as it is. */
  borrow(phone: PhoneMedia): void {
    this.media.borrow(phone);
  }

  /** Whether `moveTo` can be asked for. */
  get movable(): boolean {
    return !this.#over && this.dialog() !== null && this.media.movable;
  }

  /**
   * Asks its phone, by re-INVITE, to talk by the media of another call, which goes on as it is until `takeOver`. The media that it had is
   * closed. Resolves with the SIP answer; after `hangup` never.
   */
  moveTo(phone: PhoneMedia): Promise<number> {
    const before = this.phone;
    this.giveAway();
    this.media.borrow(phone);
    before?.close().catch((error: unknown) => this.log.warn({ error: messageOf(error) }, 'media of a phone that moved did not close cleanly'));
    return new Promise((resolve) => {
      const forget = this.on('ended', () => resolve(481));
      this.dialog()?.reoffer(this.media.offer(), (statusCode, answer) => {
        forget();
        resolve(statusCode < 300 ? this.#movedBy(answer) : statusCode);
      });
    });
  }

  #movedBy(answer: SipBody | null): number {
    try {
      this.#applied(this.media.apply(this.media.readAnswer(answer)));
      return 200;
    } catch (error) {
      this.log.info({ error: messageOf(error) }, 'a phone that should move answered with nothing usable');
      return 488;
    }
  }

  /** Its phone, which answered, has the media that it borrowed. Rejects with MediaError: it has not. */
  async takeOver(): Promise<void> {
    await this.media.take();
    if (!this.#over && this.phone) this.#hear(this.phone);
  }

  /** Its media is another leg's from now on. */
  giveAway(): void {
    this.media.giveAway();
    for (const each of this.#deafen.splice(0)) each();
  }

  /** Its phone left, and another one is looked for: silence. Never rejects. */
  pause(): Promise<void> {
    return this.media.pause().catch((error: unknown) => this.log.debug({ error: messageOf(error) }, 'media of a phone that left could not be paused'));
  }

  /** From now on nothing is told any more. */
  protected letGo(): void {
    this.#over = true;
  }

  /** Gives the RTP socket back. Never rejects. */
  async close(): Promise<void> {
    this.#over = true;
    if (this.#closed) return;
    this.#closed = true;
    const { phone, lent } = this.media;
    if (phone && !lent) void tellQuality(phone, this.log).then((quality) => void (quality && this.emit('measured', quality)));
    this.emit('closed');
    await this.media.close().catch((error: unknown) => this.log.warn({ error: messageOf(error) }, 'media of a call did not close cleanly'));
  }

  /** Headers of the called phone's final answer; none of a call that came in, or was not answered. */
  get answerHeaders(): OutgoingSipCall['answerHeaders'] {
    return [];
  }

  /** Address, or host name, of whom we speak SIP with. */
  protected abstract peer(): string;

  /** The dialog, null while there is none. */
  protected abstract dialog(): (Referable & Pick<SipCallBase<SipCallEvents>, 'reoffer' | 'source'>) | null;

  protected abstract hangupDialog(reason?: string): void;

  protected endedBy(termination: Termination): void {
    if (this.#over) return;
    this.#over = true;
    this.emit('ended', termination);
  }

  protected async openMedia(near?: RoomMedia | null): Promise<PhoneMedia> {
    const phone = await this.media.open(near);
    this.#hear(phone);
    return phone;
  }

  #hear(phone: PhoneMedia): void {
    this.#deafen = [
      phone.on('firstPacketReceived', () => this.emit('heard')),
      phone.on('mediaTimedOut', () => this.endedBy(terminated('media-timeout'))),
      phone.on('securityFailed', (why) => this.endedBy(terminated('media-insecure', { detail: why }))),
      phone.on('lost', (reason) => this.endedBy(terminated('media-lost', { detail: reason }))),
    ];
  }

  /** What both directions do with a dialog once it stands. */
  protected follow<E extends SipCallEvents & { [K in keyof E]: unknown[] }>(sip: SipCallBase<E>, side: 'inbound' | 'outbound'): void {
    const events = sip as unknown as Emitter<SipCallEvents>;
    events.on('ended', (ending) => this.dialogEnded(ending, side));
    events.on('reoffered', (body, respond) => respond(this.#reoffered(body, sip.state === 'early' && !this.settled)));
    events.on('reofferAnswered', (body) => this.applyAnswer(body));
    events.on('referReceived', (refer) => void (!this.#over && this.emit('referReceived', refer)));
    events.on('infoReceived', (body) => this.#keySignaled(keyOfInfo(body)));
  }

  protected dialogEnded(ending: SipEnding, side: 'inbound' | 'outbound'): void {
    this.endedBy(terminationOf(ending, side));
  }

  #keySignaled(key: InfoKey | null): void {
    if (key && !this.media.lent) this.phone?.keySignaled({ digit: key.digit, heldMs: key.durationMs }).catch((error: unknown) => this.log.debug({ error: messageOf(error) }, 'a key told by INFO came too late'));
  }

  /** Hold, resume, move of the phone's media; null asks for an offer of ours (RFC 3261 §14.2). Before the answer the phone's silence is no reason to end. */
  #reoffered(body: SipBody | null, early: boolean): ReofferAnswer {
    try {
      if (!body) return { statusCode: 200, body: this.media.offer() };
      const answer = this.media.answer(body);
      if (early) this.moved = { offer: body, ...answer };
      this.#applied(this.media.apply(early ? { ...answer.stream, receive: false } : answer.stream));
      return { statusCode: 200, body: answer.body };
    } catch (error) {
      this.log.info({ error: messageOf(error) }, 'a new offer inside a call is refused');
      return { statusCode: 488 };
    }
  }

  protected applyAnswer(body: SipBody | null): void {
    try {
      this.#applied(this.media.apply(this.media.readAnswer(body)));
    } catch (error) {
      // The session stays as it was: RFC 3264 has no way to refuse an answer, and a hang-up would punish a working call.
      this.log.warn({ error: messageOf(error) }, 'the answer to our re-offer is unusable');
    }
  }

  #applied(done: Promise<void>): void {
    done.catch((error: unknown) => this.log.warn({ error: messageOf(error) }, 'media could not follow a new offer'));
  }
}
