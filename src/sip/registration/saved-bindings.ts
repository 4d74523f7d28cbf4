import { z } from 'zod';
import { parseSipUri } from '../message/uri.ts';
import type { Binding } from './binding.ts';

/** A binding as it outlives a restart. */
export interface SavedBinding extends Omit<Binding, 'expiresAtMs' | 'updatedAtMs'> {
  /** As the owner of the user agent names it. */
  address: string;
  /** Unix time, ms. */
  expiresAtWallMs: number;
}

const shape = z.object({
  address: z.string().max(600),
  uri: z.string().max(2048).refine((uri) => parseSipUri(uri) !== null),
  key: z.string().max(4096),
  outbound: z.object({ instance: z.string().max(202), regId: z.number().int() }).nullable(),
  path: z.array(z.string().max(2048)).max(8),
  callId: z.string().max(8192),
  cseq: z.number().int(),
  q: z.number().min(0).max(1),
  source: z.object({ transport: z.enum(['udp', 'tcp', 'tls', 'ws']), address: z.string().max(64), port: z.number().int().min(0).max(65_535) }),
  expiresAtWallMs: z.number(),
});

/** What of a saved list is what it should be; the rest is left out. */
export function readSavedBindings(value: unknown): SavedBinding[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry) => {
    const parsed = shape.safeParse(entry);
    return parsed.success ? [parsed.data] : [];
  });
}
