/**
 * Keeps the picture numbers of VP8 (RFC 7741 §4.2) and VP9 (RFC 9628 §4.2) continuous where a subscription passes from one
 * source to another, or over a pause: a decoder orders frames by them. Pure; allocates nothing.
 */
export class PictureIds {
  #pictureOffset = 0;
  #tl0Offset = 0;
  #lastPicture = -1;
  #lastTl0 = -1;
  // Where the packet at hand has its numbers; -1 for none.
  #pictureAt = -1;
  #wide = false;
  #tl0At = -1;

  /** Rewrites the payload from `at` on in place. `rebased`: the packet begins a new stretch. */
  rewrite(codec: string, packet: Buffer, range: { at: number; end: number; rebased: boolean }): void {
    if (codec === 'vp8') this.#findVp8(packet, range.at, range.end);
    else if (codec === 'vp9') this.#findVp9(packet, range.at, range.end);
    else return;
    if (this.#pictureAt >= 0) this.#rewritePicture(packet, range.rebased);
    if (this.#tl0At >= 0) this.#rewriteTl0(packet, range.rebased);
  }

  #rewritePicture(packet: Buffer, rebased: boolean): void {
    const at = this.#pictureAt;
    const mask = this.#wide ? 0x7fff : 0x7f;
    const read = this.#wide ? packet.readUInt16BE(at) & mask : (packet[at] as number) & mask;
    if (rebased) this.#pictureOffset = this.#lastPicture < 0 ? 0 : this.#lastPicture + 1 - read;
    const written = (read + this.#pictureOffset) & mask;
    if (((written - this.#lastPicture) & mask) <= mask >> 1 || this.#lastPicture < 0) this.#lastPicture = written;
    if (this.#wide) packet.writeUInt16BE(0x8000 | written, at);
    else packet[at] = written;
  }

  #rewriteTl0(packet: Buffer, rebased: boolean): void {
    const read = packet[this.#tl0At] as number;
    if (rebased) this.#tl0Offset = this.#lastTl0 < 0 ? 0 : this.#lastTl0 + 1 - read;
    const written = (read + this.#tl0Offset) & 0xff;
    if (((written - this.#lastTl0) & 0xff) < 0x80 || this.#lastTl0 < 0) this.#lastTl0 = written;
    packet[this.#tl0At] = written;
  }

  #findVp8(packet: Buffer, at: number, end: number): void {
    this.#pictureAt = -1;
    this.#tl0At = -1;
    if (at + 2 > end || ((packet[at] as number) & 0x80) === 0) return;
    const bits = packet[at + 1] as number;
    let o = at + 2;
    if (bits & 0x80) {
      this.#wide = o < end && ((packet[o] as number) & 0x80) !== 0;
      if (o + (this.#wide ? 2 : 1) > end) return;
      this.#pictureAt = o;
      o += this.#wide ? 2 : 1;
    }
    if (bits & 0x40 && o < end) this.#tl0At = o;
  }

  #findVp9(packet: Buffer, at: number, end: number): void {
    this.#pictureAt = -1;
    this.#tl0At = -1;
    if (at + 2 > end) return;
    const first = packet[at] as number;
    let o = at + 1;
    if (first & 0x80) {
      this.#wide = ((packet[o] as number) & 0x80) !== 0;
      if (o + (this.#wide ? 2 : 1) > end) return;
      this.#pictureAt = o;
      o += this.#wide ? 2 : 1;
    }
    // Layer indices carry a TL0PICIDX in non-flexible mode only.
    if ((first & 0x30) === 0x20 && o + 2 <= end) this.#tl0At = o + 1;
  }
}
