import ndc from 'node-datachannel';
import type { DataChannel } from 'node-datachannel';
import { InternalError, messageOf } from '../../base/errors.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { MediaError } from '../protocol.ts';
import type { LocalIceDtls, RemoteIceDtls } from '../protocol.ts';
import { isFingerprint, newIceCredentials } from './ice-dtls-texts.ts';
import type { PeerChannel } from './peer-channel.ts';
import { TrackConnection } from './track-connection.ts';

export interface WebRtcSettings {
  /** Address the UDP socket is bound to. */
  bindAddress: string;
  /** Address written into our candidates instead, behind a NAT. */
  publicAddress?: string;
  /** The one UDP port all browsers of this process share. */
  webrtcPort: number;
}

export interface WebRtcPeerEvents {
  /** An RTP or RTCP packet, decrypted. The buffer is the receiver's to keep or change. */
  packetReceived(packet: Buffer): void;
  connected(): void;
  /** The browser opened a data channel; null when it is to be closed again. */
  channelOpened(label: string): PeerChannel | null;
  failed(reason: string): void;
}

export interface WebRtcPeerOptions {
  id: string;
  remote: RemoteIceDtls;
  settings: WebRtcSettings;
  clock: Clock;
  log: Log;
  events: WebRtcPeerEvents;
}

/** Of a data channel's messages: what our SDP allows browsers, and what they all take. */
const MAX_MESSAGE_BYTES = 256 * 1024;
const GATHERING_TIMEOUT_MS = 5000;
/** From our answer to media: a browser that never comes is given up. */
const CONNECT_TIMEOUT_MS = 30_000;

/**
 * ICE, DTLS and SRTP towards one browser, by libdatachannel. It is shown one audio m-line and one m=application, whatever
 * the browser's SDP holds: every SRTP packet then comes out of that one track. SCTP must be there from the start: libdatachannel
 * blocks for ever when it is added after the browser's INIT has arrived.
 */
export class WebRtcPeer {
  #options: WebRtcPeerOptions;
  #connection: TrackConnection;
  // The wrappers close what they wrap when collected, so they are held as long as the peer.
  #dataChannels = new Map<PeerChannel, DataChannel>();
  #local: LocalIceDtls | null = null;
  #timer: Timer | null = null;
  #onGathered: () => void = () => {};

  /** Resolves with candidates gathered. Rejects with MediaError `bad-request` or `no-port`. */
  static async open(options: WebRtcPeerOptions): Promise<WebRtcPeer> {
    checkRemote(options.remote);
    const peer = new WebRtcPeer(options);
    try {
      await peer.#negotiate();
    } catch (error) {
      peer.close();
      throw error instanceof MediaError ? error : new MediaError('no-port', `WebRTC transport: ${messageOf(error)}`);
    }
    return peer;
  }

