import { Emitter } from '../base/emitter.ts';
import type { BrowserMedia, BrowserMediaEvents, BrowserQuality, DataTracks, LocalIceDtls, VideoPolicy } from '../media/protocol.ts';

const LOCAL: LocalIceDtls = { iceUfrag: 'ours', icePwd: 'p'.repeat(22), fingerprint: 'sha-256 AA:BB', setup: 'active', candidates: ['1 1 UDP 1 127.0.0.1 5000 typ host'] };

/** A browser's media that remembers what it was told; a test speaks for the browser with `says`. */
export class FakeBrowserMedia extends Emitter<BrowserMediaEvents> implements BrowserMedia {
  readonly id = 'browser';
  local = LOCAL;
  closed = false;
  /** SIDs it publishes. */
  received: string[] = [];
  /** Texts of all states, in order. */
  shown: string[] = [];
  readonly channels: string[] = [];
  /** Messages of all channels, in order. */
  readonly sent: { label: string; message: unknown }[] = [];

  restartIce(): Promise<LocalIceDtls> {
    this.local = { ...LOCAL, iceUfrag: 'other' };
    return Promise.resolve(this.local);
  }

  setReceiveTracks(tracks: { trackSid: string }[]): Promise<void> {
    this.received = tracks.map((track) => track.trackSid);
    return Promise.resolve();
  }

  setSendTracks(): Promise<void> {
    return Promise.resolve();
  }

  showState(_label: string, text: string): Promise<void> {
    this.shown.push(text);
    return Promise.resolve();
  }

  openChannel(label: string): Promise<void> {
    this.channels.push(label);
    return Promise.resolve();
  }

  sendOnChannel(label: string, text: string): Promise<void> {
    this.sent.push({ label, message: JSON.parse(text) as unknown });
    return Promise.resolve();
  }

  data: DataTracks = { published: [], subscribed: [] };
  setDataTracks(tracks: DataTracks): Promise<void> {
    this.data = tracks;
    return Promise.resolve();
  }

  /** The latest policy. */
  policy: VideoPolicy | null = null;
  setVideoPolicy(policy: VideoPolicy): Promise<void> {
    this.policy = policy;
    return Promise.resolve();
  }

  measured: BrowserQuality = { send: { audio: null, video: null }, receive: { audio: null, video: null } };
  quality(): Promise<BrowserQuality> {
    return Promise.resolve(this.measured);
  }

  says(label: string, message: unknown): void {
    this.emit('channelMessage', label, typeof message === 'string' ? message : JSON.stringify(message));
  }

  stats(): ReturnType<BrowserMedia['stats']> {
    return Promise.resolve({ bytesReceived: 0, bytesSent: 0, packetsReceived: 0, packetsSent: 0 });
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}
