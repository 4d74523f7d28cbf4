/** A session description that is refused: not SDP at all, too large, or nothing in it that we speak (answered with 488). */
export class SdpError extends Error {
  override readonly name = 'SdpError';
  readonly reason: 'too-large' | 'malformed' | 'unacceptable';
  constructor(reason: SdpError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}
