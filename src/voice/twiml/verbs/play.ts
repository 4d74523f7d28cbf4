import { orAborted } from '../../../base/abort.ts';
import { PromptError } from '../../prompts.ts';
import { resolveUrl } from '../../webhook/client.ts';
import { textOf } from '../document.ts';
import { playFile, timesOf } from '../playing.ts';
import { NEXT_VERB, type Verb, type VerbContext } from '../verb.ts';

/** `<Play loop digits>url</Play>`: plays a file of the web, or sends keys. What cannot be fetched or read is journaled and skipped. */
export const play: Verb = async (element, context) => {
  const phone = await context.answer();
  const digits = element.attributes['digits'];
  // Keys that are on their way cannot be called back: a call that leaves does not wait for them.
  if (digits !== undefined && digits !== '') await orAborted(phone.sendDigits(digits), context.signal);
  const url = textOf(element).trim();
  if (url === '' || context.signal.aborted) return NEXT_VERB;
  const file = element.sound ?? (await fetched(url, context));
  if (file && !context.signal.aborted) await playFile(file, { phone, times: timesOf(element), context, problemCode: 12300 });
  return NEXT_VERB;
};

async function fetched(reference: string, context: VerbContext): Promise<{ path: string; contentType: string } | null> {
  const url = resolveUrl(context.documentUrl, reference);
  if (url === null) {
    context.report({ errorCode: 11100, message: `<Play>: '${reference}' is no http or https URL`, log: 0 });
    return null;
  }
  try {
    return await context.prompts.fetch({ url, authToken: context.authToken, cookies: context.cookies, signal: context.signal });
  } catch (error) {
    if (!(error instanceof PromptError)) throw error;
    if (!context.signal.aborted) context.report({ errorCode: error.errorCode, message: `<Play> of ${url}: ${error.message}`, log: 0 });
    return null;
  }
}
