import { z } from 'zod';
import { TwilioError } from '../../base/errors.ts';
import type { VideoPolicy, VideoWish } from '../../media/protocol.ts';

type Size = NonNullable<VideoWish['renderDimensions']>;
export type Priority = VideoWish['priority'];

/** What `connect`'s option `bandwidthProfile.video` asks for. */
export interface BandwidthProfile {
  /** Default `grid`. */
  mode: VideoPolicy['mode'];
  maxBitrateBps: number | null;
  /** Videos shown at a time; null or 0 of the page: all. */
  maxTracks: number | null;
  /** The least priority that videos of who speaks have. Default `standard`. */
  speakerPriority: Priority;
  /** Default `predicted`. */
  switchOff: VideoPolicy['switchOff'];
  /** Size by priority, where no render hint tells (deprecated in the SDK). */
  sizes: Partial<Record<Priority, Size>>;
}

const priority = z.enum(['high', 'standard', 'low']);
/** CSS pixels; what is larger than any screen is none. */
export const sizeShape = z.object({ width: z.number().min(0).max(100_000), height: z.number().min(0).max(100_000) });

const videoShape = z.object({
  mode: z.enum(['grid', 'collaboration', 'presentation']).nullish(),
  max_subscription_bandwidth: z.number().min(0).nullish(),
  max_tracks: z.number().min(0).nullish(),
  active_speaker_priority: priority.nullish(),
  track_switch_off: z.enum(['detected', 'predicted', 'disabled']).nullish(),
  render_dimensions: z.object({ high: sizeShape.nullish(), standard: sizeShape.nullish(), low: sizeShape.nullish() }).nullish(),
});
const profileShape = z.object({ video: videoShape.nullish() });

/** Reads `bandwidth_profile` (rsp §3.2); undefined stays undefined. Throws TwilioError 53208 for one that cannot be obeyed. */
export function readBandwidthProfile(value: unknown): BandwidthProfile | undefined {
  if (value === undefined || value === null) return undefined;
  const read = profileShape.safeParse(value);
  if (!read.success) {
    const issue = read.error.issues[0];
    throw new TwilioError(53208, `Invalid bandwidth profile${issue ? ` (${issue.path.join('.')}: ${issue.message})` : ''}`.slice(0, 300));
  }
  const video = read.data.video ?? {};
  return {
    mode: video.mode ?? 'grid',
    // 0 is how the mobile SDKs write "no limit".
    maxBitrateBps: video.max_subscription_bandwidth || null,
    maxTracks: video.max_tracks ? Math.ceil(video.max_tracks) : null,
    speakerPriority: video.active_speaker_priority ?? 'standard',
    switchOff: video.track_switch_off ?? 'predicted',
    sizes: sizesOf(video.render_dimensions ?? {}),
  };
}

function sizesOf(given: Partial<Record<Priority, Size | null | undefined>>): BandwidthProfile['sizes'] {
  const sizes: BandwidthProfile['sizes'] = {};
  for (const name of ['high', 'standard', 'low'] as const) if (given[name]) sizes[name] = given[name];
  return sizes;
}
