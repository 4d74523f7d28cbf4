/** One page asked for. `token` is opaque and comes from an earlier `Page`; absent means the first page. */
export interface PageRequest {
  /** 1–1000, default 50. */
  pageSize: number;
  token?: string;
}

/** One page of a list, newest first. */
export interface Page<T> {
  items: T[];
  /** Null on the last page. */
  nextToken: string | null;
  /** Null on the first page. */
  previousToken: string | null;
}
