import { terminated } from '../../termination.ts';
import type { Verb } from '../verb.ts';

/** `<Hangup/>`: ends the call; a call that still rings is answered first (contract §3.4). */
export const hangup: Verb = async (_element, context) => {
  await context.answer();
  return { next: 'end', termination: terminated('hangup-verb') };
};
