import { randomBytes, randomInt } from 'node:crypto';
import { answerPhoneOffer, readPhoneAnswer } from '../sdp/phone-answer.ts';
import { PHONE_CODECS, type PhoneCodecName } from '../sdp/phone-codecs.ts';
import { writePhoneOffer, type LocalDescription } from '../sdp/phone-offer.ts';
import { speaksIce } from '../sdp/phone-description.ts';
import type { LocalSecurity, PhoneSrtpPolicy } from '../sdp/phone-security.ts';
import { isNowhere, type PhoneStream } from '../sdp/phone-stream.ts';
import { SdpError } from '../sdp/sdp-error.ts';
import { InternalError } from '../base/errors.ts';
import type { MediaPlane, PhoneMedia, PhoneRemote, RoomMedia } from '../media/protocol.ts';
import type { SipBody } from '../sip/contract.ts';
import { OfferLadder } from './offer-ladder.ts';
import type { PhoneHabit } from './offer-memory.ts';
import { isElsewhere, type PhoneNetworks } from './phone-address.ts';

/** What a leg may speak, and with whom. */
export interface LegAudio extends PhoneNetworks {
  /** Most wanted first. Default: all that is spoken here. */
  codecs?: readonly PhoneCodecName[] | undefined;
  /** Default `allow`. */
  srtp?: PhoneSrtpPolicy | undefined;
}

/** Bytes of an SRTP master key and salt. */
const SRTP_KEY_BYTES = 30;

const ICE_SECRET_BYTES = 24;

function newSecurity(policy: PhoneSrtpPolicy, fingerprint: string | undefined): LocalSecurity {
  const key = (): string => randomBytes(SRTP_KEY_BYTES).toString('base64');
  return { policy, fingerprint, keys: { AES_CM_128_HMAC_SHA1_80: key(), AES_CM_128_HMAC_SHA1_32: key() } };
}

/** The media half of a leg: one PhoneMedia and the offers and answers that describe it. */
export class LegMedia {
  readonly #plane: MediaPlane;
  readonly #addressOf: () => string;
  readonly #codecs: readonly PhoneCodecName[];
  readonly #security: LocalSecurity;
  readonly #networks: PhoneNetworks;
  readonly #signalingAddress: () => string;
  #opportunistic = false;
  #ladder: OfferLadder;
  #isBrowser = false;
  #knowsIce = false;
  readonly #iceSecret = randomBytes(ICE_SECRET_BYTES).toString('base64');
  readonly #sessionId = String(randomInt(1, 2 ** 47));
  #phone: PhoneMedia | null = null;
  #closed = false;
  #version = 0;
  /** Last description of ours, with its version taken out. */
  #described: string | null = null;
  #lastStream: PhoneStream | null = null;
  /** Another leg has it. */
  #lent = false;

  /** `addressOf`: the one that the other side is told. `signalingAddress`: where its signaling comes from, '' when that is not known. */
  constructor(plane: MediaPlane, addressOf: () => string, audio: LegAudio & { signalingAddress?: () => string } = {}) {
    this.#plane = plane;
    this.#addressOf = addressOf;
    this.#networks = audio;
    this.#signalingAddress = audio.signalingAddress ?? (() => '');
    this.#codecs = audio.codecs ?? PHONE_CODECS;
    this.#security = newSecurity(audio.srtp ?? 'allow', plane.dtlsFingerprint);
    this.#ladder = this.#newLadder(null);
  }

  get phone(): PhoneMedia | null {
    return this.#phone;
  }

