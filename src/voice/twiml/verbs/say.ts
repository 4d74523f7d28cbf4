import { SpeechError } from '../../speech.ts';
import type { TwimlElement } from '../document.ts';
import { textOf } from '../document.ts';
import { playFile, timesOf } from '../playing.ts';
import { NEXT_VERB, type Verb, type VerbContext } from '../verb.ts';

/** `<Say voice language loop>`: speaks. Without a speech engine a 13520 is journaled and the next verb runs. */
export const say: Verb = async (element, context) => {
  const phone = await context.answer();
  const prepared = await spoken(element, context);
  if (prepared && !context.signal.aborted) await playFile(prepared, { phone, times: timesOf(element), context, problemCode: 13520 });
  return NEXT_VERB;
};

type Spoken = { path: string; contentType: string };

async function spoken(element: TwimlElement, context: VerbContext): Promise<Spoken | null> {
  const ssml = element.children.some((child) => typeof child !== 'string');
  const text = ssml ? element.children.map(xmlOf).join('') : textOf(element);
  if (text.trim() === '') return null;
  try {
    return await context.speech.speak({ text, ssml, language: element.attributes['language'] ?? null, voice: element.attributes['voice'] ?? null, signal: context.signal });
  } catch (error) {
    if (!(error instanceof SpeechError)) throw error;
    if (!context.signal.aborted) context.report({ errorCode: error.errorCode, message: `<Say> could not be spoken: ${error.message}`, log: 0 });
    return null;
  }
}

/** SSML children as XML again, for the engine. */
function xmlOf(node: TwimlElement | string): string {
  if (typeof node === 'string') return escaped(node);
  const attributes = Object.entries(node.attributes).map(([name, value]) => ` ${name}="${escaped(value)}"`).join('');
  return `<${node.name}${attributes}>${node.children.map(xmlOf).join('')}</${node.name}>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