  private constructor(options: WebRtcPeerOptions) {
    const { settings } = options;
    this.#options = options;
    const peer = new ndc.PeerConnection(options.id, {
      iceServers: [],
      disableAutoNegotiation: true,
      forceMediaTransport: true,
      bindAddress: settings.bindAddress,
      enableIceUdpMux: true,
      portRangeBegin: settings.webrtcPort,
      portRangeEnd: settings.webrtcPort,
    });
    const { log, events } = options;
    this.#connection = new TrackConnection(peer, {
      name: 'WebRTC',
      log,
      events: { packetReceived: (packet) => events.packetReceived(packet), connected: () => this.#connected(), closed: () => this.#timer?.cancel(), failed: (reason) => events.failed(reason) },
    });
    const { guard } = this.#connection;
    peer.onDataChannel(guard((channel: DataChannel) => this.#channelOpened(channel)));
    peer.onGatheringStateChange(guard((state: string) => state === 'complete' && this.#onGathered()));
  }

  async #negotiate(): Promise<void> {
    const gathered = new Promise<void>((resolve, reject) => {
      this.#onGathered = resolve;
      this.#timer = this.#options.clock.after(GATHERING_TIMEOUT_MS, () => reject(new MediaError('no-port', 'no ICE candidate could be gathered')));
    });
    const ours = newIceCredentials();
    try {
      this.#connection.peer.setRemoteDescription(syntheticOffer(this.#options.remote), 'offer');
      this.#connection.peer.setLocalDescription('answer', ours);
    } catch (error) {
      this.#timer?.cancel();
      throw error;
    }
    await gathered.finally(() => this.#timer?.cancel());
    this.#local = readLocal(this.#connection.peer.localDescription()?.sdp ?? '', { ...ours, publicAddress: this.#options.settings.publicAddress });
    this.#timer = this.#options.clock.after(CONNECT_TIMEOUT_MS, () => this.#connection.fail('connect time-out'));
  }

  get local(): LocalIceDtls {
    if (!this.#local) throw new InternalError('WebRTC peer used before it was opened');
    return this.#local;
  }

  #connected(): void {
    this.#timer?.cancel();
    this.#options.events.connected();
  }

  /** ICE and DTLS are up. */
  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /** Encrypts and sends an RTP or RTCP packet; it is copied. False when it did not go. */
  send(packet: Buffer): boolean {
    return this.#connection.send(packet);
  }

  /** Opens a data channel, or takes it up from the transport before. */
  openChannel(kept: PeerChannel): void {
    if (this.#connection.ended) return;
    try {
      this.#attach(kept, this.#connection.peer.createDataChannel(kept.label, kept.init));
    } catch (error) {
      this.#options.log.warn({ label: kept.label, error: messageOf(error) }, 'a data channel could not be opened');
    }
  }

  #attach(kept: PeerChannel, channel: DataChannel): void {
    this.#dataChannels.set(kept, channel);
    kept.attach(channel, this.#connection.guard);
  }

  /** Unread it would gather its messages in our memory. */
  #channelOpened(channel: DataChannel): void {
    const kept = this.#options.events.channelOpened(channel.getLabel());
    if (kept) this.#attach(kept, channel);
    else channel.close();
  }

  /** Closes a data channel and forgets it. */
  closeChannel(kept: PeerChannel): void {
    const channel = this.#dataChannels.get(kept);
    this.#dataChannels.delete(kept);
    if (!channel || this.#connection.ended) return;
    try {
      channel.close();
    } catch (error) {
      this.#options.log.debug({ error: messageOf(error) }, 'closing a data channel');
    }
  }

  /** No event follows. Idempotent. */
  close(): void {
    this.#connection.close();
  }
}

/** These texts come from a browser and go into an SDP of ours (RFC 8839 §5.4, RFC 8122 §5). */
function checkRemote(remote: RemoteIceDtls): void {
  const good =
    /^[A-Za-z0-9+/]{4,256}$/.test(remote.iceUfrag) &&
    /^[A-Za-z0-9+/]{22,256}$/.test(remote.icePwd) &&
    isFingerprint(remote.fingerprint);
  if (!good) throw new MediaError('bad-request', 'ICE credentials or fingerprint are malformed');
}

function syntheticOffer(remote: RemoteIceDtls): string {
  return [
    'v=0',
    'o=- 1 1 IN IP4 0.0.0.0',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0 1',
    `a=ice-ufrag:${remote.iceUfrag}`,
    `a=ice-pwd:${remote.icePwd}`,
    `a=fingerprint:${remote.fingerprint}`,
    'a=setup:actpass',
    'm=audio 9 UDP/TLS/RTP/SAVPF 0',
    'c=IN IP4 0.0.0.0',
    'a=mid:0',
    'a=sendrecv',
    'a=rtcp-mux',
    'a=rtpmap:0 PCMU/8000',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    'a=mid:1',
    'a=sctp-port:5000',
    `a=max-message-size:${MAX_MESSAGE_BYTES}`,
    '',
  ].join('\r\n');
}

function readLocal(sdp: string, ours: { iceUfrag: string; icePwd: string; publicAddress: string | undefined }): LocalIceDtls {
  const values = (name: string): string[] =>
    sdp
      .split(/\r?\n/)
      .filter((line) => line.startsWith(`a=${name}:`))
      .map((line) => line.slice(name.length + 3));
  const fingerprint = values('fingerprint')[0];
  const candidates = new Set(values('candidate').map((value) => withAddress(value, ours.publicAddress)));
  if (!fingerprint || candidates.size === 0) throw new MediaError('no-port', 'no ICE candidate could be gathered');
  return {
    iceUfrag: ours.iceUfrag,
    icePwd: ours.icePwd,
    fingerprint,
    setup: values('setup')[0] === 'passive' ? 'passive' : 'active',
    candidates: [...candidates],
  };
}

/** The fifth field of a candidate is its address (RFC 8839 §5.1). */
function withAddress(candidate: string, address: string | undefined): string {
  if (address === undefined) return candidate;
  const fields = candidate.split(' ');
  fields[4] = address;
  return fields.join(' ');
}

/** The first peer of a process costs 60–200 ms for library and certificate; this spends them at start. */
export function preloadWebRtc(): void {
  ndc.preload();
  const connection = new ndc.PeerConnection('preload', { iceServers: [], disableAutoNegotiation: true });
  connection.close();
}
