import { sleep } from '../../../base/clock.ts';
import { NEXT_VERB, type Verb } from '../verb.ts';

const DEFAULT_LENGTH_S = 1;

/** `<Pause length>`: waits; before the first verb that answers it delays the answer (contract §3.4). */
export const pause: Verb = async (element, { clock, signal }) => {
  const lengthS = Number(element.attributes['length'] ?? DEFAULT_LENGTH_S);
  await sleep(clock, (Number.isFinite(lengthS) && lengthS >= 0 ? lengthS : DEFAULT_LENGTH_S) * 1000, signal).catch(() => undefined);
  return NEXT_VERB;
};
