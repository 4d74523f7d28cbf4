import type { TrackRecordingOptions } from '../protocol.ts';

/** Where the file of a track's recording is. */
export function trackPath({ path, kind }: Pick<TrackRecordingOptions, 'path' | 'kind'>): string {
  return `${path}.${kind === 'audio' ? 'mka' : 'mkv'}`;
}
