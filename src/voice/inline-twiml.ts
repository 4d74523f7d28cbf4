import { TwilioError } from '../base/errors.ts';
import { readTwiml, TwimlError, type TwimlElement } from './twiml/document.ts';
import { resolveUrl } from './webhook/target.ts';

/**
 * TwiML of a REST update stands nowhere: an `action` in it must be an absolute URL (contract §3.1). Throws 15004. TwiML that
 * cannot be read is left to the call, which writes a Notification.
 */
export function checkInlineActions(twiml: string): void {
  for (const verb of verbsOf(twiml)) checkElement(verb);
}

function checkElement({ name, attributes, children }: TwimlElement): void {
  const action = attributes['action']?.trim() ?? '';
  if (action !== '' && resolveUrl(null, action) === null) throw new TwilioError(15004, `'Twiml': the action of <${name}> must be an absolute http or https URL: there is no document that it could be relative to.`);
  for (const child of children) if (typeof child !== 'string') checkElement(child);
}

function verbsOf(twiml: string): readonly TwimlElement[] {
  try {
    return readTwiml({ body: Buffer.from(twiml), contentType: 'text/xml' }).verbs;
  } catch (error) {
    if (error instanceof TwimlError) return [];
    throw error;
  }
}
