import { TwilioError } from '../base/errors.ts';

/**
 * Parameters of a body or a query: names with several values (`StatusCallbackEvent=a&StatusCallbackEvent=b`), names that
 * carry an operator (`StartTime>`). Names are case-sensitive.
 */
export class Form {
  static readonly empty = new Form(new URLSearchParams());
  readonly #values = new Map<string, string[]>();

  constructor(pairs: Iterable<[string, string]>) {
    for (const [name, raw] of pairs) {
      // No text of the database may hold it.
      const value = raw.replaceAll('\0', '\ufffd');
      const kept = this.#values.get(name);
      if (kept) kept.push(value);
      else this.#values.set(name, [value]);
    }
  }

  /** Reads `application/x-www-form-urlencoded` text; what is badly encoded stays as it is. */
  static parse(text: string): Form {
    return new Form(new URLSearchParams(text));
  }

  /** The last value given, undefined when there is none. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  /** As `text`, with an empty value taken for none. */
  filled(name: string): string | undefined {
    const value = this.text(name);
    return value === undefined || value === '' ? undefined : value;
  }

  /** All values that are not empty, undefined when the name was not given. */
  all(name: string): string[] | undefined {
    return this.#values.get(name)?.filter((value) => value !== '');
  }

  /** A number in plain digits; NaN for anything else, which the reader refuses with the number of its own error. */
  number(name: string): number | undefined {
    const value = this.filled(name)?.trim();
    if (value === undefined) return undefined;
    return /^-?\d{1,12}$/.test(value) ? Number(value) : Number.NaN;
  }

  /** `true` or `false` in any letter case. Throws 20001 for anything else. */
  boolean(name: string): boolean | undefined {
    const value = this.filled(name)?.toLowerCase();
    if (value === undefined) return undefined;
    if (value !== 'true' && value !== 'false') throw new TwilioError(20001, `${name} must be true or false`);
    return value === 'true';
  }

  /** One of some words. Throws `code` for anything else. */
  oneOf<T extends string>(name: string, words: readonly T[], code = 20001): T | undefined {
    const value = this.filled(name);
    if (value === undefined) return undefined;
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) throw new TwilioError(code, `${name} must be one of ${words.join(', ')}`);
    return word;
  }

  /** All but one name. */
  without(name: string): Form {
    return new Form([...this.pairs()].filter(([known]) => known !== name));
  }

  *pairs(): Generator<[name: string, value: string]> {
    for (const [name, values] of this.#values) for (const value of values) yield [name, value];
  }
}

/** Only the members that have a value: what an interface with optional members wants. */
export function given<T extends object>(members: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;
}
