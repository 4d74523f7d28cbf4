import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

export interface CacheFolderOptions {
  /** Made by whoever writes into it. Nothing else may lie in it. */
  dir: string;
  /** All files together; the one just added may exceed it alone. */
  maxBytes: number;
}

/**
 * A folder of files that may be made again: when it grows too large, what was not used for longest is deleted. Files whose names
 * begin alike up to the first dot are one entry and go together. A file that is being played stays readable until it is closed.
 */
export class CacheFolder {
  readonly #options: CacheFolderOptions;
  readonly #log: Log;
  /** In order of use, the longest unused first; bytes of each entry. */
  readonly #entries = new Map<string, number>();
  #bytes = 0;
  #loaded: Promise<void> | null = null;

  constructor(options: CacheFolderOptions, log: Log) {
    this.#options = options;
    this.#log = log;
  }

  get dir(): string {
    return this.#options.dir;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The entry was used, or was written anew with `bytes`. Never rejects. */
  async used(entry: string, bytes?: number): Promise<void> {
    await (this.#loaded ??= this.#load());
    const known = this.#entries.get(entry);
    if (known === undefined && bytes === undefined) return;
    this.#set(entry, bytes ?? known ?? 0);
    await this.#shrink(entry);
  }

  #set(entry: string, bytes: number): void {
    this.#bytes += bytes - (this.#entries.get(entry) ?? 0);
    this.#entries.delete(entry);
    this.#entries.set(entry, bytes);
  }

  async #shrink(newest: string): Promise<void> {
    for (const [entry, bytes] of this.#entries) {
      if (this.#bytes <= this.#options.maxBytes || entry === newest) return;
      this.#entries.delete(entry);
      this.#bytes -= bytes;
      await this.#remove(entry);
    }
  }

  async #remove(entry: string): Promise<void> {
    try {
      for (const name of await readdir(this.dir)) if (entryOf(name) === entry) await rm(join(this.dir, name), { force: true });
    } catch (error) {
      this.#log.warn({ entry, error: messageOf(error) }, 'a file of a cache could not be deleted');
    }
  }

  /** What an earlier run left: files in order of their writing; halves of files are deleted. */
  async #load(): Promise<void> {
    const found: { name: string; bytes: number; atMs: number }[] = [];
    for (const name of await readdir(this.dir).catch(() => [])) {
      const path = join(this.dir, name);
      if (name.endsWith('.part') && !name.includes(`.${process.pid}.`)) await rm(path, { force: true }).catch(() => undefined);
      else await stat(path).then(({ size, mtimeMs }) => found.push({ name, bytes: size, atMs: mtimeMs }), () => undefined);
    }
    for (const { name, bytes } of found.sort((a, b) => a.atMs - b.atMs)) this.#set(entryOf(name), (this.#entries.get(entryOf(name)) ?? 0) + bytes);
  }
}

function entryOf(name: string): string {
  return name.split('.', 1)[0] ?? name;
}
