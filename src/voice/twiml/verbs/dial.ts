import type { PhoneMedia } from '../../../media/protocol.ts';
import type { TwimlElement } from '../document.ts';
import { NEXT_VERB, methodOf, type Verb, type VerbContext, type VerbOutcome } from '../verb.ts';
import { dialConference } from './dial-conference.ts';
import type { DialNoun, DialResult } from './dial-noun.ts';
import { dialParties } from './dial-parties.ts';
import { dialQueue } from './dial-queue.ts';

/** Nouns that are a place to go to: one of them is the whole `<Dial>`. All others are phones to be called. */
const PLACES: Readonly<Record<string, DialNoun>> = { Conference: dialConference, Queue: dialQueue };

/**
 * `<Dial action method …>`: brings the call together with others. What follows is the answer of `action`, or the next verb
 * (contract §3.4). Without anybody to dial the next verb runs at once.
 */
export const dial: Verb = async (element, context) => {
  const nouns = nounsOf(element, (problem) => context.report(problem));
  const [first] = nouns;
  if (!first) return NEXT_VERB;
  const star = new AbortController();
  const forget: (() => void)[] = [];
  const inside = insideContext(element, { context, star, forget });
  try {
    const result = await dialNouns(nouns, { first, element, inside });
    return afterwards(element, result);
  } finally {
    for (const each of forget) each();
  }
};

/** Elements, or text as a `<Number>`. */
function nounsOf(element: TwimlElement, report: VerbContext['report']): TwimlElement[] {
  const nouns = element.children.filter((child): child is TwimlElement => typeof child !== 'string');
  const text = element.children.filter((child) => typeof child === 'string').join('').trim();
  if (text === '') return nouns;
  if (nouns.length > 0) {
    report({ errorCode: 12200, message: `Text beside the nouns of <Dial> was skipped: '${text.slice(0, 40)}'`, log: 1 });
    return nouns;
  }
  return [{ name: 'Number', attributes: {}, children: [text], line: element.line, column: element.column }];
}

function dialNouns(nouns: readonly TwimlElement[], { first, element, inside }: { first: TwimlElement; element: TwimlElement; inside: VerbContext }): Promise<DialResult> {
  const place = PLACES[first.name];
  const [kept, ignored] = place ? [[first], nouns.slice(1)] : [nouns.filter((noun) => !PLACES[noun.name]), nouns.filter((noun) => PLACES[noun.name])];
  for (const noun of ignored) inside.report({ errorCode: 12200, message: `<${noun.name}> beside <${first.name}> was skipped: a <Dial> has phones, or one place`, log: 1 });
  return place ? place(first, element, inside) : dialParties(kept, element, inside);
}

interface Inside {
  context: VerbContext;
  star: AbortController;
  forget: (() => void)[];
}

/** The context of a noun: with `hangupOnStar` its signal aborts at a `*` of the caller too, from the answer on. */
function insideContext(element: TwimlElement, { context, star, forget }: Inside): VerbContext {
  if (element.attributes['hangupOnStar']?.toLowerCase() !== 'true') return context;
  let watched: PhoneMedia | null = null;
  const watch = (phone: PhoneMedia): PhoneMedia => {
    if (watched) return phone;
    watched = phone;
    forget.push(phone.on('digitReceived', (digit) => void (digit === '*' && star.abort())));
    return phone;
  };
  // Getters of the context (`answered`) stay live through the prototype.
  return Object.assign(Object.create(context) as VerbContext, {
    signal: AbortSignal.any([context.signal, star.signal]),
    answer: async (...near: Parameters<VerbContext['answer']>) => watch(await context.answer(...near)),
  });
}

function afterwards(element: TwimlElement, { status, parameters }: DialResult): VerbOutcome {
  const action = element.attributes['action']?.trim();
  if (action === undefined) return NEXT_VERB;
  return { next: 'document', reference: action, method: methodOf(element), parameters: [['DialCallStatus', status], ...parameters] };
}
