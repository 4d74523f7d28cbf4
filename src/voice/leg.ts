import { Emitter } from '../base/emitter.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { MediaPlane, PhoneMedia, RoomMedia } from '../media/protocol.ts';
import type { PhoneStream } from '../sdp/phone-stream.ts';
import type { IncomingSipCall, IncomingSipRefer, OutgoingSipCall, ReofferAnswer, SipBody, SipCallBase, SipCallEvents, SipEnding, SipUserAgent } from '../sip/contract.ts';
import { parseSipUri, unbracket } from '../sip/message/uri.ts';
import { keyOfInfo, type InfoKey } from './info-keys.ts';
import { LegMedia, type LegAudio } from './leg-media.ts';
import { tellQuality } from './leg-quality.ts';
import type { CallQuality } from './model.ts';
import type { OfferMemory } from './offer-memory.ts';
import type { LegCallOptions, Placing, Redirects } from './redirects/redirects.ts';
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

/** The leg of a call that came in. */
export class InboundLeg extends Leg {
  readonly #sip: IncomingSipCall;
  #early: Promise<PhoneMedia | null> | null = null;
  #answering: Promise<PhoneMedia> | null = null;
  /** Settled when the ACK came. */
  readonly #confirmed: Promise<SipBody | null>;

  constructor(sip: IncomingSipCall, deps: LegDeps) {
    super(deps);
    this.#sip = sip;
    this.#confirmed = new Promise((resolve) => sip.once('confirmed', resolve));
    this.follow(sip, 'inbound');
  }

  get sipCallId(): string {
    return this.#sip.callId;
  }

