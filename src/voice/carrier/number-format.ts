/** Numbers as a carrier writes them, and E.164 with its plus. Pure. */
export interface NumberFormat {
  /** Of the carrier's country, digits: `49`; null: national numbers are not understood. */
  countryCode: string | null;
  /** Before a national number: `0` in most of Europe, `1` in North America; empty: none. */
  nationalPrefix: string;
  /** Before a number with country code: `00`, `011`. Empty: none. */
  internationalPrefix: string;
  /** What digits without plus and prefixes are. */
  bareNumbersAre: 'international' | 'national';
  /** How called numbers are written: `+4930…`, `4930…`, `004930…`, or `030…` at home and `00…` abroad. */
  out: 'plus' | 'digits' | 'international' | 'national';
  /** Taken off the front of numbers that come in (a technical prefix). */
  stripIn: string;
  /** Put before numbers that go out. */
  addOut: string;
}

/** E.164 has at most 15 digits. */
const MAX_DIGITS = 15;
/** Emergency numbers, short codes, extensions: they have no country code. */
const MAX_SHORT_DIGITS = 6;

/** A number of the carrier in E.164; short codes stay as they are. Null for what is no number. */
export function toE164(text: string, format: NumberFormat): string | null {
  const number = withoutPrefix(plain(text), format.stripIn);
  const match = /^(\+?)(\d{1,18})$/.exec(number);
  const digits = match?.[2];
  if (digits === undefined) return null;
  if (match?.[1] === '+') return checked(digits);
  const { internationalPrefix, nationalPrefix, countryCode } = format;
  if (internationalPrefix !== '' && digits.startsWith(internationalPrefix) && digits.length > internationalPrefix.length + MAX_SHORT_DIGITS) return checked(digits.slice(internationalPrefix.length));
  if (digits.length <= MAX_SHORT_DIGITS) return digits;
  if (countryCode !== null && nationalPrefix !== '' && nationalPrefix !== countryCode && digits.startsWith(nationalPrefix)) return checked(countryCode + digits.slice(nationalPrefix.length));
  return checked(ofBare(digits, format));
}

/** North America dials its country code as national prefix: eleven digits with it are whole, ten are not. */
function ofBare(digits: string, { bareNumbersAre, countryCode, nationalPrefix }: NumberFormat): string {
  if (bareNumbersAre === 'international' || countryCode === null) return digits;
  const whole = nationalPrefix === countryCode && digits.startsWith(countryCode);
  return whole ? digits : countryCode + digits;
}

/** What a number of ours is called by at the carrier. Anything but E.164 is only given the prefix. */
export function fromE164(number: string, format: NumberFormat): string {
  return format.addOut + (/^\+\d{1,15}$/.test(number) ? written(number.slice(1), format) : number);
}

function written(digits: string, { out, countryCode, nationalPrefix, internationalPrefix }: NumberFormat): string {
  if (out === 'plus') return `+${digits}`;
  if (out === 'digits') return digits;
  if (out === 'national' && countryCode !== null && digits.startsWith(countryCode)) return nationalPrefix + digits.slice(countryCode.length);
  return internationalPrefix + digits;
}

function checked(digits: string): string | null {
  return digits.length <= MAX_DIGITS ? `+${digits}` : null;
}

function withoutPrefix(text: string, prefix: string): string {
  return prefix !== '' && text.startsWith(prefix) ? text.slice(prefix.length) : text;
}

/** Without parameters (`;phone-context=…`) and visual separators (RFC 3966 §5.1.1). */
function plain(text: string): string {
  return decoded(text).split(';', 1)[0]?.replace(/[-.() ]/g, '') ?? '';
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
