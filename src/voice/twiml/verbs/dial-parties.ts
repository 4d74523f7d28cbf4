import { MediaError } from '../../../media/protocol.ts';
import { callerIdOf, type CallerId } from '../../dialling/caller-id.ts';
import { Hunt } from '../../dialling/hunt.ts';
import { Party } from '../../dialling/party.ts';
import { targetsOf, type Target } from '../../dialling/target.ts';
import type { CallEvent } from '../../model.ts';
import { Bridge } from '../../transfer/bridge.ts';
import { sideOfCall, sideOfParty } from '../../transfer/sides.ts';
import { resolveUrl } from '../../webhook/client.ts';
import { isTold } from '../../webhook/parameters.ts';
import type { DocumentSource } from '../document-loader.ts';
import type { TwimlElement } from '../document.ts';
import { methodOf, type VerbContext } from '../verb.ts';
import { DialRecorder } from './dial-recording.ts';
import { machineDetectionOf } from './dial-machine.ts';
import { timeLimitMs, type DialCallStatus, type DialResult } from './dial-noun.ts';
import { startRingback, type Ringback } from './ringback.ts';

const DEFAULT_RING_TIMEOUT_S = 30;
const MAX_PARTIES = 10;

/** `<Dial>` of phones: text, `<Number>`, `<Sip>`, `<Client>`; all at once or one after the other, the first to take the call is put through. */
export async function dialParties(nouns: readonly TwimlElement[], dial: TwimlElement, context: VerbContext): Promise<DialResult> {
  const reading = readTargets(nouns, dial, context);
  if ('status' in reading) return { status: reading.status, parameters: [['DialBridged', 'false']] };
  const recorder = new DialRecorder(dial, context);
  const ringback = await startRingback(dial, context);
  if (context.answered) await recorder.reached('ringing', await context.answer());
  const sequential = isTrue(dial.attributes['sequential']);
  // Of several that ring at once the caller hears none in particular.
  const early = sequential || reading.targets.length === 1 ? ringback.early : null;
  const hunt = new Hunt({ targets: reading.targets, sequential, signal: context.signal, dial: (target, ended) => dialOne(target, { ...reading, dial, context, early, ended }) });
  const leave = (): void => hunt.letGo();
  context.signal.addEventListener('abort', leave, { once: true });
  try {
    const party = await hunt.run();
    await ringback.stop();
    const last = party && (await bridge(party, { ...reading, dial, context, recorder }));
    const recorded = await recorder.stop();
    return resultOf(last ?? party ?? hunt.last, { bridged: last !== null, context, recorded });
  } finally {
    context.signal.removeEventListener('abort', leave);
    hunt.letGo();
    await ringback.stop();
    await recorder.stop();
  }
}

interface Reading {
  targets: Target[];
  callerId: CallerId;
}

/** Whom to call and as whom, or what to say when nobody can be called: each reason is in the debugger. */
function readTargets(nouns: readonly TwimlElement[], dial: TwimlElement, context: VerbContext): Reading | { status: DialCallStatus } {
  const { dialler, call } = context;
  const warn = ({ errorCode, message }: { errorCode: number; message: string }): void => context.report({ errorCode, message, log: 1 });
  const targets: Target[] = [];
  let status: DialCallStatus = 'failed';
  for (const noun of nouns) {
    const found = targetsOf(noun, { accountSid: call.accountSid, dialler, planned: isTrue(dial.attributes['sequential']) ? 0 : targets.length, warn });
    if ('errorCode' in found) {
      warn(found);
      ({ status } = found);
    } else targets.push(...found);
  }
  if (targets.length > MAX_PARTIES) warn({ errorCode: 12200, message: `<Dial> calls at most ${MAX_PARTIES} phones: the first ${MAX_PARTIES} of ${targets.length} were called` });
  if (targets.length === 0) return { status };
  const given = dial.attributes['callerId'];
  const callerId = callerIdOf(given, { call, directory: dialler.directory, towardsNumber: targets.some(({ noun }) => noun.name === 'Number') });
  if (callerId) return { targets: targets.slice(0, MAX_PARTIES).map((target) => withReason(target, dial)), callerId };
  context.report({ errorCode: 13214, message: `<Dial>: '${(given ?? call.from).slice(0, 60)}' may not be the caller id: it must be this call's From or To, a number or a verified caller id of the account`, log: 0 });
  return { status: 'failed' };
}

/** `callReason` is the Subject of the INVITE, as over REST. */
function withReason(target: Target, { attributes }: TwimlElement): Target {
  const reason = attributes['callReason']?.trim() ?? '';
  return reason === '' ? target : { ...target, headers: [...target.headers, ['Subject', reason]] };
}

interface One extends Reading {
  dial: TwimlElement;
  context: VerbContext;
  early: Ringback['early'];
  ended: (party: Party) => void;
}

