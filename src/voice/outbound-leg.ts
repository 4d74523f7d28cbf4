import { messageOf } from '../base/errors.ts';
import type { PhoneStream } from '../sdp/phone-stream.ts';
import type { OutgoingSipCall, SipBody, SipEnding, SipUserAgent } from '../sip/contract.ts';
import { parseSipUri, unbracket } from '../sip/message/uri.ts';
import { Leg, type LegDeps } from './leg.ts';
import type { OfferMemory } from './offer-memory.ts';
import type { LegCallOptions, Placing, Redirects } from './redirects/redirects.ts';
import { terminated } from './termination.ts';

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
