import type { PhoneSrtp } from '../protocol.ts';
import { isRtcp } from '../rtp/packet.ts';
import { SrtpReceiver, SrtpSender, type SrtpKeying } from '../rtp/srtp.ts';

/** Encryption of one phone's packets. Keys that stay the same over a re-INVITE go on where they were (RFC 3711 §8.1). */
export class PhoneCipher {
  readonly #keys: PhoneSrtp;
  readonly #sender: SrtpSender;
  readonly #receiver: SrtpReceiver;

  private constructor(keys: PhoneSrtp, before: PhoneCipher | null) {
    this.#keys = keys;
    this.#sender = before && same(before.#keys.send, keys.send) ? before.#sender : new SrtpSender(keys.send);
    this.#receiver = before && same(before.#keys.receive, keys.receive) ? before.#receiver : new SrtpReceiver(keys.receive);
  }

  /** Null for plain RTP. */
  static of(keys: PhoneSrtp | undefined, before: PhoneCipher | null): PhoneCipher | null {
    return keys ? new PhoneCipher(keys, before) : null;
  }

  /** RTP or RTCP, for the socket. */
  seal(packet: Buffer): Buffer {
    return isRtcp(packet) ? this.#sender.protectRtcp(packet) : this.#sender.protect(packet);
  }

  /** RTP or RTCP in clear, or null: what nobody who knows the keys has sent. */
  open(packet: Buffer): Buffer | null {
    return isRtcp(packet) ? this.#receiver.unprotectRtcp(packet) : this.#receiver.unprotect(packet);
  }
}

function same(a: SrtpKeying, b: SrtpKeying): boolean {
  return a.suite === b.suite && a.key === b.key;
}
