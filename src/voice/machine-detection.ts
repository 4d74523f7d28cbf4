import { TwilioError } from '../base/errors.ts';
import type { HttpMethod } from './model.ts';
import { resolveUrl } from './webhook/target.ts';

/** How a call we place is to find out whether a person or a machine answered (contract §5.1, MachineDetection…). */
export interface MachineDetection {
  /** `enable` tells as soon as it knows; `message-end` waits for the end of a machine's greeting. */
  mode: 'enable' | 'message-end';
  /** After this the answer is `unknown`. 3000–59000, default 30000. */
  timeoutMs: number;
  /** Speech longer than this is a machine's. 1000–6000, default 2400. */
  speechThresholdMs: number;
  /** Silence that ends a stretch of speech. 500–5000, default 1200. */
  speechEndThresholdMs: number;
  /** Silence from the start after which the answer is `unknown`. 2000–10000, default 5000. */
  silenceTimeoutMs: number;
  /** AsyncAmd: the first document does not wait, the callback is told. Null: it waits. */
  asynchronous: { callback: { url: string; method: HttpMethod } | null } | null;
}

/** The parameters as they came, all text. */
export interface MachineDetectionOptions {
  machineDetection?: string;
  /** Seconds. */
  machineDetectionTimeout?: string;
  machineDetectionSpeechThreshold?: string;
  machineDetectionSpeechEndThreshold?: string;
  machineDetectionSilenceTimeout?: string;
  asyncAmd?: string;
  asyncAmdStatusCallback?: string;
  asyncAmdStatusCallbackMethod?: string;
}

const MODES: Readonly<Record<string, MachineDetection['mode']>> = { enable: 'enable', detectmessageend: 'message-end' };

/**
 * Reads them; null when no detection is asked for. Values are checked in any case. Throws 21234 (mode, or a number out of
 * its range), 20001 (AsyncAmd), 21609 (callback URL), 21209 (method).
 */
export function checkMachineDetection(options: MachineDetectionOptions): MachineDetection | null {
  const detection = {
    timeoutMs: inRange(options.machineDetectionTimeout, { name: 'MachineDetectionTimeout', min: 3, max: 59, byDefault: 30 }) * 1000,
    speechThresholdMs: inRange(options.machineDetectionSpeechThreshold, { name: 'MachineDetectionSpeechThreshold', min: 1000, max: 6000, byDefault: 2400 }),
    speechEndThresholdMs: inRange(options.machineDetectionSpeechEndThreshold, { name: 'MachineDetectionSpeechEndThreshold', min: 500, max: 5000, byDefault: 1200 }),
    silenceTimeoutMs: inRange(options.machineDetectionSilenceTimeout, { name: 'MachineDetectionSilenceTimeout', min: 2000, max: 10_000, byDefault: 5000 }),
    asynchronous: asynchronous(options),
  };
  const text = options.machineDetection?.trim() ?? '';
  if (text === '') return null;
  const mode = Object.hasOwn(MODES, text.toLowerCase()) ? MODES[text.toLowerCase()] : undefined;
  if (mode === undefined) throw new TwilioError(21234, `'MachineDetection' ${text} must be Enable or DetectMessageEnd.`);
  return { mode, ...detection };
}

function inRange(text: string | undefined, { name, min, max, byDefault }: { name: string; min: number; max: number; byDefault: number }): number {
  if (text === undefined || text.trim() === '') return byDefault;
  const value = /^\s*\d{1,9}\s*$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new TwilioError(21234, `'${name}' must be a whole number from ${min} to ${max}.`);
  return value;
}

function asynchronous(options: MachineDetectionOptions): MachineDetection['asynchronous'] {
  const wanted = options.asyncAmd?.trim().toLowerCase() ?? '';
  if (!['', 'true', 'false'].includes(wanted)) throw new TwilioError(20001, "'AsyncAmd' must be true or false.");
  const method = (options.asyncAmdStatusCallbackMethod?.trim() || 'POST').toUpperCase();
  if (method !== 'GET' && method !== 'POST') throw new TwilioError(21209, `'AsyncAmdStatusCallbackMethod' ${method} must be GET or POST.`);
  const url = options.asyncAmdStatusCallback?.trim() ?? '';
  if (url !== '' && resolveUrl(null, url) === null) throw new TwilioError(21609, `'AsyncAmdStatusCallback' ${url} is not a valid URL.`);
  return wanted === 'true' ? { callback: url === '' ? null : { url, method } } : null;
}