function dialOne(target: Target, { dial, context, callerId, early, ended }: One): Party {
  const { dialler, clock, call, authToken } = context;
  return new Party({
    dialler,
    clock,
    parent: call,
    target,
    callerId,
    authToken,
    ringTimeoutMs: Number(dial.attributes['timeout'] ?? DEFAULT_RING_TIMEOUT_S) * 1000,
    statusCallback: statusCallbackOf(target.noun, context),
    machineDetection: target.sendDigits === null ? machineDetectionOf(target.noun, context) : null,
    whisper: whisperOf(target.noun, context),
    early,
    ended,
  });
}

function statusCallbackOf({ name, attributes }: TwimlElement, context: VerbContext): { url: string; method: 'GET' | 'POST'; events: CallEvent[] } | null {
  const reference = attributes['statusCallback']?.trim();
  if (reference === undefined) return null;
  const url = resolveUrl(context.documentUrl, reference);
  if (url === null || new URL(url).hostname.includes('_')) {
    context.report({ errorCode: 21609, message: `<${name}>: statusCallback '${reference}' is not a valid URL and was ignored`, log: 1 });
    return null;
  }
  const events = (attributes['statusCallbackEvent'] ?? 'completed').split(/\s+/).filter((event) => event !== '') as CallEvent[];
  return { url, method: attributes['statusCallbackMethod']?.toUpperCase() === 'GET' ? 'GET' : 'POST', events };
}

/** A whisper that cannot be asked for stays one that fails: the call must not be put through without it. */
function whisperOf(noun: TwimlElement, context: VerbContext): DocumentSource | null {
  const reference = noun.attributes['url']?.trim();
  if (reference === undefined) return null;
  return { kind: 'url', url: resolveUrl(context.documentUrl, reference) ?? reference, method: methodOf(noun) };
}

interface Joining extends Reading {
  dial: TwimlElement;
  context: VerbContext;
  recorder: DialRecorder;
}

/** Lets both talk until one of them goes or the time is up. The phone that was talked with last, which a transfer may have changed; null: they were never brought together. */
async function bridge(party: Party, { dial, context, recorder, targets }: Joining): Promise<Party | null> {
  const phone = await party.ready;
  const caller = await context.answer();
  if (!phone || party.gone.aborted || context.signal.aborted) return null;
  context.reached('bridged');
  await recorder.reached('answer', caller);
  if (!party.keep()) return null;
  const { dialler, clock, gatherings, call } = context;
  const noun = party.target.noun;
  const called = [party];
  const joint = new Bridge({
    ...{ sides: [sideOfCall(context, caller), sideOfParty(party, phone)], kind: 'dial', call, callerId: dial.attributes['callerId'], timeLimitMs: timeLimitMs(dial), dialler, clock, media: gatherings.media },
    // A phone that is called for a transfer is told of like the one whose place it takes, and nothing else is done with it.
    dial: (target, callerId, ended) => {
      const next = dialOne({ ...target, noun: { ...noun, name: target.noun.name, attributes: statusAttributes(noun) } }, { targets, callerId, dial, context, early: null, ended });
      called.push(next);
      return next;
    },
  });
  try {
    await joint.run();
  } catch (error) {
    if (error instanceof MediaError) return null;
    throw error;
  }
  return called.find(({ child }) => child.record === joint.second.record) ?? party;
}

function statusAttributes({ attributes }: TwimlElement): TwimlElement['attributes'] {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => name.startsWith('statusCallback')));
}

function resultOf(party: Party | null, { bridged, context, recorded }: { bridged: boolean; context: VerbContext; recorded: [name: string, value: string][] }): DialResult {
  if (!party) return { status: 'canceled', parameters: [['DialBridged', 'false'], ...recorded] };
  const { child, durationS, target } = party;
  const parameters: [string, string][] = [['DialCallSid', child.record.sid]];
  if (durationS !== null) parameters.push(['DialCallDuration', String(durationS)]);
  parameters.push(['DialBridged', String(bridged)], ...recorded);
  if (target.noun.name === 'Sip') parameters.push(...sipParameters(party));
  return { status: bridged ? 'completed' : statusOf(party, context), parameters };
}

function statusOf({ child, gone }: Party, { signal }: VerbContext): DialCallStatus {
  if (child.termination?.reason === 'application-error') return 'failed';
  const { status } = child.record;
  if (status === 'busy' || status === 'no-answer' || status === 'failed' || status === 'canceled') return status;
  return signal.aborted && !gone.aborted ? 'canceled' : 'completed';
}

function sipParameters({ child }: Party): [string, string][] {
  const parameters: [string, string][] = [];
  if (child.sipCallId !== null) parameters.push(['DialSipCallId', child.sipCallId]);
  const statusCode = child.record.answeredAtMs === null ? child.termination?.sipStatusCode : 200;
  if (statusCode !== undefined) parameters.push(['DialSipResponseCode', String(statusCode)]);
  for (const [name, value] of child.sipAnswerHeaders) if (isTold(name)) parameters.push([`DialSipHeader_${name}`, value]);
  return parameters;
}

function isTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === 'true';
}
