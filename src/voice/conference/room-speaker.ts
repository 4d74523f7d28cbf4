import { Emitter } from '../../base/emitter.ts';
import { MediaError, type MediaRecording, type MediaStream, type PhoneMedia, type PhoneMediaEvents, type PhoneMediaStats, type PlayOutcome, type PromptSource, type RoomMedia } from '../../media/protocol.ts';

/** A room's loudspeaker in the shape of a phone, so that verbs that speak to a phone can speak to everybody. Hears nothing. */
export class RoomSpeaker extends Emitter<PhoneMediaEvents> implements PhoneMedia {
  readonly id = 'room';
  readonly localPort = 0;
  readonly #room: RoomMedia;

  constructor(room: RoomMedia) {
    super();
    this.#room = room;
  }

  play(source: PromptSource, options?: { loops?: number; signal?: AbortSignal }): Promise<PlayOutcome> {
    return this.#room.play(source, options);
  }

  keySignaled(): Promise<void> {
    return Promise.resolve();
  }

  sendDigits(): Promise<void> {
    return Promise.resolve();
  }

  connect(): Promise<void> {
    return refused();
  }

  joinRoom(): Promise<void> {
    return refused();
  }

  setRoomVoice(): Promise<void> {
    return refused();
  }

  record(): Promise<MediaRecording> {
    return refused();
  }

  openStream(): Promise<MediaStream> {
    return refused();
  }

  watchVoice(): Promise<void> {
    return refused();
  }

  leaveRoom(): Promise<void> {
    return Promise.resolve();
  }

  stats(): Promise<PhoneMediaStats> {
    return Promise.resolve({ packetsReceived: 0, packetsSent: 0, packetsLost: 0, packetsDiscarded: 0, jitterMs: 0 });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function refused(): Promise<never> {
  return Promise.reject(new MediaError('bad-request', 'a room is no phone'));
}
