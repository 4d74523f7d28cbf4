import { parseSid } from '../../../base/sid.ts';
import { streamsIn } from '../stream-noun.ts';
import { NEXT_VERB, type Verb } from '../verb.ts';
import { stopRecording } from './start-recording.ts';

/** `<Stop><Stream name>` and `<Stop><Recording name>`: ends what was started by that name; a stream from TwiML or over REST. */
export const stop: Verb = (element, context) => {
  for (const noun of element.children) if (typeof noun !== 'string' && noun.name === 'Recording') stopRecording(noun, context);
  for (const { attributes } of streamsIn(element)) {
    const name = attributes['name'] ?? '';
    const stream = context.streams.find(parseSid('MZ', name) ?? name);
    if (stream && !stream.bidirectional) stream.stop();
    else context.report({ errorCode: 12200, message: `<Stop>: the call has no stream named '${name.slice(0, 128)}'`, log: 1 });
  }
  return Promise.resolve(NEXT_VERB);
};
