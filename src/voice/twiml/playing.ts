import { MediaError, type PhoneMedia } from '../../media/protocol.ts';
import type { TwimlElement } from './document.ts';
import type { VerbContext } from './verb.ts';

/** `loop="0"` means until the call ends, but not more than this (contract §3.4). */
const ENDLESS = 1000;

/** The `loop` attribute of `<Say>` and `<Play>`: 1 by default. */
export function timesOf(element: TwimlElement): number {
  const loop = Number(element.attributes['loop'] ?? 1);
  if (!Number.isInteger(loop) || loop < 0) return 1;
  return loop === 0 ? ENDLESS : Math.min(loop, ENDLESS);
}

/** Plays a file to the phone; one that the media plane cannot read is a debugger entry, not the end of the call. */
export async function playFile(file: { path: string; contentType: string }, how: { phone: PhoneMedia; times: number; context: VerbContext; problemCode: number }): Promise<void> {
  const { phone, times, context, problemCode } = how;
  try {
    await phone.play({ kind: 'file', path: file.path, contentType: file.contentType }, { loops: times, signal: context.signal });
  } catch (error) {
    if (!(error instanceof MediaError) || (error.reason !== 'prompt-unreadable' && error.reason !== 'prompt-type')) throw error;
    context.report({ errorCode: problemCode, message: `cannot be played: ${error.message}`, log: 0 });
  }
}
