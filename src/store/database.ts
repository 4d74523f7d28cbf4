import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { sql } from 'drizzle-orm';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres';
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite';
import pg from 'pg';
import { StartupError, messageOf } from '../base/errors.ts';
import { takeLock } from './lock.ts';
import { MIGRATIONS } from './migrations.ts';

/** PostgreSQL, embedded or not: the queries are the same. */
export type Database = PgDatabase<PgQueryResultHKT, Record<string, never>>;

export interface OpenDatabase {
  db: Database;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** The embedded database lives in its folder `db`. */
  dataDir: string;
  /** `postgres://…`: used instead of the embedded one. */
  databaseUrl: string | null;
}

/** Opens the database and brings its tables up to date. Rejects with StartupError when it cannot be used. */
export async function openDatabase(options: DatabaseOptions): Promise<OpenDatabase> {
  const open = options.databaseUrl === null ? await openEmbedded(options.dataDir) : await openServer(options.databaseUrl);
  try {
    await migrate(open.db);
    return open;
  } catch (error) {
    await open.close();
    throw error instanceof StartupError ? error : new StartupError(`The database cannot be brought up to date: ${messageOf(error)}`);
  }
}

async function openEmbedded(dataDir: string): Promise<OpenDatabase> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const release = takeLock(join(dataDir, 'db.lock'));
  const folder = join(dataDir, 'db');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const client = await PGlite.create(folder);
    const close = async (): Promise<void> => {
      await client.close();
      release();
    };
    return { db: drizzlePglite(client) as unknown as Database, close };
  } catch (error) {
    release();
    throw new StartupError(`The embedded database in ${folder} cannot be opened: ${messageOf(error)}`);
  }
}

async function openServer(databaseUrl: string): Promise<OpenDatabase> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 5, connectionTimeoutMillis: 5000 });
  // A lost idle connection is replaced by the pool with the next query.
  pool.on('error', () => undefined);
  try {
    const lock = await lockServer(pool);
    const close = async (): Promise<void> => {
      lock.release(true);
      await pool.end();
    };
    return { db: drizzlePg(pool) as unknown as Database, close };
  } catch (error) {
    await pool.end();
    throw error instanceof StartupError ? error : new StartupError(`The database of DATABASE_URL cannot be reached: ${messageOf(error)}`);
  }
}

/** Any number that other applications are not likely to take for theirs. */
const LOCK_KEY = 5060_7882;

/** One server for one database: a second would take the calls of the first for leftovers of a crash. Held by a connection of its own. */
async function lockServer(pool: pg.Pool): Promise<pg.PoolClient> {
  const client = await pool.connect();
  client.on('error', () => undefined);
  const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [LOCK_KEY]);
  if (rows[0]?.taken === true) return client;
  client.release();
  throw new StartupError('Another Partyline uses the database of DATABASE_URL: stop it, or give this one a database of its own');
}

async function migrate(db: Database): Promise<void> {
  await db.execute(sql`CREATE TABLE IF NOT EXISTS partyline_migrations (step integer PRIMARY KEY)`);
  const done = (await db.execute(sql`SELECT max(step) AS step FROM partyline_migrations`)) as unknown as { rows: { step: number | null }[] };
  const next = (done.rows[0]?.step ?? -1) + 1;
  if (next > MIGRATIONS.length) throw new StartupError('The database was written by a newer Partyline: update this one, or give it another data folder');
  for (let step = next; step < MIGRATIONS.length; step++) {
    await db.transaction(async (transaction) => {
      for (const statement of MIGRATIONS[step] ?? []) await transaction.execute(sql.raw(statement));
      await transaction.execute(sql`INSERT INTO partyline_migrations (step) VALUES (${step})`);
    });
  }
}
