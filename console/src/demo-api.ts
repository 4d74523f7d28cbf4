/** What the page asks of the server: nothing here but its own short-lived token is secret. */

export interface DemoInfo {
  room: string;
  /** The number to dial, E.164. */
  number: string;
  sipUri: string;
  accountSid: string;
  version: string;
}

export interface Presence {
  identity: string;
  medium: 'browser' | 'phone';
  connectedSeconds: number;
}

export interface Admission {
  token: string;
  identity: string;
  room: string;
  /** Absent or null: the signaling of the host that served the page. */
  wsServer?: string | null;
}

/** The server's refusal, in its own words. */
export class DemoError extends Error {}

async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(path, { ...init, signal: AbortSignal.timeout(8000) });
  if (response.ok) return (await response.json()) as T;
  const body: unknown = await response.json().catch(() => null);
  const told = typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : `The server answered ${response.status}.`;
  throw new DemoError(told);
}

export const fetchInfo = (): Promise<DemoInfo> => ask('/demo/info');

export const fetchPresence = async (): Promise<Presence[]> => (await ask<{ participants: Presence[] }>('/demo/room')).participants;

export const fetchAdmission = (identity: string): Promise<Admission> =>
  ask('/demo/token', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ identity }) });

/** Where the SDK connects to. */
export function signalingUrl(admission: Admission, page: Location): string {
  return admission.wsServer ?? `${page.protocol === 'https:' ? 'wss' : 'ws'}://${page.host}/signaling`;
}
