import { TwilioError } from '../../base/errors.ts';
import { resolveUrl } from '../webhook/client.ts';
import type { CallRecordingOptions } from './call-recordings.ts';
import type { RecordingCallback } from './model.ts';
import { recordingEventsOf } from './recording-attributes.ts';

/** What REST says of a recording, as text (contract §5.1, §5.4); undefined or empty: not given. */
export interface RecordingParameters {
  recordingChannels?: string | undefined;
  recordingTrack?: string | undefined;
  recordingStatusCallback?: string | undefined;
  recordingStatusCallbackMethod?: string | undefined;
  recordingStatusCallbackEvents?: readonly string[] | undefined;
  trim?: string | undefined;
}

/** Reads and checks them. `trimmed`: what is done where `Trim` says nothing. Throws TwilioError 20001, 21609 and 21626. */
export function readRecordingParameters(parameters: RecordingParameters, { trimmed }: { trimmed: boolean }): CallRecordingOptions {
  return {
    channels: oneOf('RecordingChannels', parameters.recordingChannels, ['mono', 'dual']) ?? 'mono',
    track: oneOf('RecordingTrack', parameters.recordingTrack, ['inbound', 'outbound', 'both']) ?? 'both',
    trimSilence: (oneOf('Trim', parameters.trim, ['trim-silence', 'do-not-trim']) ?? (trimmed ? 'trim-silence' : 'do-not-trim')) === 'trim-silence',
    callback: callbackOf(parameters),
  };
}

function callbackOf({ recordingStatusCallback, recordingStatusCallbackMethod, recordingStatusCallbackEvents = [] }: RecordingParameters): RecordingCallback | null {
  const method = oneOf('RecordingStatusCallbackMethod', recordingStatusCallbackMethod?.toUpperCase(), ['GET', 'POST']) ?? 'POST';
  const events = recordingEventsOf(recordingStatusCallbackEvents.join(' '));
  if (!events) throw new TwilioError(21626, 'RecordingStatusCallbackEvent must be made of in-progress, completed and absent.');
  const url = recordingStatusCallback?.trim() ?? '';
  if (url === '') return null;
  if (!resolveUrl(null, url)) throw new TwilioError(21609, `RecordingStatusCallback '${url}' is not a valid URL.`);
  return { url, method, events };
}

function oneOf<T extends string>(name: string, text: string | undefined, words: readonly T[]): T | undefined {
  const given = text?.trim() ?? '';
  if (given === '') return undefined;
  const word = words.find((candidate) => candidate === given);
  if (word === undefined) throw new TwilioError(20001, `'${name}' must be one of ${words.join(', ')}.`);
  return word;
}
