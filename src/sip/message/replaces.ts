import { parseParams } from './grammar.ts';

/** Which dialog an INVITE is to take the place of (RFC 3891 §6.1), seen from whom it is sent to. */
export interface Replaces {
  callId: string;
  toTag: string;
  fromTag: string;
  /** Only while it is not answered. */
  earlyOnly: boolean;
}

/** Null when malformed. */
export function parseReplaces(value: string): Replaces | null {
  const semi = value.indexOf(';');
  const callId = (semi < 0 ? value : value.slice(0, semi)).trim();
  const params = semi < 0 ? null : parseParams(value.slice(semi));
  const toTag = params?.get('to-tag') ?? '';
  const fromTag = params?.get('from-tag') ?? '';
  if (!params || !/^\S+$/.test(callId) || toTag === '' || fromTag === '') return null;
  return { callId, toTag, fromTag, earlyOnly: params.has('early-only') };
}
