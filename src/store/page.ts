import { and, asc, desc, gt, lt, type SQL } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import { TwilioError } from '../base/errors.ts';
import type { Page, PageRequest } from '../base/paging.ts';
import type { Database } from './database.ts';

type NumberedTable = PgTable & { seq: PgColumn };

/**
 * One page of a table, newest first, by the number its rows came under: rows that come meanwhile shift nothing. Throws
 * 21481 for a token that is none of ours.
 */
export async function readPage<T>(db: Database, table: NumberedTable, { where, page }: { where: SQL | undefined; page: PageRequest }): Promise<Page<T>> {
  const position = page.token === undefined ? null : positionOf(page.token);
  const backwards = position?.towards === 'newer';
  const bound = position ? (backwards ? gt(table.seq, position.seq) : lt(table.seq, position.seq)) : undefined;
  const found = (await db
    .select()
    .from(table)
    .where(and(where, bound))
    .orderBy(backwards ? asc(table.seq) : desc(table.seq))
    .limit(page.pageSize + 1)) as { seq: number }[];
  const more = found.length > page.pageSize;
  const rows = found.slice(0, page.pageSize);
  if (backwards) rows.reverse();
  const olderExist = backwards || more;
  const newerExist = backwards ? more : position !== null;
  return {
    items: rows.map(recordOf<T>),
    nextToken: olderExist ? tokenOf('older', rows.at(-1)?.seq ?? position?.seq) : null,
    previousToken: newerExist ? tokenOf('newer', rows[0]?.seq ?? position?.seq) : null,
  };
}

/** A row without its number. */
export function recordOf<T>(row: { seq: number }): T {
  const { seq: _seq, ...record } = row;
  return record as T;
}

function tokenOf(towards: 'older' | 'newer', seq: number | undefined): string | null {
  return seq === undefined ? null : `PA${towards === 'older' ? 'o' : 'n'}${seq.toString(36)}`;
}

function positionOf(token: string): { towards: 'older' | 'newer'; seq: number } {
  const parts = /^PA([on])([0-9a-z]{1,11})$/.exec(token);
  const seq = parts ? Number.parseInt(parts[2] ?? '', 36) : Number.NaN;
  if (!Number.isSafeInteger(seq)) throw new TwilioError(21481, 'The page token is not valid');
  return { towards: parts?.[1] === 'o' ? 'older' : 'newer', seq };
}
