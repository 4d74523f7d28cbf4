/** Longest packet we write: more than any path on the internet carries. */
const MAX_PACKET_BYTES = 2048;

/** One buffer a transport writes its packets into, with a kept view for each length: nothing is allocated per packet. */
export class PacketScratch {
  readonly buffer = Buffer.alloc(MAX_PACKET_BYTES);
  #views: (Buffer | undefined)[] = new Array<Buffer | undefined>(MAX_PACKET_BYTES + 1);

  /** The first `length` bytes. */
  view(length: number): Buffer {
    let view = this.#views[length];
    if (!view) this.#views[length] = view = this.buffer.subarray(0, length);
    return view;
  }
}
