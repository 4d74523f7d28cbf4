import { createHmac, randomBytes } from 'node:crypto';
import { messageOf, TwilioError } from '../base/errors.ts';

/** As browsers hand it to RTCPeerConnection. */
export interface IceServer {
  urls: string[];
  username?: string;
  credential?: string;
}

/** How a browser proves to the TURN server that we sent it. */
export type TurnAccess =
  /** Made for each browser and good for `ttlS` seconds, by the secret the TURN server shares with us. */
  | { kind: 'secret'; secret: string; ttlS: number }
  /** The same for everybody and for ever. */
  | { kind: 'static'; username: string; password: string };

/** Makes the list for one browser. */
export type IceServerSource = (nowMs: number) => IceServer[];

const HOST = String.raw`(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::(\d{1,5}))?`;
/** RFC 7064, RFC 7065: `stun:host`, `turn:host:3478?transport=udp`, `turns:[2001:db8::1]:5349`. */
const SHAPE = new RegExp(`^(?:stuns?:${HOST}|turns?:${HOST}(?:\\?transport=(?:udp|tcp))?)$`);
/** Browsers ask each of them, and warn of five and more. */
const MAX_URLS = 8;

export function isIceUrl(url: string): boolean {
  const found = SHAPE.exec(url);
  const port = found?.[1] ?? found?.[2];
  return found !== null && (port === undefined || (Number(port) >= 1 && Number(port) <= 65535));
}

/** Whether browsers need a user name and a password for it. */
export function needsCredential(url: string): boolean {
  return /^turns?:/.test(url);
}

/** Reads URLs separated by commas; null when one is none, or there are more than 8. */
export function readIceUrls(text: string): string[] | null {
  const urls = text.split(',').map((url) => url.trim());
  return urls.length <= MAX_URLS && urls.every(isIceUrl) ? urls : null;
}

/**
 * The ICE servers of a configuration. With a secret the user name is `<end of validity, Unix seconds>:<random>`, which names
 * nobody, and the password base64(HMAC-SHA1(secret, user name)): what coturn calls use-auth-secret
 * (draft-uberti-behave-turn-rest-00 §2.2).
 */
export function iceServers(urls: string[], access: TurnAccess | null): IceServerSource {
  const stun = urls.filter((url) => !needsCredential(url));
  const turn = urls.filter(needsCredential);
  return (nowMs) => [...(stun.length > 0 ? [{ urls: stun }] : []), ...(turn.length > 0 ? [{ urls: turn, ...credentialOf(access, nowMs) }] : [])];
}

function credentialOf(access: TurnAccess | null, nowMs: number): { username: string; credential: string } {
  if (!access) throw new TwilioError(53501, 'Unable to acquire TURN credentials');
  if (access.kind === 'static') return { username: access.username, credential: access.password };
  return timeLimited(access, { nowMs, label: randomBytes(6).toString('hex') });
}

/** One user name and password for `ttlS` seconds from `nowMs` on. `label` tells allocations apart in the TURN server's log. */
export function timeLimited({ secret, ttlS }: { secret: string; ttlS: number }, { nowMs, label }: { nowMs: number; label: string }): { username: string; credential: string } {
  const username = `${Math.floor(nowMs / 1000) + ttlS}:${label}`;
  return { username, credential: createHmac('sha1', secret).update(username).digest('base64') };
}

/** What `source` gives now. Throws TwilioError 53501, also when the source failed otherwise. */
export function issueIceServers(source: IceServerSource, nowMs: number): IceServer[] {
  try {
    return source(nowMs);
  } catch (error) {
    throw error instanceof TwilioError ? error : new TwilioError(53501, `Unable to acquire TURN credentials: ${messageOf(error)}`);
  }
}
