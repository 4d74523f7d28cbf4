import { randomInt } from 'node:crypto';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { TrackSid } from '../../base/sid.ts';
import { MediaError } from '../protocol.ts';
import type { BrowserMediaStats, LocalIceDtls, ReceiveTrack, RemoteIceDtls, SendTrack } from '../protocol.ts';
import { PacketScratch } from '../forward/packet-scratch.ts';
import { PublishedTrack } from '../forward/published-track.ts';
import type { PublisherFeedback } from '../forward/published-track.ts';
import { Subscription } from '../forward/subscription.ts';
import type { SubscriberOutput } from '../forward/subscription.ts';
import type { TrackRegistry } from '../forward/track.ts';
import { TwccRecorder } from '../forward/twcc-recorder.ts';
import { extensionDataLength, findExtension, isRtcp, parseRtp, RtpView } from '../rtp/packet.ts';
import type { ReportBlock } from '../rtp/rtcp.ts';
import {
  PSFB_AFB,
  PSFB_FIR,
  PSFB_PLI,
  readFir,
  readNack,
  readRemb,
  readReportBlocks,
  readSenderInfo,
  RTCP_PSFB,
  RTCP_RR,
  RTCP_RTPFB,
  RTCP_SR,
  RtcpCursor,
  RTPFB_NACK,
  writeNack,
  writePli,
  writeReceiverReport,
} from '../rtp/rtcp-feedback.ts';
import { StateChannel } from './state-channel.ts';
import { WebRtcDemux } from './webrtc-demux.ts';
import { preloadWebRtc, WebRtcPeer } from './webrtc-peer.ts';
import type { WebRtcSettings } from './webrtc-peer.ts';

export const TRANSPORT_CC_URI = 'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01';

export interface WebRtcTransportOptions {
  id: string;
  remote: RemoteIceDtls;
  registry: TrackRegistry;
  settings: WebRtcSettings;
  clock: Clock;
  log: Log;
  events: { connected(): void; failed(): void };
}

/** Transport-wide feedback: Chrome's estimator wants it about this often. */
const TICK_MS = 50;
const REPORT_MS = 1000;
/** The old transport of an ICE restart serves this long beside the new one. */
const OLD_PEER_MS = 200;
const DEFAULT_RTT_MS = 100;
const MAX_CHANNELS = 16;

/** One browser: its published tracks and its subscriptions over one ICE+DTLS+SRTP transport. */
export class WebRtcTransport {
  #options: WebRtcTransportOptions;
  #peer: WebRtcPeer | null = null;
  /** The one before an ICE restart, for its last 200 ms. */
  #oldPeer: WebRtcPeer | null = null;
  #ticking = false;
  #generation = 0;
  #closed = false;
  #timers = new Set<Timer>();
  #demux = new WebRtcDemux();
  #published = new Map<TrackSid, PublishedTrack>();
  #subscriptions = new Map<number, Subscription>();
  #bySsrc = new Map<number, Subscription>();
  #channels = new Map<string, StateChannel>();
  #ownSsrc = randomInt(1, 0xffffffff);
  #twcc = new TwccRecorder(this.#ownSsrc);
  #twccId = 0;
  #view = new RtpView();
  #cursor = new RtcpCursor();
  #nacked: number[] = [];
  #lastReportMs = -Infinity;
  #stats: BrowserMediaStats = { bytesReceived: 0, bytesSent: 0, packetsReceived: 0, packetsSent: 0 };
  #rttMs = DEFAULT_RTT_MS;
  #rembBps: number | null = null;
  #feedback: PublisherFeedback;
  #output: SubscriberOutput;

  /** Spends the first transport's start-up cost ahead. */
  static preload(): void {
    preloadWebRtc();
  }

  /** Resolves when our side can be written into an SDP. Rejects with MediaError. */
  static async create(options: WebRtcTransportOptions): Promise<WebRtcTransport> {
    const transport = new WebRtcTransport(options);
    await transport.#openPeer(options.remote);
    return transport;
  }

  private constructor(options: WebRtcTransportOptions) {
    this.#options = options;
    this.#feedback = this.#makeFeedback();
    this.#output = this.#makeOutput();
  }

  get local(): LocalIceDtls {
    return this.#openPeerOrThrow().local;
  }

  #openPeerOrThrow(): WebRtcPeer {
    if (!this.#peer) throw new MediaError('closed', 'the browser transport is closed');
    return this.#peer;
  }

  async #openPeer(remote: RemoteIceDtls): Promise<WebRtcPeer> {
    const generation = ++this.#generation;
    const { id, settings, clock, log, events } = this.#options;
    const current = (): boolean => generation === this.#generation && !this.#closed;
    const peer = await WebRtcPeer.open({
      id: `${id}-${generation}`,
      remote,
      settings,
      clock,
      log,
      events: {
        packetReceived: (packet) => this.#packetReceived(packet),
        connected: () => {
          if (current()) this.#connected();
        },
        failed: (reason) => {
          if (!current()) return;
          log.info({ transport: id, reason }, 'browser transport failed');
          events.failed();
        },
      },
    });
    if (this.#closed || generation !== this.#generation) {
      peer.close();
      throw new MediaError('closed', 'the browser transport was closed meanwhile');
    }
    this.#peer = peer;
    for (const channel of this.#channels.values()) peer.openChannel(channel);
    return peer;
  }

