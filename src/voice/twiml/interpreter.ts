import { orAborted } from '../../base/abort.ts';
import { InternalError } from '../../base/errors.ts';
import type { PhoneMedia } from '../../media/protocol.ts';
import { terminated, type Termination } from '../termination.ts';
import { resolveUrl } from '../webhook/client.ts';
import type { TwimlElement } from './document.ts';
import type { DocumentLoader, DocumentSource, LoadedDocument } from './document-loader.ts';
import { NEXT_VERB, type NestingRule, type RunEnd, type Verb, type VerbContext, type VerbOutcome } from './verb.ts';
import { connect } from './verbs/connect.ts';
import { dial } from './verbs/dial.ts';
import { enqueue } from './verbs/enqueue.ts';
import { gather } from './verbs/gather.ts';
import { hangup } from './verbs/hangup.ts';
import { leave } from './verbs/leave.ts';
import { pause } from './verbs/pause.ts';
import { play } from './verbs/play.ts';
import { record } from './verbs/record.ts';
import { redirect } from './verbs/redirect.ts';
import { refer } from './verbs/refer.ts';
import { reject } from './verbs/reject.ts';
import { say } from './verbs/say.ts';
import { start } from './verbs/start.ts';
import { stop } from './verbs/stop.ts';

const VERBS: Readonly<Record<string, Verb>> = { Connect: connect, Dial: dial, Enqueue: enqueue, Gather: gather, Hangup: hangup, Leave: leave, Pause: pause, Play: play, Record: record, Redirect: redirect, Refer: refer, Reject: reject, Say: say, Start: start, Stop: stop };

/** Everything of a verb's context but what belongs to the document that runs. */
export type RunContext = Omit<VerbContext, 'documentUrl' | 'report'> & { report: (problem: Parameters<VerbContext['report']>[0], loaded: LoadedDocument | null) => void };

/** Spoken when an application fails and has no fallback (contract §3.5). */
const APOLOGY = 'We are sorry. An application error has occurred. Goodbye.';

/**
 * Runs documents verb by verb until the call should end; resolves with why, or with null when the signal aborted.
 * Documents that replace each other (`action`, `<Redirect>`) are one run.
 */
export async function runDocuments(start: DocumentSource | null, { loader, context }: { loader: DocumentLoader; context: RunContext }): Promise<Termination | null> {
  const end = await runToEnd(start, { loader, context, rule: null });
  if (end.kind === 'ended') return end.termination;
  if (end.kind === 'aborted') return null;
  return end.kind === 'failed' ? await applicationFailed(context) : await documentEnded(context);
}

/**
 * Runs documents that accompany another verb (a whisper, a waiting room): running out of verbs or failing is not the end of
 * the call. `rule` names the verbs that may stand in them and the warning for others. Never rejects but with MediaError and faults of ours.
 */
export async function runNested(start: DocumentSource, options: { loader: DocumentLoader; context: RunContext; rule: NestingRule }): Promise<RunEnd> {
  return await runToEnd(start, options);
}

interface Run {
  loader: DocumentLoader;
  context: RunContext;
  rule: NestingRule | null;
}

async function runToEnd(start: DocumentSource | null, run: Run): Promise<RunEnd> {
  const { loader, context } = run;
  let loaded = start ? await loader.load(start, context.signal) : await withoutUrl(loader, context);
  const pace = new Pace(context.clock);
  while (loaded && !context.signal.aborted) {
    const outcome = await runDocument(loaded, run);
    if (context.signal.aborted) return { kind: 'aborted' };
    if (outcome.next === 'end') return { kind: 'ended', termination: outcome.termination };
    if (outcome.next === 'leave') return { kind: 'left' };
    if (outcome.next === 'verb') return { kind: 'ran-out' };
    loaded = pace.tooFast() ? tooFast(loaded, context) : await follow(outcome, { loaded, loader, context });
  }
  return { kind: context.signal.aborted ? 'aborted' : 'failed' };
}

/** Sees an application that sends a call round in circles, as fast as the network goes. */
class Pace {
  readonly #clock: RunContext['clock'];
  #windowMs: number;
  #documents = 0;

  constructor(clock: RunContext['clock']) {
    this.#clock = clock;
    this.#windowMs = clock.nowMs();
  }

