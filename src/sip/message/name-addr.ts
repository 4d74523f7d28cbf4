import { isToken, parseParams, unquote } from './grammar.ts';
import { uriScheme } from './uri.ts';

/** From, To, Contact, Route, Record-Route: `"Name" <uri>;params` or `uri;params` (RFC 3261 §20.10). */
export interface NameAddr {
  displayName: string;
  /** Verbatim. */
  uri: string;
  /** Header parameters, names in lower case. */
  params: Map<string, string>;
}

/** Null when malformed. */
export function parseNameAddr(value: string): NameAddr | null {
  const open = openingBracket(value);
  return open === -2 ? null : open < 0 ? parseAddrSpec(value) : parseBracketed(value, open);
}

/** Index of `<` outside the quoted display name; -1 for none, -2 for a quote that never closes. */
function openingBracket(value: string): number {
  if (!value.trimStart().startsWith('"')) return value.indexOf('<');
  for (let i = value.indexOf('"') + 1; i < value.length; i++) {
    if (value[i] === '\\') i++;
    else if (value[i] === '"') return value.indexOf('<', i);
  }
  return -2;
}

function parseBracketed(value: string, open: number): NameAddr | null {
  const close = value.indexOf('>', open);
  if (close < 0) return null;
  const uri = value.slice(open + 1, close);
  const displayName = parseDisplayName(value.slice(0, open).trim());
  const after = value.slice(close + 1).trim();
  if (uriScheme(uri) === null || displayName === null || (after !== '' && !after.startsWith(';'))) return null;
  const params = parseParams(after);
  return params && { displayName, uri, params };
}

/** Names without quotes should be tokens; other characters than quotes and commas are let pass, many phones send them. */
function parseDisplayName(text: string): string | null {
  if (text.startsWith('"')) return text.length > 1 && text.endsWith('"') ? unquote(text) : null;
  return /[",;<>]/.test(text) ? null : text;
}

/** Without brackets, everything after the first `;` belongs to the header, and `?` and `,` are not allowed (§20). */
function parseAddrSpec(value: string): NameAddr | null {
  const semi = value.indexOf(';');
  const uri = (semi < 0 ? value : value.slice(0, semi)).trim();
  if (uriScheme(uri) === null || /[?,]/.test(uri)) return null;
  const params = parseParams(semi < 0 ? '' : value.slice(semi));
  return params && { displayName: '', uri, params };
}

/** The tag parameter without a full parse of the rest; '' when absent. */
export function tagOf(value: string): string {
  return parseNameAddr(value)?.params.get('tag') ?? '';
}

/** `"Name" <uri>`; names that are tokens go without quotes. */
export function printNameAddr(displayName: string, uri: string): string {
  if (displayName === '') return `<${uri}>`;
  return isToken(displayName) ? `${displayName} <${uri}>` : `"${displayName.replace(/["\\]/g, '\\$&')}" <${uri}>`;
}
