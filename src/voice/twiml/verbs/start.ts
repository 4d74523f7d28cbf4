import { streamSpec, streamsIn } from '../stream-noun.ts';
import { NEXT_VERB, type Verb } from '../verb.ts';

/** `<Start><Stream>`: opens streams in the background; the next verb runs at once (contract §3.4). */
export const start: Verb = async (element, context) => {
  const streams = streamsIn(element);
  if (streams.length === 0) return NEXT_VERB;
  const phone = await context.answer();
  for (const stream of streams) {
    const spec = streamSpec(stream, { bidirectional: false, context });
    if (spec) context.streams.open(spec, { phone, bidirectional: false });
  }
  return NEXT_VERB;
};
