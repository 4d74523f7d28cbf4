import type { ReceiveTrack } from '../protocol.ts';
import { extensionDataLength, findExtension } from '../rtp/packet.ts';
import type { RtpView } from '../rtp/packet.ts';
import type { PublishedTrack } from '../forward/published-track.ts';
import type { ReceiveStream } from '../forward/receive-stream.ts';

export const MID_URI = 'urn:ietf:params:rtp-hdrext:sdes:mid';

/** Where packets of one SSRC go. */
export interface Route {
  track: PublishedTrack;
  stream: ReceiveStream;
  /** The SSRC repeats packets of `stream` (RFC 4588). */
  rtx: boolean;
}

/** Bound of what a browser can make us remember. */
const MAX_LEARNED = 64;

/**
 * SSRC → track, by the SDP's a=ssrc lines, else by the MID header extension (RFC 8843 §9.2). What belongs to no track is
 * nobody's.
 */
export class WebRtcDemux {
  #routes = new Map<number, Route>();
  #byMid = new Map<string, PublishedTrack>();
  #midId = 0;
  #learned = 0;

  /** The complete list of tracks, with the published side of each. */
  reset(tracks: readonly { description: ReceiveTrack; published: PublishedTrack }[]): void {
    this.#routes.clear();
    this.#byMid.clear();
    this.#midId = 0;
    this.#learned = 0;
    for (const { description, published } of tracks) this.#add(description, published);
  }

  #add(description: ReceiveTrack, published: PublishedTrack): void {
    this.#byMid.set(description.mid, published);
    this.#midId ||= description.extensions[MID_URI] ?? 0;
    published.streams.forEach((stream, i) => {
      this.#routes.set(stream.ssrc, { track: published, stream, rtx: false });
      const rtxSsrc = description.encodings[i]?.rtxSsrc;
      if (rtxSsrc !== undefined) this.#routes.set(rtxSsrc, { track: published, stream, rtx: true });
    });
  }

  route(view: RtpView): Route | null {
    return this.#routes.get(view.ssrc) ?? this.#learn(view);
  }

  /** The route an SSRC of a sender report has. */
  routeOf(ssrc: number): Route | null {
    return this.#routes.get(ssrc) ?? null;
  }

  #learn(view: RtpView): Route | null {
    if (this.#midId === 0 || this.#learned >= MAX_LEARNED) return null;
    const offset = findExtension(view, this.#midId);
    if (offset < 0) return null;
    const track = this.#byMid.get(view.buffer.toString('latin1', offset, offset + extensionDataLength.value));
    if (!track) return null;
    const rtx = track.isRtxPayloadType(view.payloadType);
    // One layer only is learned this way, so the retransmissions can only be that one's.
    const stream = rtx ? track.streams[0] : track.learnStream(view.ssrc);
    if (!stream) return null;
    const route: Route = { track, stream, rtx };
    this.#routes.set(view.ssrc, route);
    this.#learned++;
    return route;
  }
}
