import type { TwimlElement } from '../twiml/document.ts';
import type { VerbContext } from '../twiml/verb.ts';
import { resolveUrl } from '../webhook/client.ts';
import type { RecordingCallback, RecordingEvent } from './model.ts';

/** What `recordingStatusCallback`, `…Method` and `…Event` of a verb or noun say. No http or https URL is journaled, and nobody is told. */
export function recordingCallbackOf({ name, attributes }: TwimlElement, context: Pick<VerbContext, 'documentUrl' | 'report'>): RecordingCallback | null {
  const reference = attributes['recordingStatusCallback']?.trim() ?? '';
  if (reference === '') return null;
  const url = resolveUrl(context.documentUrl, reference);
  if (url === null) {
    context.report({ errorCode: 11100, message: `<${name}>: recordingStatusCallback '${reference}' is no http or https URL`, log: 1 });
    return null;
  }
  const method = attributes['recordingStatusCallbackMethod']?.toUpperCase() === 'GET' ? 'GET' : 'POST';
  return { url, method, events: recordingEventsOf(attributes['recordingStatusCallbackEvent']) ?? ['completed'] };
}

/** Events separated by blanks; `completed` where there are none. Null when one is unknown. */
export function recordingEventsOf(text = ''): RecordingEvent[] | null {
  const words = text.split(/\s+/).filter((word) => word !== '');
  if (!words.every((word): word is RecordingEvent => EVENTS.has(word))) return null;
  return words.length === 0 ? ['completed'] : [...new Set(words)];
}

const EVENTS: ReadonlySet<string> = new Set<RecordingEvent>(['in-progress', 'completed', 'absent']);

/** `trim`: silence at both ends is cut off unless it says otherwise. */
export function trimsSilence({ attributes }: TwimlElement): boolean {
  return attributes['trim'] !== 'do-not-trim';
}
