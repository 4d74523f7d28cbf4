import { randomInt } from 'node:crypto';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { TrackSid } from '../../base/sid.ts';
import { MediaError } from '../protocol.ts';
import { BrowserData } from '../data/browser-data.ts';
import type { DataRelay } from '../data/data-relay.ts';
import type { BrowserMediaStats, BrowserQuality, DataTracks, FlowQuality, LayerDemand, LocalIceDtls, ReceiveTrack, RemoteIceDtls, SendTrack, TrackKind, VideoPolicy } from '../protocol.ts';
import { Downlink } from '../forward/downlink.ts';
import type { DownlinkPath } from '../forward/downlink.ts';
import { PublishedTrack } from '../forward/published-track.ts';
import type { PublisherFeedback } from '../forward/published-track.ts';
import { TRANSPORT_CC_URI } from '../forward/subscription.ts';
import type { TrackRegistry } from '../forward/track.ts';
import { TwccRecorder } from '../forward/twcc-recorder.ts';
import { extensionDataLength, findExtension, isRtcp, parseRtp, RtpView } from '../rtp/packet.ts';
import type { ReportBlock } from '../rtp/rtcp.ts';
import { readSenderInfo, RTCP_SR, RtcpCursor, writeNack, writePli, writeReceiverReport } from '../rtp/rtcp-feedback.ts';
import { TextChannel } from './text-channel.ts';
import { WebRtcDemux } from './webrtc-demux.ts';
import { preloadWebRtc, WebRtcPeer } from './webrtc-peer.ts';
import type { WebRtcSettings } from './webrtc-peer.ts';

export interface BrowserTransportEvents {
  connected(): void;
  failed(): void;
  channelMessage(label: string, text: string): void;
  videoSwitched(off: TrackSid[], on: TrackSid[]): void;
  layersWanted(demand: LayerDemand): void;
}

export interface WebRtcTransportOptions {
  id: string;
  remote: RemoteIceDtls;
  registry: TrackRegistry;
  /** The data tracks of its room. */
  data: DataRelay;
  settings: WebRtcSettings;
  clock: Clock;
  log: Log;
  events: BrowserTransportEvents;
}

