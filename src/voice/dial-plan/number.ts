/** Texts of numbers as phones and carriers write them. Pure. */

const MAX_DIGITS = 15;

/**
 * What a Request-URI user may mean as a stored number, most likely first: `+1555…` and short codes as they are, `1555…`
 * and `001555…` with their `+`. Parameters (`;phone-context=…`) and visual separators (RFC 3966 §5.1.1) do not count.
 */
export function numberCandidates(user: string): string[] {
  const text = plain(user);
  if (!/^\+?\d{1,18}$/.test(text)) return [];
  if (text.startsWith('+')) return [text];
  const international = text.startsWith('00') ? [`+${text.slice(2)}`] : [];
  return [...international, `+${text}`, text];
}

/** A sender's number in E.164 where it is one, else null: `+1555…`, or ten digits and more. */
export function e164Of(user: string): string | null {
  const text = plain(user);
  const match = /^(\+|00)?(\d+)$/.exec(text);
  const digits = match?.[2];
  if (digits === undefined || digits.length > MAX_DIGITS) return null;
  if (match?.[1] !== undefined) return `+${digits}`;
  return digits.length >= 10 ? `+${digits}` : null;
}

function plain(user: string): string {
  return decoded(user).split(';', 1)[0]?.replace(/[-.() ]/g, '') ?? '';
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
