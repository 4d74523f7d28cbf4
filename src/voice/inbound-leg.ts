import type { PhoneMedia, RoomMedia } from '../media/protocol.ts';
import type { IncomingSipCall, SipBody } from '../sip/contract.ts';
import { Leg, type LegDeps } from './leg.ts';

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
