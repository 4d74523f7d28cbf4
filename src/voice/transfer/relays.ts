import { orAborted } from '../../base/abort.ts';
import { messageOf } from '../../base/errors.ts';
import type { Relay } from '../dialling/dialler.ts';
import { ANSWERED_ELSEWHERE } from '../ending-words.ts';
import { terminated, type Termination } from '../termination.ts';
import { statusOfEnding } from './status-of-ending.ts';

/** Calls them all; resolves with the first that answers, the others are let go, or with a SIP answer that says why there is none. Never rejects. */
export async function firstToAnswer(relays: readonly Relay[], signal: AbortSignal): Promise<Relay | number> {
  let last: Termination | null = null;
  const answered = new Promise<Relay | null>((resolve) => {
    let open = relays.length;
    for (const relay of relays) {
      const { leg } = relay;
      const ended = (termination: Termination): void => {
        last = termination;
        // It may have answered with nothing usable: that one does not wait for the others.
        leg.hangup();
        if (--open === 0) resolve(null);
      };
      leg.on('answered', () => resolve(relay));
      leg.on('ended', ended);
      relay.dial().catch((error: unknown) => ended(terminated('unreachable', { detail: messageOf(error) })));
    }
    if (open === 0) resolve(null);
  });
  const winner = await orAborted(answered, signal);
  for (const relay of relays) {
    if (relay === winner) continue;
    const { leg } = relay;
    leg.hangup(winner ? ANSWERED_ELSEWHERE : undefined);
    await leg.close();
  }
  return winner ?? statusOfEnding(last);
}
