import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { DataRelay } from '../data/data-relay.ts';
import type { TrackRegistry } from '../forward/track.ts';
import type { BrowserTransportEvents } from '../transport/webrtc-transport.ts';
import { MediaError, type BrowserMediaStats, type BrowserQuality, type DataTracks, type LocalIceDtls, type ReceiveTrack, type RemoteIceDtls, type SendTrack, type VideoPolicy } from '../protocol.ts';

/** A browser's transport as the worker drives it. */
export interface BrowserTransport {
  readonly local: LocalIceDtls;
  restartIce(remote: RemoteIceDtls): Promise<LocalIceDtls>;
  setReceiveTracks(tracks: ReceiveTrack[]): void;
  setSendTracks(tracks: SendTrack[]): void;
  setDataTracks(tracks: DataTracks): void;
  openChannel(label: string): void;
  sendOnChannel(label: string, text: string): void;
  showState(label: string, text: string): void;
  setVideoPolicy(policy: VideoPolicy): void;
  quality(): BrowserQuality;
  stats(): BrowserMediaStats;
  close(): void;
}

export interface BrowserTransportOptions {
  id: string;
  remote: RemoteIceDtls;
  registry: TrackRegistry;
  data: DataRelay;
  settings: { bindAddress: string; publicAddress?: string; webrtcPort: number };
  clock: Clock;
  log: Log;
  events: BrowserTransportEvents;
}

type TransportModule = typeof import('../transport/webrtc-transport.ts');

/** The native library is loaded with the first browser, or by `preloadBrowserTransport`; phones do without it. */
function load(): Promise<TransportModule> {
  return import('../transport/webrtc-transport.ts');
}

export async function createBrowserTransport(options: BrowserTransportOptions): Promise<BrowserTransport> {
  let module: TransportModule;
  try {
    module = await load();
  } catch (error) {
    options.log.error({ error: messageOf(error) }, 'the WebRTC transport cannot be loaded');
    throw new MediaError('bad-request', 'this worker cannot serve browsers: its WebRTC library is missing');
  }
  return module.WebRtcTransport.create(options);
}

/** Loads the native library ahead of the first browser; its absence shows when a browser comes. */
export async function preloadBrowserTransport(): Promise<void> {
  try {
    (await load()).WebRtcTransport.preload?.();
  } catch {
    // reported by createBrowserTransport when it matters
  }
}
