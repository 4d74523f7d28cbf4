import { createOpusDecoder, type OpusDecoder } from '../codec/opus.ts';
import { FRAME_SAMPLES, type JitterBuffer } from '../rtp/jitter-buffer.ts';
import type { RtpView } from '../rtp/packet.ts';

const OPUS_UNITS_PER_NARROW_SAMPLE = 6; // RTP time of Opus counts 48 kHz (RFC 7587 §4.1)
/** More than this in a row is a gap to be forgotten, not a loss to be covered. */
const MAX_CONCEALED_PACKETS = 3;
/** So many in a row that seem to come from before are no stragglers: the numbers have run on, or begun anew, unseen. */
const BEHIND_BEFORE_RESTART = 10;

/** One stream of Opus packets, decoded as they come into a jitter buffer; lost ones are stood in for by the decoder. */
export class OpusStream {
  readonly #buffer: JitterBuffer;
  readonly #scale: 1 | 2;
  readonly #insert = { offset: 0, samples: 0, nowMs: 0 };
  #decoder: OpusDecoder | null = null;
  #decoderAsked = false;
  #closed = false;
  #sequence = -1;
  #behind = 0;
  #packetSamples: number;

  /** `scale`: 1 decodes to 8 kHz, 2 to 16 kHz, as `buffer` takes it. */
  constructor(buffer: JitterBuffer, scale: 1 | 2) {
    this.#buffer = buffer;
    this.#scale = scale;
    this.#packetSamples = FRAME_SAMPLES * scale;
  }

  /** Another sender, or packets were left out on purpose: nothing before the next packet counts as lost. */
  restart(): void {
    this.#sequence = -1;
  }

  packetReceived(view: RtpView, nowMs: number): void {
    const decoder = this.#decoder;
    if (!decoder) return this.#askDecoder();
    if (this.#isBehind(view)) return;
    const step = this.#sequence < 0 ? 1 : (view.sequenceNumber - this.#sequence) & 0xffff;
    this.#insert.nowMs = nowMs;
    const packet = view.buffer.subarray(view.payloadOffset, view.payloadOffset + view.payloadLength);
    const at = Math.round((view.timestamp * this.#scale) / OPUS_UNITS_PER_NARROW_SAMPLE);
    if (step > 1 && step <= MAX_CONCEALED_PACKETS + 1) this.#coverLost(decoder, packet, { lost: step - 1, at });
    this.#sequence = view.sequenceNumber;
    const pcm = decoder.decode(packet);
    if (!pcm) return;
    this.#packetSamples = pcm.length;
    this.#write(at, pcm);
  }

  /** A twin, or its place has been concealed already. */
  #isBehind({ sequenceNumber }: RtpView): boolean {
    const step = (sequenceNumber - this.#sequence) & 0xffff;
    const isBehind = this.#sequence >= 0 && (step === 0 || step >= 0x8000);
    this.#behind = isBehind ? this.#behind + 1 : 0;
    if (this.#behind < BEHIND_BEFORE_RESTART) return isBehind;
    this.#behind = 0;
    this.restart();
    return false;
  }

  /** Nothing was said (DTX): its place is taken, and nothing is to be heard there. */
  silenceReceived(view: RtpView): void {
    this.#sequence = view.sequenceNumber;
  }

  close(): void {
    this.#closed = true;
    this.#decoder?.free();
    this.#decoder = null;
  }

  /** The decoder's own stand-ins for lost packets; the last of them from the copy that the next packet may carry. */
  #coverLost(decoder: OpusDecoder, next: Uint8Array, gap: { lost: number; at: number }): void {
    for (let back = gap.lost; back >= 1; back--) {
      const pcm = decoder.decodeLost(this.#packetSamples, back === 1 ? next : null);
      if (pcm) this.#write(gap.at - back * this.#packetSamples, pcm);
    }
  }

  #write(at: number, pcm: Int16Array): void {
    this.#insert.samples = pcm.length;
    this.#buffer.insert(at, pcm, this.#insert);
  }

  /** Decoders are made asynchronously; packets until then are not heard. */
  #askDecoder(): void {
    if (this.#decoderAsked || this.#closed) return;
    this.#decoderAsked = true;
    void createOpusDecoder(this.#scale === 1 ? 8000 : 16_000).then(
      (decoder) => {
        if (this.#closed) decoder.free();
        else this.#decoder = decoder;
      },
      () => {
        this.#decoderAsked = false;
      },
    );
  }
}
