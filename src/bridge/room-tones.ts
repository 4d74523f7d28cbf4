import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { RoomSid } from '../base/sid.ts';
import type { PromptSource, RoomMedia } from '../media/protocol.ts';
import type { Participant, Room } from '../rooms/contract.ts';

type Moment = 'join' | 'leave';

/** As a conference's beeps. */
const TONES: Readonly<Record<Moment, PromptSource>> = {
  join: { kind: 'tone', frequencyHz: 880, durationMs: 200, levelDbov: -22 },
  leave: { kind: 'tone', frequencyHz: 587, durationMs: 200, levelDbov: -22 },
};

export interface ToneWishes {
  joinTone: boolean;
  leaveTone: boolean;
}

/**
 * Tones when somebody joins or leaves, phone or browser. A room has them while a phone that asked for them is in it; then all
 * its phones hear them, mixed with the talk. Browsers never do: their pages are told by the SDK.
 */
export class RoomTones {
  readonly #log: Log;
  readonly #rooms = new Map<RoomSid, TonesOfRoom>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** From now on, until the returned function is called. */
  ask(participant: Participant, media: RoomMedia, wishes: ToneWishes): () => void {
    if (!wishes.joinTone && !wishes.leaveTone) return () => undefined;
    const { room } = participant;
    const tones = this.#rooms.get(room.sid) ?? new TonesOfRoom(room, media, this.#log);
    this.#rooms.set(room.sid, tones);
    tones.askers.set(participant, wishes);
    return () => {
      tones.askers.delete(participant);
      if (tones.askers.size > 0) return;
      tones.close();
      this.#rooms.delete(room.sid);
    };
  }
}

class TonesOfRoom {
  readonly askers = new Map<Participant, ToneWishes>();
  readonly #room: Room;
  readonly #media: RoomMedia;
  readonly #log: Log;
  readonly #sounding = new Set<Moment>();
  readonly #forget: (() => void)[];

  constructor(room: Room, media: RoomMedia, log: Log) {
    this.#room = room;
    this.#media = media;
    this.#log = log;
    this.#forget = [room.on('participantConnected', (who) => this.#happened('join', who)), room.on('participantDisconnected', (who) => this.#happened('leave', who))];
  }

  #happened(moment: Moment, who: Participant): void {
    if (this.#room.ended || !this.#isWanted(moment, who)) return;
    // A crowd that comes at once is one tone, not a roar.
    if (this.#sounding.has(moment)) return;
    this.#sounding.add(moment);
    this.#media
      .play(TONES[moment])
      .catch((error: unknown) => this.#log.debug({ roomSid: this.#room.sid, error: messageOf(error) }, 'a room could not sound its tone'))
      .finally(() => this.#sounding.delete(moment));
  }

  /** By somebody else than whom it is about. */
  #isWanted(moment: Moment, who: Participant): boolean {
    for (const [asker, wishes] of this.askers) if (asker !== who && (moment === 'join' ? wishes.joinTone : wishes.leaveTone)) return true;
    return false;
  }

  close(): void {
    for (const forget of this.#forget) forget();
  }
}
