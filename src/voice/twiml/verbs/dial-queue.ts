import { messageOf } from '../../../base/errors.ts';
import { MediaError, type PhoneMedia } from '../../../media/protocol.ts';
import { talk } from '../../queue/queue-bridge.ts';
import type { QueuedCall } from '../../queue/queued-call.ts';
import type { CallQueue } from '../../queue/queues.ts';
import { MAX_QUEUE_NAME_CHARS } from '../../queue/model.ts';
import { resolveUrl } from '../../webhook/client.ts';
import { textOf, type TwimlElement } from '../document.ts';
import type { NestingRule, VerbContext } from '../verb.ts';
import { timeLimitMs, type DialNoun, type DialResult } from './dial-noun.ts';

const DEFAULT_TIMEOUT_S = 30;
/** What may stand in the document that the queued caller hears before it is connected. */
const WHISPER_VERBS: NestingRule = { verbs: ['Play', 'Say', 'Pause', 'Redirect'], code: 12200 };

/**
 * `<Dial><Queue url method>name</Queue>`: takes the call at the head, waiting for one up to `timeout`, and lets the two talk
 * until either leaves (contract §3.4). `action` gets DequeueResult, DequeuedCallSid, DequeuedCallQueueTime, DequeuedCallDuration.
 */
export const dialQueue: DialNoun = async (noun, dial, context) => {
  const queue = queueOf(noun, context);
  if (!queue) return { status: 'failed', parameters: [['DequeueResult', 'queue-not-found']] };
  const phone = await context.answer();
  const deadlineMs = context.clock.nowMs() + Number(dial.attributes['timeout'] ?? DEFAULT_TIMEOUT_S) * 1000;
  for (;;) {
    const call = await nextCall(queue, { context, phone, waitMs: deadlineMs - context.clock.nowMs() });
    if (!call) return { status: 'no-answer', parameters: [['DequeueResult', 'queue-empty']] };
    const result = await connect(call, { noun, dial, queue, context, phone });
    if (result || context.signal.aborted) return result ?? { status: 'no-answer', parameters: [] };
  }
};

function queueOf(noun: TwimlElement, context: VerbContext): CallQueue | null {
  const name = textOf(noun).trim();
  const problem = (errorCode: number, message: string): null => {
    context.report({ errorCode, message, log: 0 });
    return null;
  };
  if (name === '') return problem(14212, '<Queue> has no name');
  if ([...name].length > MAX_QUEUE_NAME_CHARS) return problem(14213, `<Queue>: a name must not be longer than ${MAX_QUEUE_NAME_CHARS} characters`);
  return context.gatherings.queues.byName(context.call.accountSid, name) ?? problem(14214, `There is no queue named '${name}'`);
}

/** The head of the queue, with ringing tone while there is none; null when nobody came in time or the dialler left. */
async function nextCall(queue: CallQueue, { context, phone, waitMs }: { context: VerbContext; phone: PhoneMedia; waitMs: number }): Promise<QueuedCall | null> {
  const waiting = new AbortController();
  const { signal } = context;
  if (signal.aborted) return null;
  let ringing: Promise<unknown> = Promise.resolve();
  const call = await new Promise<QueuedCall | null>((resolve) => {
    const settle = (taken: QueuedCall | null): void => {
      waiting.abort();
      timer.cancel();
      giveUp();
      signal.removeEventListener('abort', onAbort);
      resolve(taken);
    };
    const onAbort = (): void => settle(null);
    let giveUp = (): void => undefined;
    const timer = context.clock.after(waitMs, () => settle(null));
    signal.addEventListener('abort', onAbort, { once: true });
    giveUp = queue.take(settle);
    if (!waiting.signal.aborted) ringing = phone.play({ kind: 'ringback' }, { loops: 0, signal: waiting.signal }).catch(() => undefined);
  });
  await ringing;
  return call;
}

interface Meeting {
  noun: TwimlElement;
  dial: TwimlElement;
  queue: CallQueue;
  context: VerbContext;
  phone: PhoneMedia;
}

/** Null when the caller left before they talked: the next one is wanted then. */
async function connect(call: QueuedCall, meeting: Meeting): Promise<DialResult | null> {
  const { context, phone } = meeting;
  if (!(await call.take())) return null;
  const together = AbortSignal.any([context.signal, call.context.signal]);
  let outcome: 'bridged' | 'returned' = 'returned';
  try {
    await whisper(call, { ...meeting, signal: together });
    if (together.aborted) return leftBefore(context);
    call.talks();
    const durationS = await talkFor(timeLimitMs(meeting.dial), { context, phones: [phone, call.phone], signal: together });
    outcome = 'bridged';
    return { status: 'completed', parameters: [['DequeueResult', 'bridged'], ...dequeued(call), ['DequeuedCallDuration', String(durationS)]] };
  } catch (error) {
    if (!(error instanceof MediaError)) throw error;
    // Whoever hung up just now took its media along.
    if (together.aborted) return leftBefore(context);
    outcome = 'bridged';
    context.report({ errorCode: 12400, message: `The call could not be connected with the caller from the queue: ${messageOf(error)}`, log: 0 });
    return { status: 'failed', parameters: [['DequeueResult', 'error'], ...dequeued(call)] };
  } finally {
    call.finish(outcome);
  }
}

/** What is left to say when one of the two went before they talked. */
function leftBefore(context: VerbContext): DialResult | null {
  return context.signal.aborted ? { status: 'no-answer', parameters: [['DequeueResult', 'hangup']] } : null;
}

/** Whole seconds that they talked; the limit counts from here. */
async function talkFor(limitMs: number, { context, phones, signal }: { context: VerbContext; phones: [PhoneMedia, PhoneMedia]; signal: AbortSignal }): Promise<number> {
  const limit = new AbortController();
  const timer = context.clock.after(limitMs, () => limit.abort());
  const startedMs = context.clock.nowMs();
  try {
    await talk(context.gatherings.media, phones, AbortSignal.any([signal, limit.signal]));
    return Math.round((context.clock.nowMs() - startedMs) / 1000);
  } finally {
    timer.cancel();
  }
}

function dequeued(call: QueuedCall): [name: string, value: string][] {
  return [['DequeuedCallSid', call.callSid], ['DequeuedCallQueueTime', String(call.queueTimeS)]];
}

/** The document of `url`, heard by the caller from the queue before the two are connected. */
async function whisper(call: QueuedCall, { noun, queue, context, signal }: Pick<Meeting, 'noun' | 'queue' | 'context'> & { signal: AbortSignal }): Promise<void> {
  const reference = noun.attributes['url']?.trim() ?? '';
  if (reference === '' || signal.aborted) return;
  const url = resolveUrl(context.documentUrl, reference);
  if (url === null) return context.report({ errorCode: 14211, message: `<Queue>: url '${reference}' is no http or https URL`, log: 0 });
  const parameters = (): [string, string][] => [['QueueSid', queue.record.sid], ['QueueTime', String(call.queueTimeS)], ['DequeingCallSid', context.call.sid]];
  await call.context.nested({ kind: 'url', url, method: noun.attributes['method']?.toUpperCase() === 'GET' ? 'GET' : 'POST' }, { signal, rule: WHISPER_VERBS, parameters });
}