  /**
   * libjuice cannot restart ICE, so a new peer with a fresh certificate takes over: the browser sees another fingerprint, runs
   * DTLS again and keeps its RTP streams; ours go on too.
   */
  async restartIce(remote: RemoteIceDtls): Promise<LocalIceDtls> {
    const old = this.#openPeerOrThrow();
    const peer = await this.#openPeer(remote);
    this.#oldPeer?.close();
    this.#oldPeer = old;
    this.#after(OLD_PEER_MS, () => old.close());
    return peer.local;
  }

  #connected(): void {
    if (!this.#ticking) this.#tick();
    for (const subscription of this.#subscriptions.values()) subscription.transportConnected();
    for (const track of this.#published.values()) track.requestKeyFrame();
    this.#options.events.connected();
  }

  #after(delayMs: number, fn: () => void): void {
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      fn();
    });
    this.#timers.add(timer);
  }

  /** The complete list of what the browser publishes. */
  setReceiveTracks(tracks: ReceiveTrack[]): void {
    if (this.#closed) return;
    const listed = new Set(tracks.map((track) => track.trackSid));
    for (const [trackSid, track] of this.#published) if (!listed.has(trackSid)) this.#endTrack(track);
    const added: PublishedTrack[] = [];
    const routes = tracks.map((description) => {
      const known = this.#published.get(description.trackSid);
      known?.update(description);
      const published = known ?? new PublishedTrack(description, { feedback: this.#feedback, clock: this.#options.clock });
      if (!known) added.push(published);
      this.#published.set(description.trackSid, published);
      return { description, published };
    });
    this.#demux.reset(routes);
    // All m-lines of a bundle number an extension alike (RFC 8843 §10).
    this.#twccId = tracks.map((track) => track.extensions[TRANSPORT_CC_URI] ?? 0).find((id) => id > 0) ?? 0;
    for (const track of added) this.#options.registry.addSource(track);
  }

  #endTrack(track: PublishedTrack): void {
    this.#published.delete(track.trackSid);
    this.#options.registry.removeSource(track);
    track.end();
  }

  /** The complete list of what the browser gets; a track is known again by its SSRC. */
  setSendTracks(tracks: SendTrack[]): void {
    if (this.#closed) return;
    const listed = new Set(tracks.map((track) => track.ssrc));
    for (const [ssrc, subscription] of this.#subscriptions) {
      if (listed.has(ssrc)) continue;
      subscription.close();
      this.#subscriptions.delete(ssrc);
    }
    for (const track of tracks) this.#setSendTrack(track);
    this.#bySsrc.clear();
    for (const subscription of this.#subscriptions.values()) {
      this.#bySsrc.set(subscription.ssrc, subscription);
      if (subscription.rtxSsrc !== undefined) this.#bySsrc.set(subscription.rtxSsrc, subscription);
    }
  }

  #setSendTrack(track: SendTrack): void {
    const known = this.#subscriptions.get(track.ssrc);
    if (known) return known.update(track);
    const { registry, clock } = this.#options;
    this.#subscriptions.set(track.ssrc, new Subscription(track, { registry, output: this.#output, clock }));
  }

  #packetReceived(packet: Buffer): void {
    if (this.#closed) return;
    const nowMs = this.#options.clock.nowMs();
    this.#stats.bytesReceived += packet.length;
    this.#stats.packetsReceived++;
    if (isRtcp(packet)) this.#rtcpReceived(packet, nowMs);
    else this.#rtpReceived(packet, nowMs);
  }

  #rtpReceived(packet: Buffer, nowMs: number): void {
    const view = this.#view;
    if (!parseRtp(view, packet)) return;
    if (this.#twccId > 0) this.#recordArrival(view, nowMs);
    const route = this.#demux.route(view);
    if (!route) return;
    if (route.rtx) route.track.retransmissionReceived(view, route.stream, nowMs);
    else route.track.packetReceived(view, route.stream, nowMs);
  }

  #recordArrival(view: RtpView, nowMs: number): void {
    const offset = findExtension(view, this.#twccId);
    if (offset >= 0 && extensionDataLength.value >= 2) this.#twcc.packetReceived(view.buffer.readUInt16BE(offset), view.ssrc, nowMs);
  }

  #rtcpReceived(packet: Buffer, nowMs: number): void {
    const cursor = this.#cursor;
    cursor.reset(packet);
    while (cursor.next()) {
      if (cursor.type === RTCP_SR) this.#senderReportReceived(cursor, nowMs);
      if (cursor.type === RTCP_SR || cursor.type === RTCP_RR) this.#reportsReceived(cursor, nowMs);
      else if (cursor.type === RTCP_RTPFB && cursor.count === RTPFB_NACK) this.#nackReceived(cursor, nowMs);
      else if (cursor.type === RTCP_PSFB) this.#payloadFeedbackReceived(cursor);
    }
  }

  #senderReportReceived(cursor: RtcpCursor, nowMs: number): void {
    const info = readSenderInfo(cursor);
    if (!info) return;
    const route = this.#demux.routeOf(info.ssrc);
    if (route && !route.rtx) route.stream.senderReportReceived(info, nowMs);
  }

  #reportsReceived(cursor: RtcpCursor, nowMs: number): void {
    for (const block of readReportBlocks(cursor)) {
      const rttMs = this.#bySsrc.get(block.ssrc)?.reportReceived(block, nowMs) ?? null;
      if (rttMs !== null) this.#rttMs += (rttMs - this.#rttMs) / 4;
    }
  }

  #nackReceived(cursor: RtcpCursor, nowMs: number): void {
    this.#nacked.length = 0;
    readNack(cursor, this.#nacked);
    const subscription = this.#subscriptions.get(cursor.mediaSsrc);
    subscription?.nackReceived(this.#nacked, nowMs);
  }

  #payloadFeedbackReceived(cursor: RtcpCursor): void {
    if (cursor.count === PSFB_PLI) this.#bySsrc.get(cursor.mediaSsrc)?.keyFrameRequested();
    else if (cursor.count === PSFB_FIR) for (const ssrc of readFir(cursor)) this.#bySsrc.get(ssrc)?.keyFrameRequested();
    else if (cursor.count === PSFB_AFB) this.#rembBps = readRemb(cursor) ?? this.#rembBps;
  }

  /** Every 50 ms while connected: what feedback, reports and repeated requests are due. */
  #tick(): void {
    this.#ticking = true;
    const nowMs = this.#options.clock.nowMs();
    if (this.#peer?.isOpen) {
      for (const packet of this.#twcc.takeFeedback()) this.#send(packet);
      for (const track of this.#published.values()) track.tick(nowMs);
      if (nowMs - this.#lastReportMs >= REPORT_MS) this.#sendReceiverReports(nowMs);
      this.#sendSenderReports(nowMs);
    }
    this.#after(TICK_MS, () => this.#tick());
  }

  #sendReceiverReports(nowMs: number): void {
    this.#lastReportMs = nowMs;
    const blocks: ReportBlock[] = [];
    for (const track of this.#published.values()) track.reportBlocks(nowMs, blocks);
    for (let i = 0; i < blocks.length; i += 31) this.#send(writeReceiverReport(this.#ownSsrc, blocks.slice(i, i + 31)));
  }

  #sendSenderReports(nowMs: number): void {
    for (const subscription of this.#subscriptions.values()) {
      const report = subscription.takeSenderReport(nowMs);
      if (report) this.#send(report);
    }
  }

  #send(packet: Buffer): boolean {
    const peer = this.#peer?.isOpen ? this.#peer : this.#oldPeer;
    if (!peer?.send(packet)) return false;
    this.#stats.bytesSent += packet.length;
    this.#stats.packetsSent++;
    return true;
  }

  #makeFeedback(): PublisherFeedback {
    const rtt = (): number => this.#rttMs;
    return {
      sendPli: (ssrc) => this.#send(writePli(this.#ownSsrc, ssrc)),
      sendNack: (ssrc, sequenceNumbers) => void this.#send(writeNack(this.#ownSsrc, ssrc, sequenceNumbers)),
      get rttMs() {
        return rtt();
      },
    };
  }

  #makeOutput(): SubscriberOutput {
    const open = (): boolean => (this.#peer?.isOpen || this.#oldPeer?.isOpen) ?? false;
    return {
      scratch: new PacketScratch(),
      sendRtp: (packet) => void this.#send(packet),
      get open() {
        return open();
      },
    };
  }

  /** The state a data channel of this label carries: the latest text is what the browser gets. The first one opens the channel. */
  showState(label: string, text: string): void {
    if (this.#closed) return;
    let channel = this.#channels.get(label);
    if (!channel) {
      if (this.#channels.size >= MAX_CHANNELS) throw new MediaError('bad-request', `a browser has ${MAX_CHANNELS} channels at most`);
      this.#channels.set(label, (channel = new StateChannel(label)));
      this.#peer?.openChannel(channel);
    }
    channel.show(text);
  }

  stats(): BrowserMediaStats {
    return { ...this.#stats };
  }

  /** What the browser says it can receive, in bit/s; null when it has not said. */
  get receiveEstimateBps(): number | null {
    return this.#rembBps;
  }

  /** Ends its tracks and subscriptions. No event follows. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    for (const subscription of this.#subscriptions.values()) subscription.close();
    this.#subscriptions.clear();
    this.#bySsrc.clear();
    for (const track of [...this.#published.values()]) this.#endTrack(track);
    this.#oldPeer?.close();
    this.#peer?.close();
    this.#oldPeer = null;
    this.#peer = null;
  }
}