  /** Opens the RTP socket, near a room's worker when one is named. Rejects with MediaError; closes at once if the leg closed meanwhile. */
  async open(near?: RoomMedia | null): Promise<PhoneMedia> {
    const phone = await this.#plane.createPhone(near ? { near } : {});
    if (this.#closed) await phone.close();
    this.#phone = phone;
    return phone;
  }

  /** Whether the phone media that it describes is another leg's: what is settled waits for `take`. */
  get lent(): boolean {
    return this.#lent;
  }

  /** Whether what its phone speaks can be spoken by other media too: keys and proofs of ours are bound to where they were begun. */
  get movable(): boolean {
    const stream = this.#lastStream;
    return stream !== null && !stream.srtp && !stream.ice && !stream.dtls;
  }

  /** Describes the media of a call that another phone still has. */
  borrow(phone: PhoneMedia): void {
    this.#phone = phone;
    this.#lent = true;
  }

  /** What it borrowed is its own: the phone that was settled with is connected in the place of the one before. Rejects with MediaError, and then nothing has changed. */
  async take(): Promise<void> {
    this.#lent = false;
    try {
      if (this.#lastStream) await this.#phone?.connect({ ...this.#lastStream, ...this.#whereabouts(this.#lastStream), anotherPhone: true });
    } catch (error) {
      this.#lent = true;
      throw error;
    }
  }

  /** Another leg has it from now on. */
  giveAway(): void {
    this.#lent = true;
  }

  /** Nobody is there for a while: nothing is sent, and nothing missed. */
  async pause(): Promise<void> {
    if (this.#lastStream && !this.#lent) await this.#phone?.connect({ ...this.#lastStream, ...this.#whereabouts(this.#lastStream), send: false, receive: false });
  }

  /** Another phone is called: what was found out about the one before does not hold. `habit`: what is known of it. */
  peerIsNew(habit: PhoneHabit | null = null): void {
    this.#opportunistic = false;
    this.#isBrowser = false;
    this.#knowsIce = habit?.ice ?? false;
    this.#ladder = this.#newLadder(habit);
    this.#lastStream = null;
  }

  /** Signaling is encrypted: offers may carry keys beside plain sound (RFC 8643). */
  signalingIsEncrypted(): void {
    this.#opportunistic = true;
  }

  /** It speaks DTLS and ICE alone: offers have them. */
  peerIsBrowser(): void {
    this.#isBrowser = true;
  }

  /** What the phone took at last, by its answer. */
  habitOf(answer: SipBody): PhoneHabit {
    return { kind: this.#ladder.kind, ice: speaksIce(sdpOf(answer)) };
  }

  /** From now on offers have ICE. */
  peerKnowsIce(): void {
    this.#knowsIce = true;
  }

  /** The other side took no offer of ours so far: the next one is encrypted in another way. False: there is none left. */
  offersOtherwise(): boolean {
    return !this.#lastStream && !this.#isBrowser && this.#ladder.next();
  }

  offer(): SipBody {
    return this.#body((version) => writePhoneOffer(this.#local(version)));
  }

  /** Throws SdpError when the offer holds nothing for us. */
  answer(offer: SipBody): { body: SipBody; stream: PhoneStream } {
    const bytes = sdpOf(offer);
    const { stream } = answerPhoneOffer(bytes, this.#local(0));
    return { body: this.#body((version) => answerPhoneOffer(bytes, this.#local(version)).text), stream };
  }

  /** Throws SdpError. */
  readAnswer(answer: SipBody | null): PhoneStream {
    if (!answer) throw new SdpError('unacceptable', 'no answer to our offer');
    return readPhoneAnswer(sdpOf(answer), this.#speaks());
  }

  /** One of the answers to our first offer: what another phone has answered to it says nothing about this one. Throws SdpError. */
  readFirstAnswer(answer: SipBody | null): PhoneStream {
    if (!answer) throw new SdpError('unacceptable', 'no answer to our offer');
    return readPhoneAnswer(sdpOf(answer), { ...this.#speaks(), inUse: null });
  }

  /** Sends and receives as settled; over a hold by 0.0.0.0 the address stays the one we knew. */
  async apply(stream: PhoneStream): Promise<void> {
    const held = !stream.ice && isNowhere(stream.address);
    const known = this.#lastStream;
    const remote = held && known ? { ...stream, address: known.address, port: known.port } : stream;
    this.#lastStream = remote;
    if (!this.#lent) await this.#phone?.connect({ ...remote, ...this.#whereabouts(remote) });
  }

  /** What its signaling says of where its media is. */
  #whereabouts({ address, ice }: PhoneStream): Pick<PhoneRemote, 'awaited' | 'signalingAddress'> {
    const signalingAddress = this.#signalingAddress();
    if (ice) return {};
    return { signalingAddress, ...(isElsewhere(address, signalingAddress, this.#networks.isNear) && { awaited: true }) };
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (!this.#lent) await this.#phone?.close();
  }

  #local(version: number): LocalDescription {
    if (!this.#phone) throw new InternalError('media described before it was opened');
    return { address: this.#addressOf(), port: this.#phone.localPort, sessionId: this.#sessionId, version, ...this.#speaks() };
  }

  #speaks(): Pick<LocalDescription, 'codecs' | 'security' | 'inUse' | 'ice' | 'families'> {
    const insistsOn = this.#isBrowser ? 'dtls' : this.#ladder.kind === 'usual' ? null : this.#ladder.kind;
    return { codecs: this.#codecs, families: this.#networks.families, security: { ...this.#security, opportunistic: this.#opportunistic, insistsOn }, inUse: this.#lastStream, ice: { secret: this.#iceSecret, offered: this.#offersIce } };
  }

  /** Where the offer has a fingerprint, and to who is known to speak it: others would get a longer INVITE for nothing. */
  get #offersIce(): boolean {
    const { policy } = this.#security;
    return this.#knowsIce || this.#isBrowser || this.#ladder.kind !== 'usual' || policy === 'require';
  }

  #newLadder(habit: PhoneHabit | null): OfferLadder {
    return new OfferLadder({ policy: this.#security.policy, hasDtls: this.#security.fingerprint !== undefined, first: habit?.kind ?? null });
  }

  /** RFC 3264 §8: the version goes up by one exactly when the description changes. */
  #body(write: (version: number) => string): SipBody {
    const plain = write(0);
    if (plain !== this.#described) this.#version++;
    this.#described = plain;
    return { contentType: 'application/sdp', bytes: Buffer.from(write(this.#version)) };
  }
}

/** Stands for ours where only the offer is looked at. */
const NO_CERTIFICATE = `sha-256 ${Array(32).fill('00').join(':')}`;

/** Throws SdpError unless the phone's offer holds something that may be spoken. Needs no socket: asked before a webhook is. */
export function checkOffer(offer: SipBody, { codecs = PHONE_CODECS, srtp = 'allow', families }: LegAudio = {}): void {
  answerPhoneOffer(sdpOf(offer), { address: '127.0.0.1', port: 9, sessionId: '1', version: 1, codecs, families, security: newSecurity(srtp, NO_CERTIFICATE), ice: { secret: '', offered: false } });
}

function sdpOf(body: SipBody): Uint8Array {
  const type = body.contentType.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/sdp') throw new SdpError('unacceptable', `a body of type ${type ?? ''} is not understood`);
  return body.bytes;
}
