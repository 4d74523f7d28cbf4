import { createSocket, type Socket } from 'node:dgram';
import type { Clock } from '../base/clock.ts';
import { systemClock } from '../base/clock.ts';
import { InternalError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import { g711, type G711 } from '../media/codec/g711.ts';
import { Ticker, type Ticked } from '../media/mix/ticker.ts';
import type { PhoneQuality, PhoneRemote } from '../media/protocol.ts';
import { DtmfReceiver, DtmfSender } from '../media/rtp/dtmf.ts';
import { isRtcp, parseRtp, RtpView } from '../media/rtp/packet.ts';
import { PhoneQualityMeter } from '../media/rtp/phone-quality-meter.ts';
import { PhoneSender } from '../media/rtp/phone-sender.ts';
import { Reception } from '../media/rtp/reception.ts';
import { HeardSound } from './heard-sound.ts';
import { SoundFrames, type PhoneSound } from './phone-sound.ts';

const OPEN_TRIES = 50;
/** Of G.711, which is all it speaks. */
const CLOCK_RATE_HZ = 8000;

/** One timer for all phones of the process. It stops when the last call is over. */
const ticker = new Ticker(systemClock, silentLog);

export interface PhoneAudioOptions {
  address: string;
  clock: Clock;
  sound: PhoneSound;
  /** How much of what is heard is kept. */
  keepMs: number;
  digitReceived: (digit: string) => void;
}

/** What came of the stream to the phone, and how that sounds without a word on delay from the other side. */
export type PhoneReception = Pick<PhoneQuality, 'codec' | 'scale' | 'rating' | 'mos'> & { packetsReceived: number; packetsLost: number; jitterMs: number };

/** The voice of one simulated call: an RTP socket that speaks every 20 ms and keeps what it hears. */
export class PhoneAudio implements Ticked {
  readonly localPort: number;
  readonly heard: HeardSound;
  readonly #socket: Socket;
  readonly #view = new RtpView();
  readonly #digitsIn = new DtmfReceiver();
  readonly #digitReceived: (digit: string) => void;
  readonly #sender: PhoneSender;
  readonly #reception = new Reception();
  readonly #arrival = { nowMs: 0, clockRateHz: CLOCK_RATE_HZ };
  readonly #clock: Clock;
  #sound: PhoneSound;
  #frames: SoundFrames | null = null;
  #remote: PhoneRemote | null = null;
  #law: G711 = g711('PCMU');
  #digitsOut: { sender: DtmfSender; done: () => void }[] = [];
  #closed = false;

  private constructor(socket: Socket, options: PhoneAudioOptions) {
    this.#socket = socket;
    this.localPort = socket.address().port;
    this.heard = new HeardSound({ now: () => options.clock.nowMs(), limitMs: options.keepMs });
    this.#sound = options.sound;
    this.#digitReceived = options.digitReceived;
    this.#clock = options.clock;
    this.#sender = new PhoneSender((packet) => this.#send(packet));
    socket.on('message', (packet) => this.#packetReceived(packet));
  }

  /** Binds an even port, as RTP likes it (RFC 3550 §11). */
  static async open(options: PhoneAudioOptions): Promise<PhoneAudio> {
    for (let tries = 0; tries < OPEN_TRIES; tries++) {
      const socket = await bound(options.address);
      if (socket.address().port % 2 === 0) return new PhoneAudio(socket, options);
      socket.close();
    }
    throw new InternalError(`no even UDP port to be had on ${options.address}`);
  }

  get packetsSent(): number {
    return this.#sender.packets;
  }

  get reception(): PhoneReception {
    const { received, lost, jitter } = this.#reception;
    const ptimeMs = this.#remote?.ptimeMs ?? 20;
    const { codec, scale, rating, mos } = new PhoneQualityMeter().judge({ codec: this.#law.codec, received, lost, late: 0, clockRateHz: CLOCK_RATE_HZ, ptimeMs });
    return { codec, scale, rating, mos, packetsReceived: received, packetsLost: lost, jitterMs: (jitter * 1000) / CLOCK_RATE_HZ };
  }

  /** What offer and answer settled; begins to speak. Again after each re-INVITE. */
  connect(remote: PhoneRemote): void {
    if (this.#closed) return;
    this.#remote = remote;
    this.#law = g711(remote.codec);
    this.#sender.configure(remote);
    this.#frames ??= new SoundFrames(this.#sound, this.#law);
    ticker.add(this);
  }

  /** Says something else from now on. */
  say(sound: PhoneSound): void {
    this.#sound = sound;
    this.#frames = this.#remote ? new SoundFrames(sound, this.#law) : null;
  }

  /** Presses keys (RFC 4733); resolves when the last one is through, or when the call is over. */
  sendDigits(digits: string): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((done) => this.#digitsOut.push({ sender: new DtmfSender(digits), done }));
  }

  tick(): void {
    if (this.#remote?.send !== true) return this.#sender.skip();
    const event = this.#nextEvent();
    if (event) this.#sender.event(event);
    else this.#sender.frame(this.#frames?.next() ?? null);
  }

  /** Idempotent. What was heard stays. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    ticker.remove(this);
    this.#socket.close();
    for (const { done } of this.#digitsOut) done();
    this.#digitsOut = [];
  }

  #nextEvent(): ReturnType<DtmfSender['step']> {
    const pressing = this.#digitsOut[0];
    if (!pressing) return null;
    const event = pressing.sender.step();
    if (pressing.sender.done) {
      this.#digitsOut.shift();
      pressing.done();
    }
    return event;
  }

  #send(packet: Buffer): void {
    if (this.#remote && !this.#closed) this.#socket.send(packet, this.#remote.port, this.#remote.address);
  }

  #packetReceived(packet: Buffer): void {
    const view = this.#view;
    if (isRtcp(packet) || !parseRtp(view, packet) || !this.#remote) return;
    this.#count(view);
    if (view.payloadType === this.#remote.payloadType) return this.heard.packetReceived(view, this.#law);
    if (view.payloadType !== this.#remote.dtmfPayloadType) return;
    const digit = this.#digitsIn.packetReceived(view.buffer, view.payloadOffset, { length: view.payloadLength, timestamp: view.timestamp });
    if (digit !== null) this.#digitReceived(digit);
  }

  #count(view: RtpView): void {
    if (this.#reception.received === 0 || view.ssrc !== this.#reception.ssrc) this.#reception.restart(view.ssrc);
    this.#arrival.nowMs = this.#clock.nowMs();
    this.#reception.packetReceived(view.sequenceNumber, view.timestamp, this.#arrival);
  }
}

/** Addresses are numeric: no resolver on the packet's way. */
function numericLookup(address: string, _options: unknown, callback: (error: null, address: string, family: number) => void): void {
  callback(null, address, 4);
}

function bound(address: string): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', lookup: numericLookup as never });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, address, () => {
      socket.off('error', reject);
      // What comes back by ICMP when the other side is gone.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}
