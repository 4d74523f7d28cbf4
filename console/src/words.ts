/** What the page says, made from what it knows. */

const ENDINGS: Record<number, string> = {
  20104: 'The permission to be here ran out. Join again to go on.',
  53000: 'The line to the server broke.',
  53001: 'The line to the server broke.',
  53105: 'The room is full.',
  53118: 'The room was closed.',
  53205: 'Somebody joined with the same name, so this page was let go.',
  53405: 'Sound and picture could not get through. A firewall may be in the way.',
};

/** An error of the SDK, of the server or of the browser, as a sentence. */
export function errorInWords(error: unknown): string {
  if (typeof error === 'object' && error !== null) {
    const code = 'code' in error && typeof error.code === 'number' ? error.code : null;
    if (code !== null && ENDINGS[code] !== undefined) return ENDINGS[code];
    if ('name' in error && (error.name === 'TimeoutError' || error.name === 'TypeError')) return 'The server cannot be reached. Is it still running?';
    if ('message' in error && typeof error.message === 'string' && error.message !== '') return code === null ? error.message : `${error.message} (${code})`;
  }
  return 'Something went wrong. Try again.';
}

/** Why a microphone or camera is not there. */
export function deviceInWords(error: unknown, device: 'microphone' | 'camera'): string {
  const name = typeof error === 'object' && error !== null && 'name' in error ? String(error.name) : '';
  if (name === 'NotAllowedError') return `The browser was not allowed to use the ${device}.`;
  if (name === 'NotFoundError') return `No ${device} was found.`;
  if (name === 'NotReadableError') return `Another program uses the ${device}.`;
  if (!globalThis.isSecureContext) return `Browsers give the ${device} only to pages of localhost or HTTPS.`;
  return `The ${device} could not be started.`;
}

/** `75` → `1:15`, `3675` → `1:01:15`. */
export function duration(seconds: number): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** `+15550100` is read more easily as `+1 555 0100`, an identity nobody chose as its first digits. Other names stay as they are. */
export function readable(identity: string): string {
  if (/^[0-9a-f]{32}$/.test(identity)) return `Caller ${identity.slice(0, 6)}`;
  const national = /^\+1(\d{3})(\d{3})?(\d{4})$/.exec(identity);
  return national ? ['+1', ...national.slice(1).filter(Boolean)].join(' ') : identity;
}

/** `anna bell` → `AB`. */
export function initials(identity: string): string {
  const words = identity.trim().split(/[\s._-]+/u).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)].map((word) => [...(word ?? '')][0]) : [...(words[0] ?? '?')].slice(0, 1);
  return letters.join('').toUpperCase();
}

/** The ready-made caller for a terminal in the clone. */
export function callCommand(number: string, sipUri: string): string {
  const address = /@([^;>]+)/.exec(sipUri)?.[1] ?? '127.0.0.1:5060';
  const server = /:\d+$/.test(address) ? address : `${address}:5060`;
  return server === '127.0.0.1:5060' ? `npx partyline call ${number}` : `npx partyline call ${number} --server ${server}`;
}
