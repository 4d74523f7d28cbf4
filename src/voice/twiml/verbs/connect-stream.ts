import type { LiveStream, StreamError } from '../../streams/live-stream.ts';
import type { TwimlElement } from '../document.ts';
import { streamSpec } from '../stream-noun.ts';
import { NEXT_VERB, methodOf, type VerbContext, type VerbOutcome } from '../verb.ts';

/**
 * `<Connect><Stream>`: the phone talks to the stream's server until one of them has enough. Then `action` is requested, or
 * the next verb runs; also when the server could not be reached.
 */
export async function connectStream(noun: TwimlElement, { element, context }: { element: TwimlElement; context: VerbContext }): Promise<VerbOutcome> {
  const phone = await context.answer();
  const spec = streamSpec(noun, { bidirectional: true, context });
  if (!spec) return NEXT_VERB;
  context.reached('connected');
  const stream = context.streams.open(spec, { phone, bidirectional: true });
  const error = await overOrAborted(stream, context.signal);
  if (context.signal.aborted) return NEXT_VERB;
  const action = element.attributes['action']?.trim() ?? '';
  return action === '' ? NEXT_VERB : { next: 'document', reference: action, method: methodOf(element), parameters: parametersOf(stream, error) };
}

/** A call that is redirected or ends takes its stream with it. */
async function overOrAborted(stream: LiveStream, signal: AbortSignal): Promise<StreamError | null> {
  const leave = (): void => stream.stop();
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  try {
    return await stream.ended;
  } finally {
    signal.removeEventListener('abort', leave);
  }
}

function parametersOf(stream: LiveStream, error: StreamError | null): [string, string][] {
  const parameters: [string, string][] = [
    ['StreamSid', stream.sid],
    ['StreamName', stream.name ?? stream.sid],
  ];
  return error ? [...parameters, ['StreamError', error.message]] : parameters;
}
