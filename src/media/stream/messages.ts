import type { StreamOptions } from '../protocol.ts';

/**
 * Texts of Twilio's media stream protocol. Numbers travel as strings; audio is µ-law, 8 kHz, one channel, in base64.
 */

/** Tracks as the messages name them. */
export type StreamTrackName = 'inbound' | 'outbound';

export const CONNECTED = JSON.stringify({ event: 'connected', protocol: 'Call', version: '1.0.0' });

export function startText(options: StreamOptions, sequenceNumber: number): string {
  const { streamSid, accountSid, callSid, track, parameters } = options;
  const tracks: StreamTrackName[] = track === 'both' ? ['inbound', 'outbound'] : [track];
  const start = { accountSid, streamSid, callSid, tracks, mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 }, customParameters: parameters };
  return JSON.stringify({ event: 'start', sequenceNumber: String(sequenceNumber), start, streamSid });
}

/** Put together by hand: fifty times a second and track, of pieces that need no escaping. */
export function mediaText(streamSid: string, media: { sequenceNumber: number; track: StreamTrackName; chunk: number; timestampMs: number; payload: string }): string {
  const { sequenceNumber, track, chunk, timestampMs, payload } = media;
  return `{"event":"media","sequenceNumber":"${sequenceNumber}","media":{"track":"${track}","chunk":"${chunk}","timestamp":"${timestampMs}","payload":"${payload}"},"streamSid":"${streamSid}"}`;
}

export function dtmfText(streamSid: string, sequenceNumber: number, digit: string): string {
  return JSON.stringify({ event: 'dtmf', streamSid, sequenceNumber: String(sequenceNumber), dtmf: { track: 'inbound_track', digit } });
}

export function markText(streamSid: string, sequenceNumber: number, name: string): string {
  return JSON.stringify({ event: 'mark', streamSid, sequenceNumber: String(sequenceNumber), mark: { name } });
}

export function stopText({ streamSid, accountSid, callSid }: StreamOptions, sequenceNumber: number): string {
  return JSON.stringify({ event: 'stop', sequenceNumber: String(sequenceNumber), stop: { accountSid, callSid }, streamSid });
}

// ------------------------------------------------------------------------------------------------------- from the peer

export type PeerMessage =
  /** `payload`: µ-law codes. */
  | { kind: 'media'; payload: Buffer }
  | { kind: 'mark'; name: string }
  | { kind: 'clear' }
  /** Not of the protocol; nothing comes of it but a warning. */
  | { kind: 'invalid'; problem: string };

const MAX_MARK_CHARS = 256;
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/** Reads one message of the other side. Never throws. */
export function readPeerMessage(text: string, streamSid: string): PeerMessage {
  const message = readObject(text);
  if (!message) return invalid('the message is not a JSON object');
  if (message['streamSid'] !== streamSid) return invalid('streamSid is not that of this stream');
  switch (message['event']) {
    case 'media':
      return readMedia(message['media']);
    case 'mark':
      return readMark(message['mark']);
    case 'clear':
      return { kind: 'clear' };
    default:
      return invalid(`the event is none of media, mark and clear`);
  }
}

function readMedia(media: unknown): PeerMessage {
  const payload = isObject(media) ? media['payload'] : undefined;
  if (typeof payload !== 'string' || !BASE64.test(payload)) return invalid('media.payload is not base64 text');
  return { kind: 'media', payload: Buffer.from(payload, 'base64') };
}

function readMark(mark: unknown): PeerMessage {
  const name = isObject(mark) ? mark['name'] : undefined;
  if (typeof name !== 'string' || name === '' || name.length > MAX_MARK_CHARS) return invalid(`mark.name is not a text of 1 to ${MAX_MARK_CHARS} characters`);
  return { kind: 'mark', name };
}

function readObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(problem: string): PeerMessage {
  return { kind: 'invalid', problem };
}
