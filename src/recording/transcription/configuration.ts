import { TwilioError } from '../../base/errors.ts';
import type { TranscriptionsConfiguration } from './model.ts';

const MAX_CONFIGURATION_CHARS = 4096;
const MAX_HINTS = 100;

/** What the recognizer is asked for. */
export interface TranscriptionWishes {
  /** BCP 47; `en-US` when nothing is said. */
  languageCode: string;
  profanityFilter: boolean;
  hints: string[];
  /** Empty: the recognizer's own choice. */
  model: string;
}

/** Reads the JSON of a `Configuration`; absent or empty: no wishes. Throws TwilioError 20001. */
export function readConfiguration(json: string | undefined): TranscriptionsConfiguration {
  if (json === undefined || json === '') return {};
  const configuration = json.length > MAX_CONFIGURATION_CHARS ? null : parse(json);
  if (typeof configuration !== 'object' || configuration === null || Array.isArray(configuration)) throw new TwilioError(20001, `Configuration is a JSON object of at most ${MAX_CONFIGURATION_CHARS} characters`);
  wishesOf(configuration as TranscriptionsConfiguration);
  return configuration as TranscriptionsConfiguration;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

/** Keys count in either spelling, `languageCode` or `LanguageCode`; unknown ones are kept and asked of nobody. Throws TwilioError 20001. */
export function wishesOf(configuration: TranscriptionsConfiguration): TranscriptionWishes {
  const given = new Map(Object.entries(configuration).map(([name, value]) => [name.toLowerCase(), value]));
  const languageCode = given.get('languagecode') ?? 'en-US';
  if (typeof languageCode !== 'string' || !/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/.test(languageCode)) throw new TwilioError(20001, 'Configuration: languageCode is a language such as en-US');
  const profanityFilter = given.get('profanityfilter') ?? true;
  if (typeof profanityFilter !== 'boolean') throw new TwilioError(20001, 'Configuration: profanityFilter is true or false');
  const model = given.get('speechmodel') ?? '';
  if (typeof model !== 'string' || !/^[\w.-]{0,64}$/.test(model)) throw new TwilioError(20001, 'Configuration: speechModel is the name of a model');
  return { languageCode, profanityFilter, hints: hintsOf(given.get('hints')), model };
}

function hintsOf(value: unknown): string[] {
  const list = value === undefined ? [] : typeof value === 'string' ? value.split(',') : value;
  if (!Array.isArray(list) || list.length > MAX_HINTS || !list.every((hint) => typeof hint === 'string')) throw new TwilioError(20001, `Configuration: hints are at most ${MAX_HINTS} words or phrases, separated by commas`);
  // Commas part them again on their way to the recognizer.
  return (list as string[]).map((hint) => hint.replace(/[\p{Cc},]+/gu, ' ').trim()).filter((hint) => hint !== '');
}
