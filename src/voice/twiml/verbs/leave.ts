import type { Verb } from '../verb.ts';

/** `<Leave/>`: out of the queue whose waiting document this is; in a call's own document, which no queue runs, its end. */
export const leave: Verb = async () => ({ next: 'leave' });