/** Transport-wide feedback: Chrome's estimator wants it about this often. */
const TICK_MS = 50;
const REPORT_MS = 1000;
/** The old transport of an ICE restart serves this long beside the new one. */
const OLD_PEER_MS = 200;
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
  #channels = new Map<string, TextChannel>();
  #data: BrowserData;
  #ownSsrc = randomInt(1, 0xffffffff);
  #twcc = new TwccRecorder(this.#ownSsrc);
  #twccId = 0;
  #view = new RtpView();
  #cursor = new RtcpCursor();
  #lastReportMs = -Infinity;
  #stats: BrowserMediaStats = { bytesReceived: 0, bytesSent: 0, packetsReceived: 0, packetsSent: 0 };
  #feedback: PublisherFeedback;
  #downlink: Downlink;

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
    this.#data = new BrowserData({ browserId: options.id, relay: options.data, clock: options.clock, log: options.log });
    this.#feedback = this.#makeFeedback();
    this.#downlink = this.#makeDownlink();
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
        channelOpened: (label) => (this.#closed ? null : this.#data.channelOpened(label)),
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
    this.#data.peerOpened(peer);
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
    this.#downlink.transportConnected();
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
    if (!this.#closed) this.#downlink.setTracks(tracks);
  }

  setVideoPolicy(policy: VideoPolicy): void {
    if (!this.#closed) this.#downlink.setPolicy(policy);
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
      this.#downlink.rtcpReceived(cursor, nowMs);
    }
  }

  #senderReportReceived(cursor: RtcpCursor, nowMs: number): void {
    const info = readSenderInfo(cursor);
    if (!info) return;
    const route = this.#demux.routeOf(info.ssrc);
    if (route && !route.rtx) route.stream.senderReportReceived(info, nowMs);
  }

  /** Every 50 ms while connected: what feedback, reports and repeated requests are due. */
  #tick(): void {
    this.#ticking = true;
    const nowMs = this.#options.clock.nowMs();
    if (this.#peer?.isOpen) {
      for (const packet of this.#twcc.takeFeedback()) this.#send(packet);
      for (const track of this.#published.values()) track.tick(nowMs);
      if (nowMs - this.#lastReportMs >= REPORT_MS) this.#sendReceiverReports(nowMs);
      this.#downlink.tick(nowMs);
    }
    this.#after(TICK_MS, () => this.#tick());
  }

  #sendReceiverReports(nowMs: number): void {
    this.#lastReportMs = nowMs;
    const blocks: ReportBlock[] = [];
    for (const track of this.#published.values()) track.reportBlocks(nowMs, blocks);
    for (let i = 0; i < blocks.length; i += 31) this.#send(writeReceiverReport(this.#ownSsrc, blocks.slice(i, i + 31)));
  }

  #send(packet: Buffer): boolean {
    const peer = this.#peer?.isOpen ? this.#peer : this.#oldPeer;
    if (!peer?.send(packet)) return false;
    this.#stats.bytesSent += packet.length;
    this.#stats.packetsSent++;
    return true;
  }

  #makeFeedback(): PublisherFeedback {
    const rtt = (): number => this.#downlink.rttMs;
    return {
      sendPli: (ssrc) => this.#send(writePli(this.#ownSsrc, ssrc)),
      sendNack: (ssrc, sequenceNumbers) => void this.#send(writeNack(this.#ownSsrc, ssrc, sequenceNumbers)),
      layersWanted: (trackSid, layers) => this.#options.events.layersWanted({ trackSid, layers }),
      get rttMs() {
        return rtt();
      },
    };
  }

  #makeDownlink(): Downlink {
    const { registry, clock, events } = this.#options;
    const open = (): boolean => (this.#peer?.isOpen || this.#oldPeer?.isOpen) ?? false;
    const path: DownlinkPath = {
      send: (packet) => void this.#send(packet),
      get open() {
        return open();
      },
    };
    return new Downlink({ registry, clock, path, switched: (off, on) => events.videoSwitched(off, on) });
  }

  /** Opens a channel for texts both ways; one that is open stays. */
  openChannel(label: string): void {
    this.#channel(label);
  }

  /** In order, after everything sent there before. */
  sendOnChannel(label: string, text: string): void {
    if (!this.#channel(label)?.send(text)) throw new MediaError('bad-request', 'a browser does not read its channel');
  }

  /** The state a data channel of this label carries: the latest text is what the browser gets. */
  showState(label: string, text: string): void {
    this.#channel(label)?.show(text);
  }

  #channel(label: string): TextChannel | null {
    if (this.#closed) return null;
    const known = this.#channels.get(label);
    if (known) return known;
    if (this.#channels.size >= MAX_CHANNELS) throw new MediaError('bad-request', `a browser has ${MAX_CHANNELS} channels at most`);
    const { clock, log, events, id } = this.#options;
    const channel = new TextChannel(label, {
      clock,
      events: {
        received: (text) => events.channelMessage(label, text),
        overrun: (reason) => log.warn({ transport: id, label, reason }, 'messages of a browser on a signaling channel are left out'),
      },
    });
    this.#channels.set(label, channel);
    this.#peer?.openChannel(channel);
    return channel;
  }

  setDataTracks(tracks: DataTracks): void {
    if (!this.#closed) this.#data.setTracks(tracks);
  }

  stats(): BrowserMediaStats {
    return { ...this.#stats };
  }

  quality(): BrowserQuality {
    const nowMs = this.#options.clock.nowMs();
    return { send: { audio: this.#sendQuality('audio', nowMs), video: this.#sendQuality('video', nowMs) }, receive: this.#downlink.quality(nowMs) };
  }

  /** What the browser could send is its own estimate, which it does not tell. */
  #sendQuality(kind: TrackKind, nowMs: number): FlowQuality | null {
    const tracks = [...this.#published.values()].filter((track) => track.kind === kind);
    if (tracks.length === 0) return null;
    const flows = tracks.flatMap((track) => track.quality(nowMs) ?? []);
    return {
      actualBps: flows.reduce((sum, flow) => sum + flow.bps, 0),
      availableBps: null,
      rttMs: this.#downlink.measuredRttMs,
      jitterMs: flows.length > 0 ? Math.max(...flows.map((flow) => flow.jitterMs)) : null,
      fractionLost: flows.length > 0 ? Math.max(...flows.map((flow) => flow.fractionLost)) : null,
    };
  }

  /** Ends its tracks and subscriptions. No event follows. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#downlink.close();
    for (const track of [...this.#published.values()]) this.#endTrack(track);
    this.#data.close();
    this.#oldPeer?.close();
    this.#peer?.close();
    this.#oldPeer = null;
    this.#peer = null;
  }
}
