import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Clock, Timer } from './base/clock.ts';
import { messageOf } from './base/errors.ts';
import type { Log } from './base/log.ts';
import type { SipServer } from './sip/contract.ts';

const SAVE_MS = 30_000;

/**
 * Keeps the phones that are registered in a file of the data folder, so that they are called after a restart as before it: what a crash loses
 * is half a minute at most, and phones come back as they renew. Returns what saves for the last time.
 */
export function keepRegistrations(sip: SipServer, file: string, { clock, log }: { clock: Clock; log: Log }): () => void {
  let last = readKept(file, log);
  if (last !== '') sip.restoreRegistrations(JSON.parse(last));
  let timer: Timer;
  const save = (): void => {
    const text = JSON.stringify(sip.savedRegistrations());
    if (text === last || (text === '[]' && last === '')) return;
    try {
      // Addresses of people: for nobody else on this machine.
      writeFileSync(`${file}.new`, text, { mode: 0o600 });
      renameSync(`${file}.new`, file);
      last = text;
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'registered phones could not be saved: after a restart they come back as they renew');
    }
  };
  const again = (): void => {
    timer = clock.after(SAVE_MS, () => {
      save();
      again();
    });
  };
  again();
  return () => {
    timer.cancel();
    save();
  };
}

/** '' when there is nothing that can be read. */
function readKept(file: string, log: Log): string {
  try {
    const text = readFileSync(file, 'utf8');
    JSON.parse(text);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn({ error: messageOf(error) }, 'the file of registered phones cannot be read');
    return '';
  }
}
