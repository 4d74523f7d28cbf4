import { randomUUID } from 'node:crypto';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { ParticipantSid } from '../../base/sid.ts';
import type { BrowserMedia, RoomMedia } from '../../media/protocol.ts';
import type { Room } from '../../rooms/contract.ts';
import type { MediaChannel } from './message-channel.ts';

/** Tells one browser who speaks, phones included: the channel behind `dominantSpeakerChanged` (rsp §5). */
export class ActiveSpeakerChannel implements MediaChannel {
  readonly label = randomUUID();
  readonly #options: { room: Room; roomMedia: RoomMedia; media: BrowserMedia; log: Log };
  readonly #unlisten: () => void;

  constructor(options: { room: Room; roomMedia: RoomMedia; media: BrowserMedia; log: Log }) {
    this.#options = options;
    this.#unlisten = options.roomMedia.on('activeSpeakerChanged', () => this.#tell());
    this.#tell();
  }

  #tell(): void {
    const { room, roomMedia, media, log } = this.#options;
    const text = JSON.stringify({ type: 'active_speaker', participant: speakerOf(room, roomMedia) });
    // A transport that is gone is told by its own events.
    media.showState(this.label, text).catch((error: unknown) => log.debug({ error: messageOf(error) }, 'the active speaker could not be told'));
  }

  close(): void {
    this.#unlisten();
  }
}

/** Who speaks in the room, if anybody does. */
export function speakerOf(room: Room, roomMedia: RoomMedia): ParticipantSid | null {
  const trackSid = roomMedia.activeSpeaker;
  if (trackSid === null) return null;
  for (const participant of room.participants.values()) if (participant.publications.has(trackSid)) return participant.sid;
  return null;
}
