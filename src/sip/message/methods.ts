/** Methods of the SIP registry. One that is not spoken here is 405, one that is not even known 501 (RFC 3261 §8.2.1, §21.5.2). */
const KNOWN: ReadonlySet<string> = new Set(['INVITE', 'ACK', 'BYE', 'CANCEL', 'OPTIONS', 'INFO', 'UPDATE', 'PRACK', 'REGISTER', 'NOTIFY', 'REFER', 'SUBSCRIBE', 'PUBLISH', 'MESSAGE']);

export function isKnownMethod(method: string): boolean {
  return KNOWN.has(method);
}
