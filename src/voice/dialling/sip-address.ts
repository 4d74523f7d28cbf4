/** A SIP address as `<Sip>` has it, its headers taken out. */
export interface SipAddress {
  /** Without headers. */
  uri: string;
  user: string;
  host: string;
  headers: [name: string, value: string][];
  warnings: { errorCode: number; message: string }[];
}

const MAX_URI_CHARS = 255;
const MAX_HEADER_CHARS = 1024;
/** Beside `X-…` (contract §3.4). */
const HEADERS = ['user-to-user', 'remote-party-id', 'p-preferred-identity', 'p-called-party-id'];

/** Reads `sip:user@host:port;transport=tcp?X-Name=value`; a header that may not be sent is left out with 13252. */
export function readSipAddress(text: string): SipAddress | { problem: string } {
  const at = text.indexOf('?');
  const address = at < 0 ? text : text.slice(0, at);
  const match = /^(sips?):([^\s<>"@:]+)@(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?((?:;[\w.~%+-]+(?:=[\w.~%+-]*)?)*)$/i.exec(address);
  const [, scheme = '', user = '', host = '', port = '', parameters = ''] = match ?? [];
  if (!match) return { problem: `'${text.slice(0, 80)}' is no SIP address` };
  if (address.length >= MAX_URI_CHARS) return { problem: `the address must be shorter than ${MAX_URI_CHARS} characters` };
  if (Number(port.slice(1)) > 65_535) return { problem: `port ${port.slice(1)} does not exist` };
  const query = at < 0 ? '' : text.slice(at + 1);
  if (query.length >= MAX_HEADER_CHARS) return { problem: `its headers must be shorter than ${MAX_HEADER_CHARS} characters` };
  return { uri: `${scheme.toLowerCase()}:${user}@${host}${port}${parameters}`, user, host, ...readHeaders(query) };
}

function readHeaders(query: string): Pick<SipAddress, 'headers' | 'warnings'> {
  const headers: SipAddress['headers'] = [];
  const warnings: SipAddress['warnings'] = [];
  for (const pair of query.split('&').filter((text) => text !== '')) {
    const header = readHeader(pair);
    if (header) headers.push(header);
    else warnings.push({ errorCode: 13252, message: `the header '${pair.slice(0, 60)}' may not be sent and was left out` });
  }
  return { headers, warnings };
}

function readHeader(pair: string): [name: string, value: string] | null {
  const [name = '', ...rest] = pair.split('=');
  try {
    return allowedHeader(name, decodeURIComponent(rest.join('=')));
  } catch {
    return null;
  }
}

/** A header that a document may add to an INVITE; null when it may not. `X-Twilio-…` are the server's own. */
export function allowedHeader(name: string, value: string): [name: string, value: string] | null {
  const allowed = /^x-(?!twilio-)[\w.!%*+`'~-]+$/i.test(name) || HEADERS.includes(name.toLowerCase());
  return allowed && !hasControl(value) ? [name, value] : null;
}

function hasControl(value: string): boolean {
  return [...value].some((character) => character < ' ' || character === '\u007f');
}
