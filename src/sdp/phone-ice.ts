import { createHmac } from 'node:crypto';
import type { PhoneLine } from './phone-description.ts';

/** ICE of a phone's audio (RFC 8839): we are lite, with the one address that the phone is told anyway. Pure. */

/** Both sides of one session; we never check, so the phone's password is of no use to us. */
export interface IceStream {
  localUfrag: string;
  localPwd: string;
  remoteUfrag: string;
}

export interface LocalIce {
  /** Random text of this call, of which our credentials are made. A secret: never in a log. */
  secret: string;
  /** In offers of ours too. */
  offered: boolean;
}

/** Type preference of a host, the only address, RTP: RFC 8445 §5.1.2. */
const HOST_PRIORITY = 126 * 2 ** 24 + 65_535 * 2 ** 8;

/** Credentials of ours: new ones for each of the phone's (an ICE restart, RFC 8839 §4.4.1), the same as long as those stay. */
export function offeredIce(line: PhoneLine, local: LocalIce | undefined, inUse: IceStream | null): IceStream | null {
  const { iceUfrag } = line;
  if (!local || iceUfrag === null) return null;
  return inUse?.remoteUfrag === iceUfrag ? inUse : { ...credentials(local.secret, `to ${iceUfrag}`), remoteUfrag: iceUfrag };
}

/** Where we offered it; null when the phone does not speak it. */
export function answeredIce(line: PhoneLine, local: LocalIce | undefined, inUse: IceStream | null): IceStream | null {
  const ours = ourIce(local, inUse);
  return ours && line.iceUfrag !== null ? { ...ours, remoteUfrag: line.iceUfrag } : null;
}

/** What an offer of ours says: the same for the whole call. */
export function ourIce(local: LocalIce | undefined, inUse: IceStream | null): Pick<IceStream, 'localUfrag' | 'localPwd'> | null {
  if (inUse) return { localUfrag: inUse.localUfrag, localPwd: inUse.localPwd };
  return local?.offered ? credentials(local.secret, 'offer') : null;
}

/** 8 and 24 ice-chars (RFC 8839 §5.4). */
function credentials(secret: string, purpose: string): { localUfrag: string; localPwd: string } {
  const digest = createHmac('sha256', secret).update(purpose).digest();
  return { localUfrag: digest.toString('base64', 0, 6), localPwd: digest.toString('base64', 6, 24) };
}

/** `rtcpPort` null: RTCP shares the port. */
export function iceAttributes(ice: Pick<IceStream, 'localUfrag' | 'localPwd'>, at: { address: string; port: number; rtcpPort: number | null }): string[] {
  const candidate = (component: number, port: number): string => `a=candidate:1 ${component} UDP ${HOST_PRIORITY + 256 - component} ${at.address} ${port} typ host`;
  return [`a=ice-ufrag:${ice.localUfrag}`, `a=ice-pwd:${ice.localPwd}`, candidate(1, at.port), ...(at.rtcpPort === null ? [] : [candidate(2, at.rtcpPort)])];
}
