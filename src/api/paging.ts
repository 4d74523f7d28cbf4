import { TwilioError } from '../base/errors.ts';
import type { Page, PageRequest } from '../base/paging.ts';
import type { Answer, ApiRequest } from './endpoint.ts';
import type { Form } from './form.ts';

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;
const PAGE_PARAMETERS = ['PageSize', 'Page', 'PageToken'];

/** The page a list asks for (contract §2.4). `maxPageSize`: 1000, 100 for some lists of video. Throws 20007. */
export function pageRequest(query: Form, maxPageSize = MAX_PAGE_SIZE): PageRequest {
  const pageSize = query.number('PageSize') ?? DEFAULT_PAGE_SIZE;
  if (!(pageSize >= 1 && pageSize <= maxPageSize)) throw new TwilioError(20007, `PageSize must be from 1 to ${maxPageSize}`);
  const token = query.filled('PageToken');
  return token === undefined ? { pageSize } : { pageSize, token };
}

/** A list of v2010: relative URIs, filters kept. */
export function listAnswer<T>(request: ApiRequest, { key, page, render }: { key: string; page: Page<T>; render: (item: T) => object }): Answer {
  const at = positionOf(request, page);
  const start = at.number * at.pageSize;
  return {
    status: 200,
    body: {
      [key]: page.items.map(render),
      first_page_uri: at.first,
      next_page_uri: at.next,
      previous_page_uri: at.previous,
      page: at.number,
      page_size: at.pageSize,
      start,
      end: start + Math.max(0, page.items.length - 1),
      uri: at.self,
    },
  };
}

/** A list of v1: absolute URLs under `meta`, which names the key. */
export function metaAnswer<T>(request: ApiRequest, { key, page, render }: { key: string; page: Page<T>; render: (item: T) => object }): Answer {
  const at = positionOf(request, page);
  const absolute = (uri: string | null): string | null => (uri === null ? null : `${request.origin}${uri}`);
  return {
    status: 200,
    body: {
      [key]: page.items.map(render),
      meta: {
        page: at.number,
        page_size: at.pageSize,
        first_page_url: absolute(at.first),
        previous_page_url: absolute(at.previous),
        url: absolute(at.self),
        next_page_url: absolute(at.next),
        key,
      },
    },
  };
}

interface Position {
  number: number;
  pageSize: number;
  self: string;
  first: string;
  next: string | null;
  previous: string | null;
}

function positionOf({ path, query }: ApiRequest, page: Page<unknown>): Position {
  const { pageSize, token } = pageRequest(query);
  const asked = query.number('Page') ?? 0;
  const number = token !== undefined && asked >= 0 ? asked : 0;
  const filters = [...query.pairs()].filter(([name]) => !PAGE_PARAMETERS.includes(name));
  const uri = (pageNumber: number, pageToken: string | null): string => {
    const pairs = [...filters, ['PageSize', String(pageSize)], ['Page', String(pageNumber)], ...(pageToken === null ? [] : [['PageToken', pageToken]])];
    return `${path}?${pairs.map(([name = '', value = '']) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')}`;
  };
  return {
    number,
    pageSize,
    self: uri(number, token ?? null),
    first: uri(0, null),
    next: page.nextToken === null ? null : uri(number + 1, page.nextToken),
    previous: page.previousToken === null ? null : uri(Math.max(0, number - 1), page.previousToken),
  };
}

/** A page of a list that is held in memory, newest first. Rows that come or go meanwhile shift nothing. Throws 21481. */
export function pageOf<T extends { sid: string; createdAtMs: number }>(all: readonly T[], { pageSize, token }: PageRequest): Page<T> {
  const sorted = [...all].sort(newestFirst);
  const position = token === undefined ? null : positionOfToken(token);
  const backwards = position?.towards === 'newer';
  const rest = position ? sorted.filter((item) => (newestFirst(item, position) < 0) === backwards && newestFirst(item, position) !== 0) : sorted;
  const items = backwards ? rest.slice(-pageSize) : rest.slice(0, pageSize);
  const more = rest.length > items.length;
  const [first, last] = [items[0], items.at(-1)];
  const olderExist = backwards || more;
  const newerExist = backwards ? more : position !== null;
  return {
    items,
    nextToken: last && olderExist ? tokenOf('older', last) : null,
    previousToken: first && newerExist ? tokenOf('newer', first) : null,
  };
}

function newestFirst(a: { sid: string; createdAtMs: number }, b: { sid: string; createdAtMs: number }): number {
  return b.createdAtMs - a.createdAtMs || (a.sid < b.sid ? 1 : a.sid > b.sid ? -1 : 0);
}

function tokenOf(towards: 'older' | 'newer', item: { sid: string; createdAtMs: number }): string {
  return `PA${towards === 'older' ? 'o' : 'n'}${item.createdAtMs.toString(36)}-${item.sid}`;
}

function positionOfToken(token: string): { towards: 'older' | 'newer'; sid: string; createdAtMs: number } {
  const parts = /^PA([on])([0-9a-z]{1,11})-([A-Z]{2}[0-9a-f]{32})$/.exec(token);
  if (!parts) throw new TwilioError(21481, 'The page token is not valid');
  return { towards: parts[1] === 'o' ? 'older' : 'newer', createdAtMs: Number.parseInt(parts[2] ?? '', 36), sid: parts[3] ?? '' };
}
