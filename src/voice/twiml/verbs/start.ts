import type { TwimlElement } from '../document.ts';
import { streamSpec } from '../stream-noun.ts';
import { NEXT_VERB, type Verb } from '../verb.ts';
import { startRecording } from './start-recording.ts';

/** `<Start>` of `<Stream>`s and `<Recording>`s: they go on in the background; the next verb runs at once (contract §3.4). */
export const start: Verb = async (element, context) => {
  const nouns = element.children.filter((child): child is TwimlElement => typeof child !== 'string');
  if (nouns.length === 0) return NEXT_VERB;
  const phone = await context.answer();
  for (const noun of nouns) {
    if (noun.name === 'Recording') {
      await startRecording(noun, { phone, context });
      continue;
    }
    const spec = streamSpec(noun, { bidirectional: false, context });
    if (spec) context.streams.open(spec, { phone, bidirectional: false });
  }
  return NEXT_VERB;
};
