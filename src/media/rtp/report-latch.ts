import type { MediaTarget } from './source-latch.ts';

/**
 * Where the RTCP of a phone with plain RTP goes, and whose is believed: that of the address where its RTP is, or that its SDP names.
 * Behind a NAT its port is the one that its own reports come from. Pure.
 */
export class ReportLatch {
  /** Port 0: nowhere yet. */
  address = '';
  port = 0;
  #given = '';
  #address = '';

  /** As SDP says. The same again changes nothing. */
  targetGiven({ address, port, awaited = false }: MediaTarget): void {
    const given = `${address} ${port} ${awaited}`;
    if (given === this.#given) return;
    this.#given = given;
    this.#address = awaited ? '' : address;
    this.address = this.#address;
    this.port = awaited ? 0 : port;
  }

  /** `rtpAddress`: where the phone's RTP is; from there its RTCP shows its port. */
  accepts(from: { address: string; port: number }, rtpAddress: string): boolean {
    if (from.address !== rtpAddress) return from.address === this.#address;
    this.address = from.address;
    this.port = from.port;
    return true;
  }
}
