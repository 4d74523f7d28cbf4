import type { TwimlElement } from '../document.ts';
import type { VerbContext } from '../verb.ts';
import type { DialResult } from './dial-noun.ts';

/** `<Dial>` of phones: text, `<Number>`, `<Sip>`, `<Client>`; the schema lets none through until it is built. */
export function dialParties(_nouns: readonly TwimlElement[], _dial: TwimlElement, _context: VerbContext): Promise<DialResult> {
  return Promise.resolve({ status: 'failed', parameters: [] });
}
