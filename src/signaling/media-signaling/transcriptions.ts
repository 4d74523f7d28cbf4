import type { Log } from '../../base/log.ts';
import type { BrowserMedia } from '../../media/protocol.ts';
import type { Room, Transcription } from '../../rooms/contract.ts';
import { MessageChannel, type MediaChannel } from './message-channel.ts';

/** Tells one browser what was said, as the room's source of transcriptions hears it: the event `transcription` of the SDK. */
export class TranscriptionsChannel implements MediaChannel {
  readonly #channel: MessageChannel<never>;
  readonly #unlisten: () => void;

  constructor(options: { room: Room; media: BrowserMedia; log: Log }) {
    this.#channel = new MessageChannel<never>(options);
    this.#unlisten = options.room.on('transcribed', (transcription) => this.#channel.send(messageOf(transcription)));
  }

  get label(): string {
    return this.#channel.label;
  }

  close(): void {
    this.#unlisten();
    this.#channel.close();
  }
}

function messageOf({ participantSid, trackSid, text, partial, languageCode, stability, timestamp, sequenceNumber }: Transcription): object {
  return {
    type: 'extension_transcriptions',
    language_code: languageCode,
    partial_results: partial,
    participant: participantSid,
    sequence_number: sequenceNumber,
    timestamp,
    track: trackSid,
    transcription: text,
    ...(stability === undefined ? {} : { stability }),
  };
}
