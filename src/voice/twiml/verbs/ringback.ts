import { MediaError } from '../../../media/protocol.ts';
import type { TwimlElement } from '../document.ts';
import type { VerbContext } from '../verb.ts';

/** What a caller hears while others are called. */
export interface Ringback {
  /** Resolves when it is silent. Idempotent. */
  stop(): Promise<void>;
}

/** Answers the caller and lets it hear ringing; under `answerOnBridge` an unanswered caller hears that of its own network instead. */
export async function startRingback(dial: TwimlElement, context: VerbContext): Promise<Ringback> {
  if (dial.attributes['answerOnBridge']?.toLowerCase() === 'true' && !context.answered) return { stop: () => Promise.resolve() };
  const phone = await context.answer();
  const stopping = new AbortController();
  const silent = phone.play({ kind: 'ringback' }, { loops: 0, signal: AbortSignal.any([stopping.signal, context.signal]) }).catch(lostAlready);
  return {
    stop: async () => {
      stopping.abort();
      await silent;
    },
  };
}

/** The caller's own media says by itself when it is gone. */
function lostAlready(error: unknown): 'stopped' {
  if (error instanceof MediaError) return 'stopped';
  throw error;
}
