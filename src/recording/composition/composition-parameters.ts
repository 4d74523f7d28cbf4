import { TwilioError } from '../../base/errors.ts';
import type { CompositionFormat, CompositionSpec } from './model.ts';
import { checkedSources, parseResolution, parseVideoLayout } from './video-layout.ts';

/** Parameters of a composition or a hook as they come over REST; absent means Twilio's default. */
export interface CompositionParameters {
  audioSources?: string[];
  audioSourcesExcluded?: string[];
  /** JSON. */
  videoLayout?: string;
  /** Default `640x480`. */
  resolution?: string;
  /** Default `webm`. */
  format?: string;
  /** Default true. */
  trim?: boolean;
  statusCallback?: string;
  /** Default POST. */
  statusCallbackMethod?: string;
}

const MAX_URL_LENGTH = 1024;
const FORMATS: readonly CompositionFormat[] = ['mp4', 'webm'];

/** Checks what is to be composed (contract §7.8). Throws 20001, 53630 when nothing is asked for, 53661 and 53662 for the callback. */
export function compositionSpec(given: CompositionParameters): CompositionSpec {
  const resolution = parseResolution(given.resolution ?? '640x480');
  const spec: CompositionSpec = {
    audioSources: checkedSources(given.audioSources ?? [], 'AudioSources'),
    audioSourcesExcluded: checkedSources(given.audioSourcesExcluded ?? [], 'AudioSourcesExcluded'),
    regions: given.videoLayout === undefined ? [] : parseVideoLayout(given.videoLayout, resolution),
    resolution,
    format: format(given.format ?? 'webm'),
    trim: given.trim ?? true,
    statusCallback: callbackUrl(given.statusCallback),
    statusCallbackMethod: callbackMethod(given.statusCallbackMethod ?? 'POST'),
  };
  if (spec.audioSources.length === 0 && spec.regions.length === 0) throw new TwilioError(53630, 'Nothing is to be composed: give AudioSources or a VideoLayout with video_sources');
  return spec;
}

function format(text: string): CompositionFormat {
  const known = FORMATS.find((word) => word === text);
  if (!known) throw new TwilioError(20001, `Format must be one of ${FORMATS.join(', ')}`);
  return known;
}

function callbackUrl(url: string | undefined): string | null {
  if (url === undefined || url === '') return null;
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (url.length > MAX_URL_LENGTH || !parsed || !/^https?:$/.test(parsed.protocol)) throw new TwilioError(53662, `StatusCallback is not a valid http or https URL of at most ${MAX_URL_LENGTH} characters`);
  return url;
}

function callbackMethod(method: string): 'GET' | 'POST' {
  const upper = method.toUpperCase();
  if (upper !== 'GET' && upper !== 'POST') throw new TwilioError(53661, 'StatusCallbackMethod is either GET or POST');
  return upper;
}