  /** Called for each document that replaces another. */
  tooFast(): boolean {
    if (this.#clock.nowMs() - this.#windowMs > PACE_WINDOW_MS) {
      this.#windowMs = this.#clock.nowMs();
      this.#documents = 0;
    }
    return ++this.#documents > PACE_DOCUMENTS;
  }
}

const PACE_WINDOW_MS = 10_000;
const PACE_DOCUMENTS = 100;

/** Ends the run as a failed application: no fallback, which would be the next circle. */
function tooFast(loaded: LoadedDocument, context: RunContext): null {
  context.report({ errorCode: 11215, message: `More than ${PACE_DOCUMENTS} documents within ${PACE_WINDOW_MS / 1000} s: the application redirects in a circle`, log: 0 }, loaded);
  return null;
}

/** A number without a VoiceUrl. */
async function withoutUrl(loader: DocumentLoader, context: RunContext): Promise<LoadedDocument | null> {
  const message = 'No voice URL is configured for this call';
  context.report({ errorCode: 11100, message, log: 0 }, null);
  return await loader.fallBack({ errorCode: 11100, message, url: null }, context.signal);
}

async function runDocument(loaded: LoadedDocument, { context: run, rule }: Run): Promise<VerbOutcome> {
  const context: VerbContext = contextOf(run, loaded);
  for (const element of loaded.document.verbs) {
    if (rule && !rule.verbs.includes(element.name)) {
      context.report({ errorCode: rule.codes?.[element.name] ?? rule.code, message: `<${element.name}> may not stand here and was skipped: only ${rule.verbs.join(', ')}`, log: 1 });
      continue;
    }
    const outcome = await runVerb(element, context);
    if (outcome.next !== 'verb' || run.signal.aborted) return outcome;
  }
  return NEXT_VERB;
}

function contextOf(run: RunContext, loaded: LoadedDocument): VerbContext {
  // Getters of the run (`answered`) stay live through the prototype.
  return Object.assign(Object.create(run) as RunContext, {
    documentUrl: loaded.url,
    report: (problem: Parameters<VerbContext['report']>[0]) => run.report(problem, loaded),
  });
}

async function runVerb(element: TwimlElement, context: VerbContext): Promise<VerbOutcome> {
  const verb = Object.hasOwn(VERBS, element.name) ? VERBS[element.name] : undefined;
  if (!verb) throw new InternalError(`the schema let <${element.name}> through, which nothing runs`);
  context.reached(`verb ${element.name}`);
  return await verb(element, context);
}

interface Following {
  loaded: LoadedDocument;
  loader: DocumentLoader;
  context: RunContext;
}

/** The document an `action` or `<Redirect>` names; empty text is the same document again. */
async function follow(outcome: VerbOutcome & { next: 'document' }, { loaded, loader, context }: Following): Promise<LoadedDocument | null> {
  const url = outcome.reference === '' ? loaded.url : resolveUrl(loaded.url, outcome.reference);
  if (url !== null) {
    const source: DocumentSource = { kind: 'url', url, method: outcome.method, ...(outcome.parameters ? { parameters: outcome.parameters } : {}) };
    return outcome.outlivesCall ? await orAborted(loader.load(source, new AbortController().signal), context.signal) : await loader.load(source, context.signal);
  }
  const message = loaded.url === null ? `'${outcome.reference}' must be an absolute URL: TwiML given over REST has no address` : `'${outcome.reference}' is no http or https URL`;
  context.report({ errorCode: 11100, message, log: 0 }, loaded);
  return await loader.fallBack({ errorCode: 11100, message, url: outcome.reference }, context.signal);
}

/** Nothing left to run: a call that still rings is answered and then hung up (contract §3.1). */
async function documentEnded(context: RunContext): Promise<Termination> {
  await context.answer();
  return terminated('document-ended');
}

async function applicationFailed(context: RunContext): Promise<Termination | null> {
  const phone = await context.answer();
  await apologize(phone, context);
  return context.signal.aborted ? null : terminated('application-error');
}

async function apologize(phone: PhoneMedia, { speech, signal }: RunContext): Promise<void> {
  try {
    const file = await speech.speak({ text: APOLOGY, ssml: false, language: null, voice: null, signal });
    await phone.play({ kind: 'file', path: file.path, contentType: file.contentType }, { signal });
  } catch {
    // Without a voice the caller hears nothing; the failure itself is in the journal already.
  }
}
