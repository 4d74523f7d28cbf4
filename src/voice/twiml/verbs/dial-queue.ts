import type { DialNoun } from './dial-noun.ts';

/** `<Dial><Queue>`; the schema lets none through until it is built. */
export const dialQueue: DialNoun = () => Promise.resolve({ status: 'failed', parameters: [] });
