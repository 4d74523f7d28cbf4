import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { BrowserMedia, RoomMedia } from '../../media/protocol.ts';
import type { Participant } from '../../rooms/contract.ts';
import { ActiveSpeakerChannel } from './active-speaker.ts';
import type { BandwidthProfile } from './bandwidth-profile.ts';
import { CHANNEL_NAMES, type ChannelName, type MediaChannel } from './message-channel.ts';
import { NetworkQualityChannel } from './network-quality.ts';
import { PublisherHintsChannel } from './publisher-hints.ts';
import type { QualityBoard } from './quality-board.ts';
import { TranscriptionsChannel } from './transcriptions.ts';
import { openRenderHintsChannel, openTrackPriorityChannel, TrackSwitchOffChannel } from './video-channels.ts';
import { VideoDirector } from './video-director.ts';

export interface MediaSignalingOptions {
  participant: Participant;
  media: BrowserMedia;
  roomMedia: RoomMedia;
  board: QualityBoard;
  /** Channels the browser asked for, by name; others are not opened. */
  wanted: Partial<Record<ChannelName, unknown>>;
  profile: BandwidthProfile | undefined;
  clock: Clock;
  log: Log;
}

/** The media signaling channels of one browser and what they need (rsp §5). They outlive its sockets and ICE restarts. */
export class MediaSignaling {
  readonly #options: MediaSignalingOptions;
  readonly #channels = new Map<ChannelName, MediaChannel>();
  readonly #leaveBoard: () => void;
  #director: VideoDirector | null = null;

  constructor(options: MediaSignalingOptions) {
    const { participant, media, board, wanted, profile } = options;
    this.#options = options;
    this.#leaveBoard = board.enter(participant.sid, () => media.quality());
    if (profile) this.#director = new VideoDirector({ ...options, profile });
    for (const name of CHANNEL_NAMES) {
      const channel = wanted[name] ? this.#open(name) : null;
      if (channel) this.#channels.set(name, channel);
    }
  }

  #open(name: ChannelName): MediaChannel | null {
    const options = this.#options;
    const { room } = options.participant;
    const director = this.#director;
    switch (name) {
      case 'active_speaker':
        return new ActiveSpeakerChannel({ ...options, room });
      case 'network_quality':
        return new NetworkQualityChannel(options);
      // Without a profile there is nothing that they could change.
      case 'track_priority':
        return director && openTrackPriorityChannel(options, director);
      case 'render_hints':
        return director && openRenderHintsChannel(options, director);
      case 'track_switch_off':
        return new TrackSwitchOffChannel(options);
      case 'publisher_hints':
        return new PublisherHintsChannel(options);
      case 'extension_transcriptions':
        return new TranscriptionsChannel({ ...options, room });
    }
  }

  /** `media_signaling` of connected and synced. */
  get announcement(): Record<string, object> {
    return Object.fromEntries([...this.#channels].map(([name, { label }]) => [name, { transport: { type: 'data-channel', label } }]));
  }

  /** `setBandwidthProfile` of the page. */
  profileChanged(profile: BandwidthProfile): void {
    if (this.#director) this.#director.profile = profile;
    else this.#director = new VideoDirector({ ...this.#options, profile });
  }

  close(): void {
    this.#leaveBoard();
    this.#director?.close();
    for (const channel of this.#channels.values()) channel.close();
  }
}
