/** Small pieces of RFC 3261 §25.1 that several headers share. */

const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Places in `text` of `separator` outside quoted strings and angle brackets; null when a quote or bracket stays open. */
function cutPlaces(text: string, separator: string): number[] | null {
  const places: number[] = [];
  let quoted = false;
  let bracketed = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === '\\') i++;
      else if (c === '"') quoted = false;
    } else if (c === '"' && !bracketed) quoted = true;
    else if (c === '<') bracketed = true;
    else if (c === '>') bracketed = false;
    else if (c === separator && !bracketed) places.push(i);
  }
  return quoted || bracketed ? null : places;
}

/** Cuts at `separator` outside quotes and brackets; null for an unterminated quote or bracket. */
export function splitOutside(text: string, separator: string): string[] | null {
  const places = cutPlaces(text, separator);
  if (!places) return null;
  const parts: string[] = [];
  let from = 0;
  for (const at of places) {
    parts.push(text.slice(from, at).trim());
    from = at + 1;
  }
  parts.push(text.slice(from).trim());
  return parts;
}

/** Values of a comma-separated header line. A line whose quotes do not close is one value. */
export function splitValues(line: string): string[] {
  if (!line.includes(',')) return line.trim() === '' ? [] : [line.trim()];
  return (splitOutside(line, ',') ?? [line.trim()]).filter((part) => part !== '');
}

/** Header parameters (`;name=value`), names in lower case; a parameter without `=` has the value ''. Null when malformed. */
export function parseParams(text: string): Map<string, string> | null {
  const params = new Map<string, string>();
  if (text.trim() === '') return params;
  const parts = splitOutside(text, ';');
  if (!parts) return null;
  for (const [i, part] of parts.entries()) {
    if (part === '') {
      if (i === 0) continue;
      return null;
    }
    const eq = part.indexOf('=');
    const name = (eq < 0 ? part : part.slice(0, eq)).trim().toLowerCase();
    if (!isToken(name)) return null;
    if (!params.has(name)) params.set(name, eq < 0 ? '' : unquote(part.slice(eq + 1).trim()));
  }
  return params;
}

/** Takes quotes and backslashes off a quoted string; other text comes back as it is. */
export function unquote(text: string): string {
  if (text.length < 2 || text[0] !== '"' || text.at(-1) !== '"') return text;
  return text.slice(1, -1).replace(/\\([\s\S])/g, '$1');
}

export function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** Decimal digits only, at most `max`; null otherwise. */
export function parseNumber(text: string, max: number): number | null {
  if (!/^[0-9]{1,20}$/.test(text)) return null;
  const n = Number(text);
  return n <= max ? n : null;
}

/** Percent-decoding that leaves as it is what is not decodable, and what would bring control characters to light. */
export function percentDecode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    const decoded = decodeURIComponent(text);
    return /\p{Cc}/u.test(decoded) ? text : decoded;
  } catch {
    return text;
  }
}
