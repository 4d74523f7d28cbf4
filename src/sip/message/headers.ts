import { headerKey } from './header-names.ts';
import { splitValues } from './grammar.ts';

/** What a line costs beside its text. */
const BYTES_PER_LINE = 100;

/** Headers of one message in their order, kept as text; the few that matter are parsed when asked for. */
export class Headers {
  readonly #names: string[] = [];
  readonly #keys: string[] = [];
  readonly #values: string[] = [];

  get length(): number {
    return this.#names.length;
  }

  /** Memory that they take, about. */
  get bytes(): number {
    let bytes = 0;
    for (let i = 0; i < this.#names.length; i++) bytes += (this.#names[i]?.length ?? 0) + (this.#values[i]?.length ?? 0) + BYTES_PER_LINE;
    return bytes;
  }

  add(name: string, value: string): this {
    this.#names.push(name);
    this.#keys.push(headerKey(name));
    this.#values.push(value);
    return this;
  }

  /** First value of a header, whole line; `key` as of `headerKey`. */
  get(key: string): string | undefined {
    const at = this.#keys.indexOf(key);
    return at < 0 ? undefined : this.#values[at];
  }

  has(key: string): boolean {
    return this.#keys.includes(key);
  }

  /** Lines carrying that header. */
  count(key: string): number {
    let n = 0;
    for (const k of this.#keys) if (k === key) n++;
    return n;
  }

  /** Every line of a header, in order, not split at commas. */
  lines(key: string): string[] {
    const found: string[] = [];
    for (let i = 0; i < this.#keys.length; i++) if (this.#keys[i] === key) found.push(this.#values[i] ?? '');
    return found;
  }

  /** Every value of a list header, lines split at commas outside quotes and angle brackets. */
  list(key: string): string[] {
    return this.lines(key).flatMap(splitValues);
  }

  /** Replaces the first line of that header, or adds one. */
  set(name: string, value: string): this {
    const at = this.#keys.indexOf(headerKey(name));
    if (at < 0) return this.add(name, value);
    this.#values[at] = value;
    return this;
  }

  /** Puts a line before all others. */
  prepend(name: string, value: string): this {
    this.#names.unshift(name);
    this.#keys.unshift(headerKey(name));
    this.#values.unshift(value);
    return this;
  }

  remove(key: string): this {
    for (let i = this.#keys.length - 1; i >= 0; i--) {
      if (this.#keys[i] !== key) continue;
      this.#names.splice(i, 1);
      this.#keys.splice(i, 1);
      this.#values.splice(i, 1);
    }
    return this;
  }

  copyFrom(other: Headers, key: string): this {
    for (const value of other.lines(key)) this.#push(other, key, value);
    return this;
  }

  #push(other: Headers, key: string, value: string): void {
    this.#names.push(other.nameOf(key));
    this.#keys.push(key);
    this.#values.push(value);
  }

  /** The spelling that came with the first such line. */
  nameOf(key: string): string {
    const name = this.#names[this.#keys.indexOf(key)];
    return name === undefined || name.length === 1 ? (LONG_SPELLING[key] ?? name ?? key) : name;
  }

  clone(): Headers {
    const copy = new Headers();
    this.each((name, value) => void copy.add(name, value));
    return copy;
  }

  each(visit: (name: string, value: string, key: string) => void): void {
    for (let i = 0; i < this.#names.length; i++) visit(this.#names[i] ?? '', this.#values[i] ?? '', this.#keys[i] ?? '');
  }

  entries(): [name: string, value: string][] {
    const all: [string, string][] = [];
    this.each((name, value) => void all.push([name, value]));
    return all;
  }
}

/** We answer in long form, whatever form the question had. */
const LONG_SPELLING: Record<string, string> = { via: 'Via', from: 'From', to: 'To', 'call-id': 'Call-ID', 'content-type': 'Content-Type', contact: 'Contact' };
