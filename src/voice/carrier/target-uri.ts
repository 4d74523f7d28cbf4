/** Addresses of carriers. `sips:` is written `sip:…;transport=tls` (as Twilio has it). Pure. */

export const MAX_TARGETS = 50;

const MAX_URI_CHARS = 255;
const TARGET = /^sip:([\w.!~*'()&=+$,;?/%-]{1,64}@)?(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:\d{1,5})?(;[\w.~%=-]+)*$/;

/** `sip:host`, with or without user, port and parameters; transport udp, tcp or tls. */
export function isTarget(text: string): boolean {
  const match = TARGET.exec(text);
  if (!match || text.length > MAX_URI_CHARS) return false;
  const transport = /;transport=([^;]*)/i.exec(text)?.[1]?.toLowerCase();
  const port = Number(match[4]?.slice(1) ?? 5060);
  return port >= 1 && port <= 65_535 && (transport === undefined || ['udp', 'tcp', 'tls'].includes(transport));
}
