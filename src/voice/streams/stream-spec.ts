import type { StreamOptions } from '../../media/protocol.ts';
import type { HttpMethod } from '../model.ts';

/** What `<Stream>` or the REST resource asks for, checked. */
export interface StreamSpec {
  /** `ws:` or `wss:`, absolute, without fragment: what is signed and asked. */
  url: string;
  name: string | null;
  track: StreamOptions['track'];
  statusCallback: { url: string; method: HttpMethod } | null;
  /** customParameters of the start message. */
  parameters: Record<string, string>;
}

export const TRACKS: Readonly<Record<string, StreamSpec['track']>> = { inbound_track: 'inbound', outbound_track: 'outbound', both_tracks: 'both' };

/** Null for a word that names none. */
export function trackOf(word: string): StreamSpec['track'] | null {
  return Object.hasOwn(TRACKS, word) ? (TRACKS[word] ?? null) : null;
}

const MAX_URL_CHARS = 4096;
const MAX_NAME_CHARS = 128;
/** Of a custom parameter, name and value together. */
const MAX_PARAMETER_CHARS = 500;
const MAX_PARAMETERS = 99;

/** The WebSocket URL of a stream, against the document it stands in. Null when it is none. */
export function streamUrl(base: string | null, reference: string): string | null {
  if (reference.length > MAX_URL_CHARS) return null;
  const text = reference.trim().replace(/#.*$/, '');
  if (text === '') return null;
  if (/^wss?:\/\/[^/?]/i.test(text)) return URL.canParse(text) ? written(text) : null;
  if (/^[a-z][a-z0-9+.-]*:/i.test(text) || base === null || !URL.canParse(text, base)) return null;
  return new URL(text, base.replace(/#.*$/, '')).href.replace(/^http/, 'ws');
}

/** As it was written, so that the receiver's check of the signature finds the URL it knows. */
function written(text: string): string {
  return /[^\x21-\x7e]/.test(text) ? new URL(text).href : text;
}

/** What is wrong with a name or a parameter, in words. */
export function specProblem({ name, parameters }: { name: string | null; parameters: readonly (readonly [name: string, value: string])[] }): string | null {
  if (name !== null && [...name].length > MAX_NAME_CHARS) return `a stream's name has at most ${MAX_NAME_CHARS} characters`;
  if (parameters.length > MAX_PARAMETERS) return `a stream has at most ${MAX_PARAMETERS} parameters`;
  const tooLong = parameters.find(([key, value]) => [...key].length + [...value].length > MAX_PARAMETER_CHARS);
  if (tooLong) return `the parameter '${tooLong[0].slice(0, 40)}' is too long: name and value have at most ${MAX_PARAMETER_CHARS} characters together`;
  return parameters.some(([key]) => key === '') ? 'a parameter needs a name' : null;
}
