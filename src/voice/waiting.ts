import { aborted } from '../base/abort.ts';
import { sleep, type Clock } from '../base/clock.ts';
import { MediaError, type PhoneMedia } from '../media/protocol.ts';
import type { HoldMusic } from './hold-music.ts';
import type { CallRecord, HttpMethod } from './model.ts';
import type { Termination } from './termination.ts';
import type { DocumentSource } from './twiml/document-loader.ts';
import type { NestedOptions, NestingRule, RunEnd } from './twiml/nesting.ts';
import { resolveUrl } from './webhook/client.ts';

/** What a caller hears while it waits. */
export type WaitSound = { kind: 'music' } | { kind: 'silence' } | { kind: 'document'; url: string; method: HttpMethod };

/** A call that waits for others or is with them, as far as they deal with it: a part of its verb's context. */
export interface GatheredCall {
  readonly call: Readonly<CallRecord>;
  readonly clock: Clock;
  /** Aborts when the call ends or is redirected. */
  readonly signal: AbortSignal;
  nested(source: DocumentSource, options: NestedOptions): Promise<RunEnd>;
  report(problem: { errorCode: number; message: string; log: 0 | 1 }): void;
}

export interface WaitOptions {
  context: GatheredCall;
  phone: PhoneMedia;
  music: HoldMusic;
  sound: WaitSound;
  rule: NestingRule;
  /** Added to each request of the waiting documents. */
  parameters: () => [name: string, value: string][];
  /** Ends the waiting. */
  signal: AbortSignal;
}

/** How waiting ended by the caller's own documents; null: the signal did. */
export type WaitEnd = { kind: 'left' } | { kind: 'ended'; termination: Termination } | null;

/** A document that is over at once is not asked for again sooner than this after it was asked for. */
const MIN_ROUND_MS = 1000;

/**
 * Keeps a caller company until `signal` aborts: runs the document again and again, or plays music. A document that cannot be
 * had, or that says nothing, leaves the music. Rejects with MediaError only.
 */
export async function keepWaiting(options: WaitOptions): Promise<WaitEnd> {
  const { context, sound, rule, parameters, signal } = options;
  while (sound.kind === 'document' && !signal.aborted) {
    const startedMs = context.clock.nowMs();
    const end = await context.nested({ kind: 'url', url: sound.url, method: sound.method }, { signal, rule, parameters });
    if (end.kind === 'left' || end.kind === 'ended') return signal.aborted ? null : end;
    if (end.kind === 'failed') break;
    const restMs = MIN_ROUND_MS - (context.clock.nowMs() - startedMs);
    if (restMs > 0) await sleep(context.clock, restMs, signal).catch(() => undefined);
  }
  if (sound.kind !== 'silence') await playMusic(options);
  await aborted(signal);
  return null;
}

async function playMusic({ phone, music, signal, context }: WaitOptions): Promise<void> {
  if (signal.aborted) return;
  try {
    const file = await music.file();
    if (!signal.aborted) await phone.play({ kind: 'file', ...file }, { loops: 0, signal });
  } catch (error) {
    if (error instanceof MediaError && error.reason !== 'prompt-unreadable' && error.reason !== 'prompt-type') throw error;
    context.report({ errorCode: 13420, message: 'The hold music could not be played', log: 1 });
  }
}

/**
 * Reads `waitUrl` and its method. `''` is silence where that is documented; a URL that cannot be asked is journaled with
 * `code` and leaves the music.
 */
export function waitSoundOf(context: Pick<GatheredCall, 'report'> & { documentUrl: string | null }, { url, method, code, emptyIsSilence }: { url: string | undefined; method: HttpMethod; code: number; emptyIsSilence: boolean }): WaitSound {
  const reference = url?.trim();
  if (reference === undefined) return { kind: 'music' };
  if (reference === '') return { kind: emptyIsSilence ? 'silence' : 'music' };
  const resolved = resolveUrl(context.documentUrl, reference);
  if (resolved !== null) return { kind: 'document', url: resolved, method };
  context.report({ errorCode: code, message: `waitUrl '${reference}' is no http or https URL`, log: 1 });
  return { kind: 'music' };
}
