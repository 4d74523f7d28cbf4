import type { RemoteInfo } from 'node:dgram';
import { isIP } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { silentLog, type Log } from '../../base/log.ts';
import type { MixOutput } from '../mix/room-mixer.ts';
import { PhoneVoice } from '../mix/phone-voice.ts';
import type { WideStream } from '../mix/wide-stream.ts';
import type { Ticked } from '../mix/ticker.ts';
import type { PcmSource } from '../play/pcm-source.ts';
import { MediaError, type PhoneCodec, type PhoneMediaStats, type PhoneQuality, type PhoneRemote, type PlayOutcome } from '../protocol.ts';
import { DtmfReceiver, DtmfSender } from '../rtp/dtmf.ts';
import { FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';
import { isRtcp, parseRtp, RtpView } from '../rtp/packet.ts';
import { PhoneReports } from '../rtp/phone-reports.ts';
import { PhoneSender } from '../rtp/phone-sender.ts';
import { PhoneQualityMeter } from '../rtp/phone-quality-meter.ts';
import { Reception } from '../rtp/reception.ts';
import { ReportLatch } from '../rtp/report-latch.ts';
import { SourceLatch } from '../rtp/source-latch.ts';
import { PhoneCipher } from './phone-srtp.ts';
import { phoneCodecPath, type PhoneCodecPath } from './phone-codec-path.ts';
import { PhoneTaps, type PhoneTap, type SentFrame } from './phone-taps.ts';
import type { DtlsIdentity } from './dtls-identity.ts';
import { canonicalAddress } from './ip-address.ts';
import { PhonePath } from './phone-path.ts';
import type { PortPool } from './port-pool.ts';

export const DEFAULT_MEDIA_TIMEOUT_MS = 60_000;
/** RFC 3551 §6: comfort noise, which means nothing else. */
const COMFORT_NOISE = 13;
/** For the DTLS handshake of a phone that is expected to send. */
const HANDSHAKE_MS = 30_000;
/** A pipe that has brought nothing for this long is filled up with silence. */
const PIPE_FRESH_MS = 60;

export interface PhoneTransportEvents {
  digitReceived(digit: string): void;
  firstPacketReceived(): void;
  mediaTimedOut(): void;
  /** Its DTLS handshake failed, or did not come in 30 s. At most once. */
  securityFailed(why: string): void;
}

export interface PhoneTransportOptions {
  id: string;
  bindAddress: string;
  ports: PortPool;
  /** 0 means never. */
  mediaTimeoutMs: number;
  clock: Clock;
  /** Absent: nothing is logged. */
  log?: Log;
  /** Absent: no DTLS. */
  identity?: DtlsIdentity | undefined;
  events: PhoneTransportEvents;
}

/** Where a phone's valid voice packets go besides its own jitter buffer: a room's track, a pipe. */
export interface VoiceOutlet {
  packetReceived(view: RtpView, codec: string, nowMs: number): void;
  /** Comfort noise in place of voice of `codec`. */
  noiseReceived(view: RtpView, codec: string, nowMs: number): void;
}

/** RFC 3550 §11, unless the SDP says. */
function rtcpPortOf({ port, rtcpPort }: PhoneRemote): number {
  return rtcpPort ?? port + 1;
}

function sameWishes(a: PhoneRemote, b: PhoneRemote): boolean {
  return a.opus?.fec === b.opus?.fec && a.opus?.maxBitrateBps === b.opus?.maxBitrateBps;
}

interface Playing {
  source: PcmSource;
  done(outcome: PlayOutcome): void;
}

interface Dialling {
  sender: DtmfSender;
  done(): void;
}

/**
 * One phone's plain RTP: receives, judges and hands on its packets; sends one packet per packet time for as long as it is
 * connected, of a prompt, keys, the room's mix, a pipe, or silence. It is stepped every 20 ms by its room or, while it is in none, by the
 * worker's ticker through `idle`.
 */
export class PhoneTransport implements MixOutput {
  readonly id: string;
  readonly voice = new PhoneVoice('PCMU');
  readonly ownVoice = this.voice;
  /** Steps the phone while no room does. */
  readonly idle: Ticked = { tick: (nowMs) => this.tick(null, nowMs) };
  readonly #options: PhoneTransportOptions;
  readonly #view = new RtpView();
  readonly #latch = new SourceLatch();
  readonly #reportLatch = new ReportLatch();
  readonly #reception = new Reception();
  readonly #quality = new PhoneQualityMeter();
  readonly #reports: PhoneReports;
  readonly #dtmfIn = new DtmfReceiver();
  readonly #sender: PhoneSender;
  readonly #pcm = new Int16Array(FRAME_SAMPLES);
  readonly #arrival = { nowMs: 0, clockRateHz: 8000 };
  readonly #report = Buffer.alloc(256);
  readonly #taps = new PhoneTaps();
  #path: PhoneCodecPath = phoneCodecPath({ codec: 'PCMU' });
  readonly #step = { path: this.#path, nowMs: 0 };
  #pair: PhonePath | null = null;
  /** Set while the phone is in a room or on a pipe. */
  #outlet: VoiceOutlet | null = null;
  /** True while a mixer pulls `voice`. */
  #mixed = false;
  #remote: PhoneRemote | null = null;
  /** Null: plain RTP. */
  #cipher: PhoneCipher | null = null;
  #comfortNoise = COMFORT_NOISE;
  #playing: Playing | null = null;
  #dialling: Dialling | null = null;
  #heard = false;
  #timedOut = false;
  #insecure = false;
  #lastHeardMs = 0;
  /** When nothing was to be secured, or was. */
  #securedMs = 0;
  #discarded = 0;
  #pipeMs = -Infinity;

  private constructor(options: PhoneTransportOptions) {
    this.id = options.id;
    this.#options = options;
    this.#reports = new PhoneReports(`${options.id}@partyline`);
    this.#sender = new PhoneSender((packet) => this.#pair?.sendRtp(this.#sealed(packet), this.#latch));
  }

  /** Rejects with MediaError `no-port`. */
  static async open(options: PhoneTransportOptions): Promise<PhoneTransport> {
    const phone = new PhoneTransport(options);
    phone.#pair = await PhonePath.open(options.ports, {
      ...options,
      log: options.log ?? silentLog,
      handlers: { rtpReceived: (packet, from) => phone.#received(packet, from), rtcpReceived: (packet, from) => phone.#reportReceived(packet, from), securityFailed: (why) => phone.#securityFailed(why) },
    });
    return phone;
  }

  get localPort(): number {
    return this.#pair?.port ?? 0;
  }

  get codec(): PhoneCodec {
    return this.#remote?.codec ?? 'PCMU';
  }

  get stream(): WideStream | null {
    return this.#path.stream;
  }

  get connected(): boolean {
    return this.#remote !== null;
  }

  get wantsMix(): boolean {
    return this.#remote?.send === true && this.#playing === null && this.#dialling === null;
  }

  /** What offer/answer settled; again after each re-INVITE. Throws MediaError `bad-request` for what is no IP address and port, and for DTLS where there is none. */
  connect(given: PhoneRemote): void {
    if (isIP(given.address) === 0 || !(given.port > 0 && given.port < 65_536)) {
      throw new MediaError('bad-request', `the phone's media address is not an IP address and port: ${given.address} ${given.port}`);
    }
    this.#pair?.configure({ ...given, address: canonicalAddress(given.address) });
    const nowMs = this.#options.clock.nowMs();
    const before = this.#remote;
    // Hold of old (RFC 3264 §8.4): there is nowhere to send to until the next offer.
    const address = canonicalAddress(given.address);
    const isNowhere = !given.ice && !given.awaited && (address === '0.0.0.0' || address === '::');
    const remote = { ...given, address, send: given.send && !isNowhere };
    this.#remote = remote;
    this.#cipher = PhoneCipher.of(remote.srtp, this.#cipher);
    if (given.anotherPhone) this.#latch.phoneLeft();
    if (given.anotherPhone) this.#insecure = false;
    if (!isNowhere) this.#target(remote, nowMs);
    this.#sender.configure(remote);
    this.#comfortNoise = remote.comfortNoisePayloadType ?? COMFORT_NOISE;
    if (before?.codec !== remote.codec || !sameWishes(before, remote)) this.#codecChanged(remote);
    if (!before) this.#reports.start(nowMs);
    if (!before?.receive || remote.anotherPhone) this.#lastHeardMs = nowMs;
    if (before?.dtls?.fingerprint !== remote.dtls?.fingerprint) this.#securedMs = nowMs;
    this.#timedOut = false;
  }

  #codecChanged(remote: PhoneRemote): void {
    this.#path.close();
    this.#path = phoneCodecPath(remote);
    this.#arrival.clockRateHz = this.#path.clockRateHz;
    this.voice.restart(remote.codec);
    this.#taps.pipeEnded();
  }

  #target(remote: PhoneRemote, nowMs: number): void {
    this.#latch.targetGiven(remote, nowMs);
    this.#reportLatch.targetGiven({ ...remote, port: rtcpPortOf(remote) });
  }

  /** Stops what is playing; resolves when this has been heard to its end or was stopped. */
  play(source: PcmSource): Promise<PlayOutcome> {
    this.stopPlaying('stopped');
    return new Promise((resolve) => (this.#playing = { source, done: resolve }));
  }

  stopPlaying(outcome: PlayOutcome = 'stopped'): void {
    const playing = this.#playing;
    this.#playing = null;
    playing?.done(outcome);
  }

  /** Resolves when all keys have gone. Keys that are still going out go first. */
  async sendDigits(digits: string): Promise<void> {
    while (this.#dialling) await this.#dialled;
    if (!this.#pair) return;
    this.#dialled = new Promise((resolve) => (this.#dialling = { sender: new DtmfSender(digits), done: resolve }));
    return this.#dialled;
  }
  #dialled: Promise<void> = Promise.resolve();

  /** A 20 ms step. `mix` is a frame of this phone's codec, or null outside a room. */
  tick(mix: Uint8Array | null, nowMs: number): void {
    const remote = this.#remote;
    if (!remote || !this.#pair) return;
    this.#watch(remote, nowMs);
    if (this.#reports.due(nowMs)) this.#sendReport(nowMs, false);
    const sent = this.#send(remote, mix, nowMs);
    if (this.#taps.on) this.#tapFrame(sent, nowMs);
  }

  #send(remote: PhoneRemote, mix: Uint8Array | null, nowMs: number): SentFrame {
    if (this.#dialling && this.#dial(remote)) return null;
    const prompt = this.#playing !== null && this.#readPrompt();
    if (!remote.send) {
      this.#sender.skip();
      return null;
    }
    if (!prompt && nowMs - this.#pipeMs <= PIPE_FRESH_MS) return 'pipe';
    const frame = prompt ? this.#path.encode(this.#pcm, nowMs) : (mix ?? this.#path.silence(nowMs));
    if (frame === null) this.#sender.skip();
    else this.#sender.frame(frame);
    return prompt || mix !== null ? frame : null;
  }

  /** Lets `tap` hear what comes from and goes to the phone, until it is removed or the phone closes. */
  addTap(tap: PhoneTap): void {
    if (!this.#taps.on && !this.#mixed) this.voice.restart(this.codec);
    this.#taps.add(tap);
  }

  removeTap(tap: PhoneTap): void {
    this.#taps.remove(tap);
  }

  #tapFrame(sent: SentFrame, nowMs: number): void {
    // In a room the mixer has pulled it for this step.
    const talking = this.#mixed ? this.voice.talking : this.voice.pull(nowMs);
    this.#step.path = this.#path;
    this.#step.nowMs = nowMs;
    this.#taps.frame(talking ? this.voice.pcm : null, sent, this.#step);
  }

  /** From now on a mixer pulls `voice` and steps this phone. */
  enterRoom(outlet: VoiceOutlet): void {
    this.voice.restart(this.codec);
    this.#mixed = true;
    this.#outlet = outlet;
  }

  leaveRoom(): void {
    this.#mixed = false;
    this.#outlet = null;
  }

  /** The phone's voice goes to a room elsewhere; `pipeReceived` brings the room's. */
  enterPipe(outlet: VoiceOutlet): void {
    this.#outlet = outlet;
  }

  /** A packet of the room's mix came over a pipe: the phone gets it at once. */
  pipeReceived(view: RtpView, nowMs: number): void {
    this.#pipeMs = nowMs;
    if (this.#taps.on) this.#taps.pipeReceived(view, this.codec, nowMs);
    if (this.wantsMix) this.#sender.relay(view.buffer, { offset: view.payloadOffset, length: view.payloadLength, timestampStep: this.#path.unitsOf(view.payloadLength) });
  }

  /** The pipe is gone: silence from the next step on. */
  pipeClosed(): void {
    this.#outlet = null;
    this.#pipeMs = -Infinity;
    this.#taps.pipeEnded();
  }

  stats(): PhoneMediaStats {
    return {
      packetsReceived: this.#reception.received,
      packetsSent: this.#sender.packets,
      packetsLost: this.#reception.lost,
      packetsDiscarded: this.#discarded + this.voice.discarded,
      jitterMs: (this.#reception.jitter * 1000) / this.#path.clockRateHz,
      quality: this.#judged(),
    };
  }

  #judged(): PhoneQuality {
    const { received, lost } = this.#reception;
    return this.#quality.judge({ codec: this.codec, received, lost, late: this.voice.discarded, clockRateHz: this.#path.clockRateHz, ptimeMs: this.#remote?.ptimeMs ?? 20 });
  }

  /** Says BYE and closes the sockets; idempotent. What was playing ends as `stopped`. */
  close(): void {
    if (!this.#pair) return;
    const nowMs = this.#options.clock.nowMs();
    if (this.#remote) this.#sendReport(nowMs, true);
    this.#pair.close(nowMs);
    this.#pair = null;
    this.stopPlaying();
    this.#dialling?.done();
    this.#dialling = null;
    this.#taps.phoneClosed();
    this.#path.close();
    this.voice.close();
  }

  #received(packet: Buffer, from: RemoteInfo | null): void {
    const clear = this.#cipher ? this.#cipher.open(packet) : packet;
    if (clear === null) this.#discard();
    else if (!isRtcp(clear)) this.#rtpReceived(clear, from);
    else if (from === null || this.#cipher || from.address === this.#latch.address) this.#rtcpReceived(clear);
  }

  /** On a port of its own: from the address that the voice comes from it shows where behind a NAT the phone's RTCP port is. */
  #reportReceived(packet: Buffer, from: RemoteInfo | null): void {
    const clear = this.#cipher ? this.#cipher.open(packet) : packet;
    if (!clear) return;
    const isTheirs = from === null || this.#reportLatch.accepts(from, this.#heard ? this.#latch.address : '');
    if (isTheirs || this.#cipher) this.#rtcpReceived(clear);
  }

  #sealed(packet: Buffer): Buffer {
    return this.#cipher ? this.#cipher.seal(packet) : packet;
  }

  #rtpReceived(packet: Buffer, from: RemoteInfo | null): void {
    const remote = this.#remote;
    if (!remote) return;
    const nowMs = this.#options.clock.nowMs();
    const view = this.#view;
    if (!parseRtp(view, packet)) return this.#discard();
    const isVoice = view.payloadType === remote.payloadType;
    const isNoise = view.payloadType === this.#comfortNoise;
    if (!isVoice && !isNoise && view.payloadType !== remote.dtmfPayloadType) return this.#discard();
    if (from && !this.#isThePhone(from, nowMs)) return this.#discard();
    this.#count(view, nowMs);
    if (isVoice) this.#voiceReceived(view, nowMs);
    else if (isNoise) this.#noiseReceived(view, nowMs);
    else this.#keyReceived(view);
  }

  /** A packet that its keys have proven shows where the phone is now. */
  #isThePhone({ address, port }: RemoteInfo, nowMs: number): boolean {
    if (this.#cipher) this.#latch.moved(address, port, nowMs);
    return this.#cipher !== null || this.#latch.accepts(address, port, nowMs);
  }

  #discard(): void {
    this.#discarded++;
  }

  #count(view: RtpView, nowMs: number): void {
    this.#lastHeardMs = nowMs;
    this.#timedOut = false;
    if (!this.#heard || view.ssrc !== this.#reception.ssrc) {
      this.#reception.restart(view.ssrc);
      this.voice.restart(this.codec);
      this.#dtmfIn.reset();
    }
    this.#arrival.nowMs = nowMs;
    this.#reception.packetReceived(view.sequenceNumber, view.timestamp, this.#arrival);
    if (this.#heard) return;
    this.#heard = true;
    this.#options.events.firstPacketReceived();
  }

  #voiceReceived(view: RtpView, nowMs: number): void {
    if (view.payloadLength === 0) return;
    view.audioLevel = -1;
    if (this.#mixed || this.#taps.on) this.voice.packetReceived(view, nowMs);
    this.#outlet?.packetReceived(view, this.#path.name, nowMs);
  }

  /** RFC 3389: the phone says nothing, and nothing of it is lost. */
  #noiseReceived(view: RtpView, nowMs: number): void {
    if (this.#mixed || this.#taps.on) this.voice.silenceReceived(view);
    this.#outlet?.noiseReceived(view, this.#path.name, nowMs);
  }

  #keyReceived(view: RtpView): void {
    const digit = this.#dtmfIn.packetReceived(view.buffer, view.payloadOffset, { length: view.payloadLength, timestamp: view.timestamp });
    if (digit !== null) this.#options.events.digitReceived(digit);
  }

  #rtcpReceived(packet: Buffer): void {
    const { clock } = this.#options;
    const own = this.#reports.received(packet, this.#sender.ssrc, clock.nowMs());
    if (own) this.#quality.remote.reportReceived(own, clock.wallMs());
  }

  #watch(remote: PhoneRemote, nowMs: number): void {
    const { mediaTimeoutMs } = this.#options;
    if (!remote.receive || !remote.dtls || this.#pair?.secured) this.#securedMs = nowMs;
    else if (nowMs - this.#securedMs >= HANDSHAKE_MS) this.#securityFailed('no DTLS association in 30 s');
    // A phone that holds us (RFC 3264 §8.4: sendonly) may send music, and mostly sends nothing.
    if (!remote.receive || !remote.send) this.#lastHeardMs = nowMs;
    if (mediaTimeoutMs === 0 || this.#timedOut || nowMs - this.#lastHeardMs < mediaTimeoutMs) return;
    this.#timedOut = true;
    this.#options.events.mediaTimedOut();
  }

  #securityFailed(why: string): void {
    if (!this.#insecure) this.#options.events.securityFailed(why);
    this.#insecure = true;
  }

  /** True when this step belongs to a key. Without telephone-event the keys are left out: nothing else was negotiated. */
  #dial(remote: PhoneRemote): boolean {
    const dialling = this.#dialling as Dialling;
    const packet = dialling.sender.step();
    if (packet && remote.send && remote.dtmfPayloadType !== null) this.#sender.event(packet);
    if (dialling.sender.done) {
      this.#dialling = null;
      dialling.done();
    }
    return packet !== null && remote.send && remote.dtmfPayloadType !== null;
  }

  #readPrompt(): boolean {
    const pcm = this.#pcm;
    if ((this.#playing as Playing).source.read(pcm) === 0) {
      this.stopPlaying('finished');
      return false;
    }
    return true;
  }

  #sendReport(nowMs: number, bye: boolean): void {
    if (this.#mixed) this.#quality.bufferSeen(this.voice.delayMs);
    const reception = this.#heard ? this.#reception : null;
    const length = this.#reports.write(this.#report, { sender: this.#sender, reception, nowMs, wallMs: this.#options.clock.wallMs(), bye });
    if (!this.#remote) return;
    const muxed = rtcpPortOf(this.#remote) === this.#remote.port;
    const report = this.#sealed(this.#report.subarray(0, length));
    if (muxed) this.#pair?.sendRtp(report, this.#latch);
    else this.#pair?.sendRtcp(report, this.#reportLatch);
  }
}