  ring(): void {
    if (!this.over && this.#sip.state === 'early') this.#sip.ring();
  }

  /** Sound before the answer, both ways: 183 with our description (RFC 3960 §2). Null where there is no offer to answer, or nothing to be early for. */
  soundEarly(): Promise<PhoneMedia | null> {
    return (this.#early ??= this.#soundEarly());
  }

  async #soundEarly(): Promise<PhoneMedia | null> {
    const offer = this.#sip.body;
    if (!offer || this.over || this.#answering || this.#sip.state !== 'early') return null;
    const phone = await this.openMedia();
    const { body, stream } = this.media.answer(offer);
    // Its silence is no reason to end a call that is not answered.
    await this.media.apply({ ...stream, receive: false });
    if (!this.over && this.#sip.state === 'early') this.#sip.ring({ statusCode: 183, body });
    return phone;
  }

  /** 200, once; resolves when the phone has confirmed it and media flows. A call that ends meanwhile never resolves. */
  answer(near?: RoomMedia | null): Promise<PhoneMedia> {
    return (this.#answering ??= this.#sip.body ? this.#answerOffer(this.#sip.body, near) : this.#answerByOffer(near));
  }

  async #answerOffer(offer: SipBody, near?: RoomMedia | null): Promise<PhoneMedia> {
    const phone = (await this.#early) ?? (await this.openMedia(near));
    const body = await this.#settle(offer);
    if (!this.over) this.#sip.accept({ body });
    await this.#confirmed;
    return phone;
  }

  /** Media as it was agreed on last: while it is connected the phone may move it once more (UPDATE). */
  async #settle(offer: SipBody): Promise<SipBody> {
    let agreed = this.moved ?? this.media.answer(offer);
    await this.media.apply(agreed.stream);
    while (this.moved && this.moved !== agreed && !this.over) {
      agreed = this.moved;
      await this.media.apply(agreed.stream);
    }
    this.settled = true;
    return agreed.body;
  }

  /** INVITE without an offer: ours goes with the 200, the answer comes with ACK (RFC 3261 §13.3.1.4). */
  async #answerByOffer(near?: RoomMedia | null): Promise<PhoneMedia> {
    const phone = await this.openMedia(near);
    if (!this.over) this.#sip.accept({ body: this.media.offer() });
    await this.media.apply(this.media.readAnswer(await this.#confirmed));
    return phone;
  }

  /** Final refusal; after our 200 (the ACK may be missing) a BYE instead. */
  refuse(statusCode: number, reason: string): void {
    this.letGo();
    if (this.#sip.state === 'early') this.#sip.reject(statusCode, undefined, [['Reason', reason]]);
    else this.hangupDialog(reason);
  }

  protected peer(): string {
    return this.#sip.source.address;
  }

  protected dialog(): IncomingSipCall {
    return this.#sip;
  }

  protected hangupDialog(reason?: string): void {
    if (this.#sip.state !== 'ended') this.#sip.hangup(reason === undefined ? {} : { reason });
  }
}

/** The leg of a call we place. */
export class OutboundLeg extends Leg {
  readonly #userAgent: Pick<SipUserAgent, 'call'>;
  readonly #redirectsOf: (first: LegCallOptions) => Redirects | null;
  readonly #offers: OfferMemory | null;
  #redirects: Redirects | null = null;
  #placing: Placing | null = null;
  #sip: OutgoingSipCall | null = null;
  /** The latest. */
  #earlyAnswer: SipBody | null = null;
  #soundedEarly = false;
  #taken = false;
  #peer = '';

  /** `redirectsOf`: who follows a 3xx to what was called first. */
  constructor(userAgent: Pick<SipUserAgent, 'call'>, deps: LegDeps, redirectsOf: (first: LegCallOptions) => Redirects | null = () => null) {
    super(deps);
    this.#userAgent = userAgent;
    this.#redirectsOf = redirectsOf;
    this.#offers = deps.offers ?? null;
  }

  get sipCallId(): string | null {
    return this.#sip?.callId ?? null;
  }

  override get answerHeaders(): OutgoingSipCall['answerHeaders'] {
    return this.#sip?.answerHeaders ?? [];
  }

  /** Opens media and sends the INVITE. Rejects with MediaError or SipError, and then nothing was sent. */
  async dial(options: LegCallOptions): Promise<void> {
    if (!this.phone) await this.openMedia();
    if (this.over) return;
    this.#redirects = this.#redirectsOf(options);
    this.#place({ caller: this.#userAgent, options });
  }

  #place(placing: Placing): void {
    const { options } = placing;
    this.#placing = placing;
    this.#earlyAnswer = null;
    this.moved = null;
    this.media.peerIsNew(this.#offers?.of(options.to));
    this.#peer = unbracket(parseSipUri((options.outboundProxy ?? options.to).replace(/^<([^>]*)>.*$/, '$1'))?.host ?? '');
    if (/^sips:|;transport=tls\b/i.test(options.outboundProxy ?? options.to)) this.media.signalingIsEncrypted();
    if (/;transport=wss?\b/i.test(options.outboundProxy ?? options.to)) this.media.peerIsBrowser();
    this.#invite(placing);
  }

  #invite({ caller, options }: Placing): void {
    const offer = this.media.offer();
    const sip = caller.call({ ...options, body: offer.bytes, contentType: offer.contentType });
    this.#sip = sip;
    this.follow(sip, 'outbound');
    sip.on('progressed', (statusCode, body) => {
      const known = this.#earlyAnswer;
      this.#earlyAnswer = body ?? known;
      if (statusCode >= 180) this.emit('rang');
      if (body && !(known && Buffer.compare(known.bytes, body.bytes) === 0)) this.#openEarly(body);
    });
    sip.on('accepted', (body) => this.#accepted(body ?? this.#earlyAnswer));
  }

  /** A phone that takes plain sound not at all, or encrypted sound in another way, is asked again (RFC 3261 §21.4.26); one that names others in its place makes us call them. */
  protected override dialogEnded(ending: SipEnding, side: 'inbound' | 'outbound'): void {
    try {
      if (!this.over && !this.#taken && this.#wentOn(ending)) return;
    } catch (error) {
      this.log.info({ error: messageOf(error) }, 'a phone could not be asked again');
    }
    super.dialogEnded(ending, side);
  }

  #wentOn(ending: SipEnding): boolean {
    const takesNoOffer = ending.cause === 'rejected' && (ending.statusCode === 488 || ending.statusCode === 606);
    if (takesNoOffer && this.#placing && this.media.offersOtherwise()) {
      this.#invite(this.#placing);
      return true;
    }
    const next = this.#redirects?.next(ending, this.answerHeaders);
    if (next) this.#place(next);
    return next != null;
  }

  /**
   * Of several phones that one call rings (RFC 3261 §13.2.2.4) the latest is heard, until one answers. Its silence is no reason to end a
   * call that only rings: the media time-out begins with the answer.
   */
  #openEarly(answer: SipBody): void {
    const failed = (error: unknown): void => this.log.info({ error: messageOf(error) }, 'early media of a called phone is unusable');
    try {
      this.media.apply({ ...this.media.readFirstAnswer(answer), receive: false }).then(() => {
        if (this.#soundedEarly || this.over || this.#sip?.state !== 'early') return;
        this.#soundedEarly = true;
        this.emit('soundedEarly');
      }, failed);
    } catch (error) {
      failed(error);
    }
  }

  #accepted(answer: SipBody | null): void {
    this.#taken = true;
    let connected: Promise<void>;
    try {
      const stream = this.#settledBy(answer);
      connected = this.media.apply(stream);
      if (answer) this.#learnedFrom(answer, stream);
    } catch (error) {
      return this.endedBy(terminated('no-common-codec', { detail: messageOf(error) }));
    }
    connected.then(
      () => {
        if (!this.over) this.emit('answered');
      },
      (error: unknown) => this.endedBy(terminated('media-unavailable', { detail: messageOf(error) })),
    );
  }

  /** Some phones describe ICE without being asked, and say nothing until it is done: they are asked at once (re-INVITE), and the next time from the start. */
  #learnedFrom(answer: SipBody, { ice }: PhoneStream): void {
    const habit = this.media.habitOf(answer);
    if (this.#placing) this.#offers?.took(this.#placing.options.to, habit);
    if (!habit.ice || ice) return;
    this.media.peerKnowsIce();
    this.#sip?.once('confirmed', () => this.#offerIce());
  }

  #offerIce(): void {
    if (this.over) return;
    this.#sip?.reoffer(this.media.offer(), (statusCode, answer) => {
      if (this.over) return;
      if (statusCode < 300) this.applyAnswer(answer);
      else this.log.info({ statusCode }, 'a phone that describes ICE does not take it');
    });
  }

  /** A phone that made an offer of its own before it answered has said all there. */
  #settledBy(answer: SipBody | null): PhoneStream {
    const { moved } = this;
    return moved && answer && Buffer.compare(moved.offer.bytes, answer.bytes) === 0 ? moved.stream : this.media.readFirstAnswer(answer);
  }

  protected peer(): string {
    return this.#peer;
  }

  protected dialog(): OutgoingSipCall | null {
    return this.#sip;
  }

  protected hangupDialog(reason?: string): void {
    if (this.#sip && this.#sip.state !== 'ended') this.#sip.hangup(reason === undefined ? {} : { reason });
  }
}
