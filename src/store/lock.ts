import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { StartupError } from '../base/errors.ts';

/**
 * One server for one data folder: a file with our process in it. A file left by a process that is gone is taken over.
 * Throws StartupError when another server holds it. The returned function gives it back.
 */
export function takeLock(path: string): () => void {
  const mine = identityOf(process.pid);
  if (!write(path, mine)) {
    const holder = readFileSync(path, 'utf8').trim();
    const pid = Number(holder.split(' ', 1)[0]);
    if (Number.isInteger(pid) && pid > 0 && identityOf(pid) === holder) {
      throw new StartupError(`Another Partyline (process ${pid}) uses this data folder: stop it, or set PARTYLINE_DATA_DIR (${path})`);
    }
    rmSync(path, { force: true });
    if (!write(path, mine)) throw new StartupError(`Another Partyline has just taken this data folder (${path})`);
  }
  return () => rmSync(path, { force: true });
}

function write(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw new StartupError(`${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Number and start time of a process: numbers come round again, pairs do not. '' when there is no such process. */
function identityOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
  } catch {
    return isRunning(pid) ? `${pid} ` : '';
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
