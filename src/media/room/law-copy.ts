import { pcmu } from '../codec/g711.ts';
import { G722Decoder } from '../codec/g722.ts';
import { Downsampler } from '../codec/half-band.ts';
import { RtpView } from '../rtp/packet.ts';

/** A G.722 stream as µ-law, packet for packet, for browsers that did not offer G.722: every browser takes µ-law (RFC 7874 §3). */
export class LawCopy {
  readonly #view = new RtpViewCopy();
  readonly #decoder = new G722Decoder();
  readonly #downsampler = new Downsampler();
  #wide = new Int16Array(0);
  #narrow = new Int16Array(0);
  #codes = Buffer.alloc(0);

  /** The copy is valid until the next call. */
  of(view: RtpView): RtpView {
    const count = view.payloadLength;
    if (this.#narrow.length !== count) {
      this.#wide = new Int16Array(2 * count);
      this.#narrow = new Int16Array(count);
      this.#codes = Buffer.alloc(count);
    }
    this.#decoder.decode(view.buffer, this.#wide, { offset: view.payloadOffset, count });
    this.#downsampler.convert(this.#wide, this.#narrow);
    for (let i = 0; i < count; i++) this.#codes[i] = pcmu.toCode[(this.#narrow[i] as number) & 0xffff] as number;
    return this.#view.take(view, this.#codes);
  }
}

/** The same packet with another payload. */
class RtpViewCopy {
  readonly #view = new RtpView();

  take(from: RtpView, payload: Buffer): RtpView {
    const view = this.#view;
    view.buffer = payload;
    view.length = payload.length;
    view.payloadOffset = 0;
    view.payloadLength = payload.length;
    view.marker = from.marker;
    view.payloadType = from.payloadType;
    view.sequenceNumber = from.sequenceNumber;
    view.timestamp = from.timestamp;
    view.ssrc = from.ssrc;
    view.audioLevel = from.audioLevel;
    return view;
  }
}
