import type { PhoneMedia } from '../../../media/protocol.ts';
import { keepWaiting, waitSoundOf, type WaitEnd, type WaitSound } from '../../waiting.ts';
import type { TwimlElement } from '../document.ts';
import { extensionKey } from '../extensions.ts';
import { NEXT_VERB, type NestingRule, type VerbContext, type VerbOutcome } from '../verb.ts';

/** What may stand in the document of `pl:waitUrl`. */
const WAITING_VERBS: NestingRule = { verbs: ['Play', 'Say', 'Pause', 'Hangup', 'Redirect', 'Leave', 'Gather'], code: 12200 };
const DEFAULT_TIMEOUT_S = 600;

interface Wait {
  roomName: string;
  phone: PhoneMedia;
  sound: WaitSound;
  timeoutS: number;
  context: VerbContext;
}

/**
 * `<Room pl:waitForRoom="true" pl:waitUrl pl:waitMethod pl:waitTimeout>`: answers, and keeps the caller company until there is
 * such a room, made by REST or by a page that connects. Null: it is there, or was not to be waited for.
 */
export async function untilRoomOpens({ attributes }: TwimlElement, { roomName, context }: { roomName: string; context: VerbContext }): Promise<VerbOutcome | null> {
  const isWanted = attributes[extensionKey('waitForRoom')]?.toLowerCase() === 'true';
  if (!isWanted || context.rooms.exists(context.call.accountSid, roomName)) return null;
  const method = attributes[extensionKey('waitMethod')]?.toUpperCase() === 'GET' ? 'GET' : 'POST';
  const sound = waitSoundOf(context, { url: attributes[extensionKey('waitUrl')], method, code: 12200, emptyIsSilence: true });
  const timeoutS = Number(attributes[extensionKey('waitTimeout')] ?? DEFAULT_TIMEOUT_S);
  const phone = await context.answer();
  context.reached('waiting for the room');
  return await wait({ roomName, phone, sound, timeoutS, context });
}

async function wait(waiting: Wait): Promise<VerbOutcome | null> {
  const { roomName, context, timeoutS } = waiting;
  const sinceMs = context.clock.nowMs();
  const late = new AbortController();
  const timer = context.clock.after(timeoutS * 1000, () => late.abort());
  try {
    // A room may be over again before the music has stopped.
    while (!context.rooms.exists(context.call.accountSid, roomName)) {
      if (late.signal.aborted) return notOpened(waiting);
      const end = await keepCompany(waiting, { sinceMs, signal: AbortSignal.any([context.signal, late.signal]) });
      if (context.signal.aborted || end?.kind === 'left') return NEXT_VERB;
      if (end) return { next: 'end', termination: end.termination };
    }
    return null;
  } finally {
    timer.cancel();
  }
}

/** Until the room opens or the signal aborts; else how the waiting document ended it. */
async function keepCompany({ roomName, phone, sound, context }: Wait, { sinceMs, signal }: { sinceMs: number; signal: AbortSignal }): Promise<WaitEnd> {
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  void context.rooms.whenOpen(context.call.accountSid, roomName, until).then(() => over.abort());
  const parameters = (): [string, string][] => [['RoomName', roomName], ['WaitTime', String(Math.round((context.clock.nowMs() - sinceMs) / 1000))]];
  try {
    return await keepWaiting({ context, phone, music: context.gatherings.music, sound, rule: WAITING_VERBS, parameters, signal: until });
  } finally {
    over.abort();
  }
}

function notOpened({ roomName, timeoutS, context }: Wait): VerbOutcome {
  context.report({ errorCode: 53106, message: `Room not found: no room named '${roomName}' was opened within ${timeoutS} s. <Connect> was skipped.`, log: 0 });
  return NEXT_VERB;
}
