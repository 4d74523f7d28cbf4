import { isFinal } from '../../call-state.ts';
import { DEFAULT_MAX_SIZE, MAX_QUEUE_NAME_CHARS } from '../../queue/model.ts';
import { QueuedCall } from '../../queue/queued-call.ts';
import type { CallQueue } from '../../queue/queues.ts';
import type { Termination } from '../../termination.ts';
import { keepWaiting, waitSoundOf, type WaitSound } from '../../waiting.ts';
import { textOf, type TwimlElement } from '../document.ts';
import { tellAction } from '../tell-action.ts';
import { NEXT_VERB, methodOf, type NestingRule, type Verb, type VerbContext, type VerbOutcome } from '../verb.ts';

/** What may stand in the document of `waitUrl`. */
const WAITING_VERBS: NestingRule = { verbs: ['Play', 'Say', 'Pause', 'Hangup', 'Redirect', 'Leave', 'Gather'], code: 12200 };

/** Twilio's words of `QueueResult`, as far as they happen here. */
type QueueResult = 'bridged' | 'leave' | 'queue-full' | 'error' | 'hangup' | 'redirected' | 'redirected-from-bridged';

type Pairs = [name: string, value: string][];

/**
 * `<Enqueue action method waitUrl waitUrlMethod maxQueueSize>name</Enqueue>`: waits in a queue, made when it is not there, until
 * a `<Dial><Queue>` takes the call, `<Leave>`, REST or the caller ends it (contract §3.4).
 */
export const enqueue: Verb = async (element, context) => {
  const place = placeIn(element, context);
  if ('next' in place) return place;
  const phone = await context.answer();
  if (context.signal.aborted) return NEXT_VERB;
  // While it was answered others may have filled the queue, or REST deleted it.
  const queue = placeIn(element, context);
  return 'next' in queue ? queue : await stay(element, { queue, call: new QueuedCall(context, phone), context });
};

/** The queue, when there is room for one more; else what follows. */
function placeIn(element: TwimlElement, context: VerbContext): CallQueue | VerbOutcome {
  const queue = queueOf(element, context);
  if (!queue) return afterwards(element, [['QueueResult', 'error']]);
  if (queue.waiting.length < largestSize(element, queue)) return queue;
  context.report({ errorCode: 14207, message: `The queue '${queue.record.friendlyName}' is full: ${queue.waiting.length} calls wait in it`, log: 1 });
  return afterwards(element, [['QueueResult', 'queue-full'], ['QueueSid', queue.record.sid]]);
}

/** The queue of that name, made on demand; null after a notification. */
function queueOf(element: TwimlElement, context: VerbContext): CallQueue | null {
  const { queues } = context.gatherings;
  const name = textOf(element).trim();
  const length = [...name].length;
  if (length === 0) context.report({ errorCode: 14204, message: '<Enqueue> names no queue', log: 0 });
  else if (length > MAX_QUEUE_NAME_CHARS) context.report({ errorCode: 14205, message: `<Enqueue>: a queue's name must not be longer than ${MAX_QUEUE_NAME_CHARS} characters`, log: 0 });
  else return queues.byName(context.call.accountSid, name) ?? queues.create(context.call.accountSid, { friendlyName: name, maxSize: DEFAULT_MAX_SIZE });
  return null;
}

function largestSize(element: TwimlElement, { record }: CallQueue): number {
  return Math.min(record.maxSize, Number(element.attributes['maxQueueSize'] ?? record.maxSize));
}

interface Stay {
  queue: CallQueue;
  call: QueuedCall;
  context: VerbContext;
}

async function stay(element: TwimlElement, here: Stay): Promise<VerbOutcome> {
  const { queue, call, context } = here;
  const sound = waitSoundOf(context, { url: element.attributes['waitUrl'], method: element.attributes['waitUrlMethod']?.toUpperCase() === 'GET' ? 'GET' : 'POST', code: 14202, emptyIsSilence: true });
  const gone = (): void => leftByItself(element, here);
  context.signal.addEventListener('abort', gone, { once: true });
  queue.add(call);
  context.reached('enqueued');
  try {
    const end = await waitAndTalk(here, sound);
    if (context.signal.aborted) return NEXT_VERB;
    if (typeof end === 'object') return { next: 'end', termination: end.termination };
    return afterwards(element, resultParameters(end, here));
  } finally {
    queue.remove(call);
    context.signal.removeEventListener('abort', gone);
  }
}

async function waitAndTalk(stay: Stay, sound: WaitSound): Promise<QueueResult | { termination: Termination }> {
  const { queue, call, context } = stay;
  const { phone } = call;
  for (;;) {
    const { taken } = call;
    const waiting = keepWaiting({ context, phone, music: context.gatherings.music, sound, rule: WAITING_VERBS, parameters: () => waitParameters(stay), signal: AbortSignal.any([context.signal, taken]) });
    call.waitsWith(waiting.catch(() => undefined));
    const end = await waiting;
    if (context.signal.aborted && !taken.aborted) return 'hangup';
    if (end && !taken.aborted) {
      queue.remove(call);
      call.left();
      return end.kind === 'left' ? 'leave' : { termination: end.termination };
    }
    if ((await call.handedOver) === 'bridged') return 'bridged';
    if (context.signal.aborted) return 'hangup';
    // REST may have deleted a queue in which nobody seemed to wait.
    if (context.gatherings.queues.bySid(context.call.accountSid, queue.record.sid) !== queue) return 'error';
    queue.putBack(call);
  }
}

function waitParameters({ queue, call }: Stay): Pairs {
  return [
    ['QueueSid', queue.record.sid],
    ['QueueTime', String(call.queueTimeS)],
    ['QueuePosition', String(queue.positionOf(call))],
    ['AvgQueueTime', String(queue.averageWaitS())],
    ['CurrentQueueSize', String(queue.waiting.length)],
    ['MaxQueueSize', String(queue.record.maxSize)],
  ];
}

function resultParameters(result: QueueResult, { queue, call }: Stay): Pairs {
  return [['QueueResult', result], ['QueueSid', queue.record.sid], ['QueueTime', String(call.queueTimeS)]];
}

/** The caller hung up, or REST sent the call elsewhere: `action` is told, and what it answers is for nobody (contract §3.1). */
function leftByItself(element: TwimlElement, stay: Stay): void {
  const { context } = stay;
  const { taken, talking } = stay.call;
  stay.queue.remove(stay.call);
  if (!taken.aborted) stay.call.left();
  const action = element.attributes['action']?.trim();
  if (action === undefined || action === '') return;
  const hungUp = isFinal(context.call.status);
  const result = hungUp ? (talking ? 'bridged' : 'hangup') : talking ? 'redirected-from-bridged' : 'redirected';
  tellAction(element, action, { context, parameters: resultParameters(result, stay) });
}

function afterwards(element: TwimlElement, parameters: Pairs): VerbOutcome {
  const action = element.attributes['action']?.trim();
  if (action === undefined || action === '') return NEXT_VERB;
  return { next: 'document', reference: action, method: methodOf(element), parameters };
}
