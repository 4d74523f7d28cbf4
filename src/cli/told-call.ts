import { printable } from '../base/printable.ts';

/** How a phone was heard, as far as it was counted: a line of `partyline explain` and `partyline call`. */
export interface ToldQuality {
  codec: string;
  scale: string;
  rating: number | null;
  mos: number | null;
  packetsReceived: number;
  packetsLost: number;
  jitterMs: number;
  roundTripMs?: number | null;
  remoteLost?: number | null;
}

/** `PCMU, MOS 4.38 (R 92.1, narrow-band), 0.4 % of 1204 packets lost, jitter 1.2 ms`. */
export function describeQuality(quality: ToldQuality): string {
  const { codec, scale, rating, mos, packetsReceived, packetsLost, jitterMs, roundTripMs = null, remoteLost = null } = quality;
  const sent = packetsReceived + packetsLost;
  const parts = [codec];
  if (mos !== null && rating !== null) parts.push(`MOS ${mos.toFixed(2)} (R ${rating.toFixed(1)}, ${scale})`);
  parts.push(`${((packetsLost * 100) / Math.max(1, sent)).toFixed(1)} % of ${sent} packets lost`, `jitter ${jitterMs.toFixed(1)} ms`);
  if (roundTripMs !== null) parts.push(`round trip ${roundTripMs.toFixed(0)} ms`);
  if (remoteLost !== null) parts.push(`the phone missed ${remoteLost}`);
  return parts.join(', ');
}

/** What people read of a call that was. Nothing of it may play with the terminal. */
export function describeCall(told: Record<string, unknown>): string {
  const text = (name: string): string => (typeof told[name] === 'string' ? told[name] : '–');
  const quality = told['quality'] as ToldQuality | null | undefined;
  const lines = [
    `call      ${text('sid')}, ${text('direction')}, from ${text('from')} to ${text('to')}`,
    `began     ${text('createdAt')}, answered ${text('answeredAt')}, ended ${text('endedAt')}`,
    `status    ${text('status')}${told['terminationReason'] ? ` (${text('terminationReason')})` : ''}`,
    `sound     ${quality ? describeQuality(quality) : 'not known: the call is not over, or nothing was heard of its phone'}`,
  ];
  return `${printable(lines.join('\n'), { lines: true })}\n`;
}
