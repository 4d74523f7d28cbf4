import { specProblem, streamUrl, trackOf, type StreamSpec } from '../streams/stream-spec.ts';
import { resolveUrl } from '../webhook/client.ts';
import type { TwimlElement } from './document.ts';
import type { VerbContext } from './verb.ts';

/** `<Stream>` elements of `<Start>`, `<Stop>` or `<Connect>`. */
export function streamsIn(element: TwimlElement): TwimlElement[] {
  return element.children.filter((child): child is TwimlElement => typeof child !== 'string' && child.name === 'Stream');
}

/** What a `<Stream>` asks for; null, with a debugger entry, when it cannot be opened. */
export function streamSpec({ attributes, children }: TwimlElement, { bidirectional, context }: { bidirectional: boolean; context: VerbContext }): StreamSpec | null {
  const { documentUrl, streams, report } = context;
  const reference = attributes['url'] ?? '';
  const url = streamUrl(documentUrl, reference);
  if (url === null) {
    const message = reference === '' ? '<Stream> has no url and was skipped' : `'${reference.slice(0, 200)}' is no wss or ws URL: <Stream> was skipped`;
    report({ errorCode: 11100, message, log: 0 });
    return null;
  }
  const name = attributes['name'] ?? null;
  const parameters = parametersOf(children);
  const problem = specProblem({ name, parameters }) ?? streams.refusalOf(name, { bidirectional });
  if (problem !== null) {
    report({ errorCode: 12200, message: `<Stream> was skipped: ${problem}`, log: 1 });
    return null;
  }
  return { url, name, track: trackOf(attributes['track'] ?? '') ?? 'inbound', statusCallback: statusCallbackOf(attributes, context), parameters: Object.fromEntries(parameters) };
}

function parametersOf(children: TwimlElement['children']): [string, string][] {
  return children.flatMap((child): [string, string][] => (typeof child === 'string' ? [] : [[child.attributes['name'] ?? '', child.attributes['value'] ?? '']]));
}

function statusCallbackOf(attributes: TwimlElement['attributes'], { documentUrl, report }: VerbContext): StreamSpec['statusCallback'] {
  const reference = attributes['statusCallback'];
  if (reference === undefined) return null;
  const url = resolveUrl(documentUrl, reference);
  if (url === null) {
    report({ errorCode: 11100, message: `statusCallback '${reference.slice(0, 200)}' of <Stream> is no http or https URL and was ignored`, log: 1 });
    return null;
  }
  return { url, method: attributes['statusCallbackMethod']?.toUpperCase() === 'GET' ? 'GET' : 'POST' };
}
