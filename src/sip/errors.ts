/** A request of our own side that cannot become a SIP message: a bad URI, a header with a line break. Nothing was sent. */
export class SipError extends Error {
  override readonly name = 'SipError';
}
