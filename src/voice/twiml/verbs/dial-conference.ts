import type { DialNoun } from './dial-noun.ts';

/** `<Dial><Conference>`; the schema lets none through until it is built. */
export const dialConference: DialNoun = () => Promise.resolve({ status: 'failed', parameters: [] });
