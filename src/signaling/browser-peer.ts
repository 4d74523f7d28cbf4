import { randomInt } from 'node:crypto';
import { messageOf, TwilioError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { TrackSid } from '../base/sid.ts';
import { MediaError } from '../media/protocol.ts';
import type { BrowserMedia, ReceiveTrack, RemoteIceDtls, SendTrack } from '../media/protocol.ts';
import { readBrowserDescription, type BrowserDescription } from '../sdp/browser-description.ts';
import { printBrowserDescription } from '../sdp/browser-print.ts';
import { SdpError } from '../sdp/sdp-error.ts';
import { answerLines, homelessTracks, numberingOf, offerLines, printedSection, settledLines, type Line, type Numbering, type Placing, type WantedTrack } from './layout.ts';
import { Negotiation, type Description } from './negotiation.ts';

export interface BrowserPeerOptions {
  /** The browser's id of its peer connection. */
  id: string;
  media: BrowserMedia;
  /** The first offer, read already. */
  offer: BrowserDescription;
  log: Log;
  /** SID of a track the browser publishes, by the browser's id; null when it is not published. */
  sidOf: (trackId: string) => TrackSid | null;
  /** What the browser should get now. */
  wanted: () => Map<TrackSid, WantedTrack>;
}

export type Wanted = ReturnType<BrowserPeerOptions['wanted']>;

/** Reads what a browser sent as SDP. Throws TwilioError 53403. */
export function readDescription(sdp: string | null | undefined): BrowserDescription {
  try {
    return readBrowserDescription(sdp ?? '');
  } catch (error) {
    if (error instanceof SdpError) throw new TwilioError(53403, `The server cannot apply the client's media description: ${error.message}`);
    throw error;
  }
}

/** Why media refused a browser, in the numbers of the SDK: its own ICE or DTLS lines are wrong, or we cannot serve it. */
export function refusalOf(error: unknown): unknown {
  if (!(error instanceof MediaError)) return error;
  if (error.reason === 'bad-request') return new TwilioError(53403, `The server cannot apply the client's media description: ${error.message}`);
  return new TwilioError(53401, 'The server cannot create or apply its media description');
}

export function remoteOf({ iceUfrag, icePwd, fingerprint }: BrowserDescription): RemoteIceDtls {
  return { iceUfrag, icePwd, fingerprint };
}

/**
 * One browser's peer connection: turns what it publishes and what it should get into SDP and into the tracks of its media
 * transport. When to send what is the session's business.
 */
export class BrowserPeer {
  readonly id: string;
  readonly #media: BrowserMedia;
  readonly #log: Log;
  readonly #options: BrowserPeerOptions;
  readonly #negotiation = new Negotiation();
  readonly #numbering: Numbering;
  readonly #sessionId = randomInt(1, 2 ** 40);
  readonly #ssrcs = new Set<number>();
  #version = 0;
  #remoteUfrag: string;
  #agreed: Line[] = [];
  #offered: Line[] | null = null;

  constructor(options: BrowserPeerOptions) {
    this.id = options.id;
    this.#options = options;
    this.#media = options.media;
    this.#log = options.log;
    this.#numbering = numberingOf(options.offer);
    this.#remoteUfrag = options.offer.iceUfrag;
  }

  /** An offer of the browser; resolves with what to send, null when it loses to ours or is old. Rejects with TwilioError 53403. */
  async offerReceived(revision: number, sdp: string | null | undefined): Promise<Description | null> {
    const verdict = this.#negotiation.offerReceived(revision);
    if (verdict === 'repeat') return this.#negotiation.lastAnswer;
    if (verdict === 'ignore') return null;
    const offer = readDescription(sdp);
    this.#offered = null;
    if (offer.iceUfrag !== this.#remoteUfrag) {
      await this.#media.restartIce(remoteOf(offer)).catch((error: unknown) => {
        throw refusalOf(error);
      });
      this.#remoteUfrag = offer.iceUfrag;
    }
    this.#agreed = answerLines(this.#agreed, offer, this.#placing());
    const answer = this.#negotiation.answered(this.#print(this.#agreed, this.#media.local.setup));
    this.applyTracks();
    return answer;
  }

  /** The browser's answer to our offer; one to something else is dropped. Throws TwilioError 53403. */
  answerReceived(revision: number, sdp: string | null | undefined): void {
    const offered = this.#offered;
    if (!offered || this.#negotiation.pendingOffer?.revision !== revision) return;
    const answer = readDescription(sdp);
    this.#negotiation.answerReceived(revision);
    this.#offered = null;
    this.#agreed = settledLines(offered, answer);
    this.applyTracks();
  }

  /** A server offer, when one is needed and may go out; null otherwise. */
  nextOffer(): Description | null {
    if (!this.#negotiation.mayOffer) return null;
    const lines = offerLines(this.#agreed, this.#placing());
    if (!lines) return null;
    this.#offered = lines;
    return this.#negotiation.offered(this.#print(lines, 'actpass'));
  }

  get pendingOffer(): Description | null {
    return this.#negotiation.pendingOffer;
  }

  /** Tracks that have their m-line, in the description in flight or the agreed one. */
  placedTracks(): TrackSid[] {
    return (this.#offered ?? this.#agreed).flatMap((line) => (line.sending ? [line.sending.trackSid] : []));
  }

  /** Wanted tracks that its SDP has no place for. */
  homelessTracks(): TrackSid[] {
    return homelessTracks(this.#offered ?? this.#agreed, this.#options.wanted());
  }

  #placing(): Placing {
    return { wanted: this.#options.wanted(), numbering: this.#numbering, newSsrc: () => this.#newSsrc() };
  }

  #newSsrc(): number {
    let ssrc = randomInt(1, 0xffffffff);
    while (this.#ssrcs.has(ssrc)) ssrc = randomInt(1, 0xffffffff);
    this.#ssrcs.add(ssrc);
    return ssrc;
  }

  #print(lines: Line[], setup: 'active' | 'passive' | 'actpass'): string {
    const { iceUfrag, icePwd, fingerprint, candidates } = this.#media.local;
    this.#version++;
    return printBrowserDescription({
      sessionId: this.#sessionId,
      version: this.#version,
      transport: { iceUfrag, icePwd, fingerprint, candidates, setup },
      sections: lines.map(printedSection),
    });
  }

  /** Brings the media transport in line with what is agreed and published. */
  applyTracks(): void {
    const receive = this.#agreed.flatMap((line) => this.#receiveTrack(line));
    const send = this.#agreed.flatMap(sendTrack);
    this.#run(this.#media.setReceiveTracks(receive));
    this.#run(this.#media.setSendTracks(send));
  }

  /** A line whose track is not (or not yet, or never) published is nobody's: Firefox sends one of its own accord. */
  #receiveTrack(line: Line): ReceiveTrack[] {
    const trackSid = line.browserSends && line.trackId !== null ? this.#options.sidOf(line.trackId) : null;
    if (trackSid === null || !isMedia(line.kind)) return [];
    return [{ trackSid, kind: line.kind, mid: line.mid, codecs: line.codecs, extensions: line.extensions, encodings: line.encodings }];
  }

  #run(request: Promise<void>): void {
    // A transport that is gone is told by its own events.
    request.catch((error: unknown) => this.#log.debug({ error: messageOf(error) }, 'the media transport took no tracks'));
  }
}

function isMedia(kind: Line['kind']): kind is 'audio' | 'video' {
  return kind === 'audio' || kind === 'video';
}

function sendTrack({ sending, mid, codecs, extensions }: Line): SendTrack[] {
  if (!sending) return [];
  const { trackSid, kind, ssrc, rtxSsrc, participantSid } = sending;
  return [{ trackSid, kind, mid, ssrc, ...(rtxSsrc === undefined ? {} : { rtxSsrc }), cname: participantSid, codecs, extensions }];
}
