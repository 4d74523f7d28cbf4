import type { TwimlElement } from '../document.ts';
import { streamsIn } from '../stream-noun.ts';
import { NEXT_VERB, type Verb } from '../verb.ts';
import { connectRoom } from './connect-room.ts';
import { connectStream } from './connect-stream.ts';

/** `<Connect><Room>` and `<Connect><Stream>`. Other nouns were taken out with a warning before; then the verb ends at once. */
export const connect: Verb = async (element, context) => {
  const [stream] = streamsIn(element);
  if (stream) return await connectStream(stream, { element, context });
  const room = element.children.find((child): child is TwimlElement => typeof child !== 'string' && child.name === 'Room');
  return room ? await connectRoom(room, { element, context }) : NEXT_VERB;
};
