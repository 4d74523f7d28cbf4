import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';

const modules = fileURLToPath(new URL('../node_modules', import.meta.url));

/**
 * Puts an embedded database without any table into a data folder, so that what opens it there need not make one: five
 * seconds of every server start on a small machine. It is made once and kept with the installed packages, by its version.
 */
export async function prepareDatabase(dataDir: string): Promise<void> {
  const prepared = join(modules, '.cache', 'partyline', `database-${pgliteVersion()}`);
  if (!existsSync(prepared)) await make(prepared);
  cpSync(prepared, join(dataDir, 'db'), { recursive: true });
}

/** Two test processes may do this at the same time: the first to finish wins. */
async function make(folder: string): Promise<void> {
  const own = `${folder}-${randomBytes(6).toString('hex')}`;
  mkdirSync(own, { recursive: true, mode: 0o700 });
  const database = await PGlite.create(own);
  await database.close();
  try {
    renameSync(own, folder);
  } catch {
    rmSync(own, { recursive: true, force: true });
  }
}

function pgliteVersion(): string {
  const file = JSON.parse(readFileSync(join(modules, '@electric-sql', 'pglite', 'package.json'), 'utf8')) as { version: string };
  return file.version;
}
