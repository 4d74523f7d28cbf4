import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { TrackSid } from '../base/sid.ts';
import type { BrowserMedia } from '../media/protocol.ts';
import type { Participant } from '../rooms/contract.ts';

export interface DataTracksOptions {
  participant: Participant;
  media: BrowserMedia;
  /** What the browser publishes, its own ids and the SIDs in the room. */
  published: () => { trackId: string; trackSid: TrackSid }[];
  log: Log;
}

/** Data tracks of one browser (rsp §4.5). They need no m-lines of their own: which channels there are is all there is to keep. */
export class DataTrackList {
  readonly #options: DataTracksOptions;
  #last = '{"published":[],"subscribed":[]}';

  constructor(options: DataTracksOptions) {
    this.#options = options;
  }

  /** Tracks of others that the browser gets, by its subscribe rules. */
  get subscribed(): TrackSid[] {
    const { participant } = this.#options;
    return [...participant.room.participants.values()].flatMap((publisher) =>
      [...publisher.publications.values()].filter((track) => track.kind === 'data' && participant.subscribesTo(publisher, track)).map((track) => track.sid),
    );
  }

  /** Brings the media plane in line. */
  apply(): void {
    const { media, published, log } = this.#options;
    const tracks = { published: published(), subscribed: this.subscribed };
    const now = JSON.stringify(tracks);
    if (now === this.#last) return;
    this.#last = now;
    // A transport that is gone is told by its own events.
    media.setDataTracks(tracks).catch((error: unknown) => log.debug({ error: messageOf(error) }, 'the media transport took no data tracks'));
  }
}
