/** A webhook's URL, taken apart but not rewritten: what is signed is what is sent, character by character (contract §4.4). */
export interface Target {
  /** Scheme, host and port: `https://app.example:8443`. */
  origin: string;
  /** Path and query as they were written, with what HTTP cannot carry percent-encoded. */
  path: string;
  /** URL that is signed: user information kept, default port and fragment dropped. */
  signedUrl: string;
  /** Authorization header from user information in the URL. */
  authorization: string | null;
  overrides: Overrides;
}

/** Connection overrides in a URL's fragment (contract §3.5). */
export interface Overrides {
  connectTimeoutMs: number;
  readTimeoutMs: number;
  totalTimeoutMs: number;
  retries: number;
  /** What is worth another try: `4xx`, `5xx`, `ct`, `rt` or `all`. */
  retryOn: readonly string[];
  /** `sni=n`: false, the TLS handshake names no host. */
  serverName: boolean;
}

const MAX_URL_CHARS = 4096;
const SHAPE = /^(https?):\/\/(?:([^/?#@]*)@)?([^/?#@]+)([^#]*)(?:#(.*))?$/i;

/** Null when the text is no http or https URL that can be asked. Where it leads is judged when it connects: network-policy.ts. */
export function targetOf(text: string): Target | null {
  const parts = text.length > MAX_URL_CHARS ? null : SHAPE.exec(text.trim());
  if (!parts) return null;
  const [, scheme = '', userInfo, authority = '', rest = '', fragment = ''] = parts;
  const base = `${scheme.toLowerCase()}://${authority}`;
  if (!URL.canParse(base) || /[\s\\]/.test(authority)) return null;
  const { origin } = new URL(base);
  const pathAndQuery = wireText(rest.startsWith('/') ? rest : `/${rest}`);
  return {
    origin,
    path: pathAndQuery,
    signedUrl: `${origin.replace('://', userInfo === undefined ? '://' : `://${userInfo}@`)}${wireText(rest)}`,
    authorization: userInfo === undefined ? null : basic(userInfo),
    overrides: overridesOf(fragment),
  };
}

/** Percent-encodes what may not stand in a request line and leaves everything else alone. */
function wireText(text: string): string {
  return text.replace(/[^\x21-\x7e]+/gu, (piece) => encodeURIComponent(piece.replace(/[\ud800-\udfff]/gu, '\ufffd')));
}

function basic(userInfo: string): string {
  let plain: string;
  try {
    plain = decodeURIComponent(userInfo);
  } catch {
    plain = userInfo;
  }
  return `Basic ${Buffer.from(plain.includes(':') ? plain : `${plain}:`).toString('base64')}`;
}

const RETRY_REASONS = ['4xx', '5xx', 'ct', 'rt', 'all'];

/** Reasons that are known; without any the default. */
function retryReasons(text: string | undefined): readonly string[] {
  const known = (text ?? '').split(',').filter((reason) => RETRY_REASONS.includes(reason));
  return known.length === 0 ? ['ct'] : known;
}

/** A value out of its range is as good as none. `e`, Twilio's places of egress, has no meaning here: there is one. */
function overridesOf(fragment: string): Overrides {
  const given = new Map(fragment.split('&').map((pair): [string, string] => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
  const within = (name: string, { min, max, otherwise }: { min: number; max: number; otherwise: number }): number => {
    const value = given.get(name) ?? '';
    return /^\d{1,6}$/.test(value) && Number(value) >= min && Number(value) <= max ? Number(value) : otherwise;
  };
  return {
    connectTimeoutMs: within('ct', { min: 100, max: 10_000, otherwise: 5000 }),
    readTimeoutMs: within('rt', { min: 100, max: 15_000, otherwise: 15_000 }),
    totalTimeoutMs: within('tt', { min: 100, max: 15_000, otherwise: 15_000 }),
    retries: within('rc', { min: 0, max: 5, otherwise: 1 }),
    retryOn: retryReasons(given.get('rp')),
    serverName: given.get('sni') !== 'n',
  };
}

/** A URL as an attribute or header names it, against the document it stands in. Null when that is no http or https URL. */
export function resolveUrl(base: string | null, reference: string): string | null {
  const absolute = /^[a-z][a-z0-9+.-]*:/i.test(reference);
  if (absolute) return targetOf(reference) ? reference.trim() : null;
  const withoutFragment = base === null ? null : base.replace(/#.*$/, '');
  if (withoutFragment === null || !URL.canParse(reference, withoutFragment)) return null;
  const resolved = new URL(reference, withoutFragment).href;
  return targetOf(resolved) ? resolved : null;
}
