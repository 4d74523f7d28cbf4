import { textOf } from '../document.ts';
import { methodOf, type Verb } from '../verb.ts';

/** `<Redirect method>url</Redirect>`: goes on with another document; no text means this one again. A ringing call rings on. */
export const redirect: Verb = async (element) => ({ next: 'document', reference: textOf(element).trim(), method: methodOf(element) });
