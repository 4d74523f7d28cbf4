import { terminated } from '../../termination.ts';
import type { Verb } from '../verb.ts';

/** `<Reject reason>`: a ringing call is refused, 486 for busy and 404 else; an answered one is hung up (contract §3.4). */
export const reject: Verb = async (element, { answered }) => {
  if (answered) return { next: 'end', termination: terminated('hangup-verb', { detail: '<Reject> after the answer' }) };
  const busy = element.attributes['reason'] === 'busy';
  return { next: 'end', termination: terminated(busy ? 'rejected-busy' : 'rejected', { sipStatusCode: busy ? 486 : 404 }) };
};
