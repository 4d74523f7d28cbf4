import { resolveUrl } from '../webhook/client.ts';
import type { TwimlElement } from './document.ts';
import { methodOf, type VerbContext } from './verb.ts';

/** Tells the `action` of a verb whose call is over, or elsewhere: what it answers is for nobody (contract §3.1). Empty text is the document itself. */
export function tellAction(element: TwimlElement, reference: string, { context, parameters }: { context: VerbContext; parameters: [name: string, value: string][] }): void {
  const url = reference === '' ? context.documentUrl : resolveUrl(context.documentUrl, reference);
  if (url === null) return;
  context.gatherings.callbacks.send({ accountSid: context.call.accountSid, url, method: methodOf(element), parameters: [...context.parameters(), ...parameters] });
}
