import type { Headers } from './headers.ts';

/** Extensions that calls of ours know (RFC 3262, RFC 4028, RFC 3891, RFC 4488), for Supported. */
export const OPTION_TAGS = ['100rel', 'timer', 'replaces', 'norefersub'] as const;
export const SUPPORTED: [string, string] = ['Supported', OPTION_TAGS.join(', ')];

/** Whether the sender of a message knows an extension. */
export function supports(headers: Headers, tag: string): boolean {
  return requires(headers, tag) || has(headers, 'supported', tag);
}

/** Whether it insists on it. */
export function requires(headers: Headers, tag: string): boolean {
  return has(headers, 'require', tag);
}

function has(headers: Headers, key: string, tag: string): boolean {
  return headers.list(key).some((value) => value.toLowerCase() === tag);
}
