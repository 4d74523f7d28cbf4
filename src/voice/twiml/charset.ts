/** Bytes that are not the text they say they are. */
export class CharsetError extends Error {
  override readonly name = 'CharsetError';
}

const UTF_16_STARTS: readonly [bytes: readonly number[], encoding: string][] = [
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
  [[0x3c, 0x00], 'utf-16le'],
  [[0x00, 0x3c], 'utf-16be'],
];
const UTF_8_MARK = [0xef, 0xbb, 0xbf];

/**
 * The text of an answer: by its byte order mark, else the `charset` of its Content-Type, else its XML declaration, else as
 * UTF-8 (RFC 7303 §3.2). Throws CharsetError when it is not what it says, or says something unknown.
 */
export function decodeText(body: Uint8Array, contentType: string | null): string {
  const encoding = markOf(body) ?? charsetOf(contentType) ?? declaredIn(body) ?? 'utf-8';
  let decoder: InstanceType<typeof TextDecoder>;
  try {
    decoder = new TextDecoder(encoding, { fatal: true });
  } catch {
    throw new CharsetError(`The character set '${encoding.slice(0, 40)}' is not known`);
  }
  try {
    return decoder.decode(body);
  } catch {
    throw new CharsetError(`The response is not ${encoding} text`);
  }
}

function markOf(body: Uint8Array): string | null {
  const starts = (bytes: readonly number[]): boolean => bytes.every((byte, at) => body[at] === byte);
  if (starts(UTF_8_MARK)) return 'utf-8';
  return UTF_16_STARTS.find(([bytes]) => starts(bytes))?.[1] ?? null;
}

function charsetOf(contentType: string | null): string | null {
  return /;\s*charset\s*=\s*"?([\w.:-]+)/i.exec(contentType ?? '')?.[1]?.toLowerCase() ?? null;
}

const DECLARATION_BYTES = 200;

function declaredIn(body: Uint8Array): string | null {
  const start = Buffer.from(body.subarray(0, DECLARATION_BYTES)).toString('latin1');
  const declared = /^<\?xml\s[^>]*?encoding\s*=\s*["']([\w.:-]+)["']/.exec(start)?.[1]?.toLowerCase() ?? null;
  // A document that can be read byte by byte up to here is no UTF-16, whatever it says.
  return declared?.startsWith('utf-16') ? null : declared;
}
