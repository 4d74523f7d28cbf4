import { Emitter } from '../../base/emitter.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { TrackSid } from '../../base/sid.ts';
import type { TrackListening, Utterance } from '../../media/protocol.ts';
import type { Participant, Publication, Room, Transcription, TranscriptionSource } from '../../rooms/contract.ts';
import type { SpeechRecognizer } from '../../voice/speech-recognition.ts';
import type { TranscriptionWishes } from './configuration.ts';

/** Utterances of one room that wait for the recognizer; beyond it what was said is left out. */
const MAX_WAITING = 40;

export interface RoomTranscriberOptions {
  room: Room;
  recognizer: Pick<SpeechRecognizer, 'recognize' | 'discard'>;
  /** Where utterances lie until they are understood. */
  folder: string;
  wishes: TranscriptionWishes;
  log: Log;
}

interface Speaker {
  participant: Participant;
  /** Null until the media plane listens. */
  listening: TrackListening | null;
  /** Told in the order in which things were said. */
  told: Promise<void>;
  sequenceNumber: number;
}

/** Listens to every audio track of a room, phones included, and has a recognizer write down what is said. */
export class RoomTranscriber extends Emitter<{ transcribed: [transcription: Transcription] }> implements TranscriptionSource {
  readonly #options: RoomTranscriberOptions;
  readonly #speakers = new Map<TrackSid, Speaker>();
  readonly #unlisten: (() => void)[];
  readonly #stopping = new AbortController();
  #waiting = 0;

  constructor(options: RoomTranscriberOptions) {
    super();
    this.#options = options;
    const { room } = options;
    this.#unlisten = [
      room.on('trackPublished', (participant, track) => this.#trackPublished(participant, track)),
      room.on('trackUnpublished', (_participant, track) => this.#trackGone(track.sid)),
    ];
    for (const participant of room.participants.values()) for (const track of participant.publications.values()) this.#trackPublished(participant, track);
  }

  #trackPublished(participant: Participant, { sid, kind }: Publication): void {
    if (kind !== 'audio' || this.#speakers.has(sid)) return;
    const speaker: Speaker = { participant, listening: null, told: Promise.resolve(), sequenceNumber: 0 };
    this.#speakers.set(sid, speaker);
    this.#listen(sid, speaker).catch((error: unknown) => this.#options.log.warn({ trackSid: sid, error: messageOf(error) }, 'a track cannot be transcribed'));
  }

  async #listen(trackSid: TrackSid, speaker: Speaker): Promise<void> {
    const media = await this.#options.room.media();
    const listening = await media.listen(trackSid, { folder: this.#options.folder });
    if (this.#speakers.get(trackSid) !== speaker) return listening.stop();
    speaker.listening = listening;
    listening.on('spoken', (utterance) => this.#spoken(trackSid, speaker, utterance));
  }

  #trackGone(trackSid: TrackSid): void {
    const speaker = this.#speakers.get(trackSid);
    if (!speaker) return;
    this.#speakers.delete(trackSid);
    void speaker.listening?.stop();
  }

  #spoken(trackSid: TrackSid, speaker: Speaker, utterance: Utterance): void {
    const { recognizer, log } = this.#options;
    if (this.#waiting >= MAX_WAITING) {
      log.warn({ trackSid }, 'the speech recognizer does not follow: an utterance is left out');
      return void recognizer.discard(utterance.path);
    }
    this.#waiting++;
    const text = this.#understood(utterance.path).finally(() => this.#waiting--);
    speaker.told = speaker.told.then(async () => this.#tell(trackSid, speaker, { text: await text, startedAtMs: utterance.startedAtMs }));
  }

  /** Null when nothing was understood, or the recognizer failed. */
  async #understood(path: string): Promise<string | null> {
    const { recognizer, wishes, log } = this.#options;
    const { languageCode: language, hints, model, profanityFilter } = wishes;
    try {
      const recognized = await recognizer.recognize(path, { language, hints, model, profanityFilter, enhanced: false, signal: this.#stopping.signal });
      return recognized?.transcript ?? null;
    } catch (error) {
      if (!this.#stopping.signal.aborted) log.warn({ error: messageOf(error) }, 'what was said in a room could not be recognized');
      return null;
    } finally {
      await recognizer.discard(path);
    }
  }

  #tell(trackSid: TrackSid, speaker: Speaker, said: { text: string | null; startedAtMs: number }): void {
    if (said.text === null || this.#stopping.signal.aborted) return;
    this.emit('transcribed', {
      participantSid: speaker.participant.sid,
      trackSid,
      text: said.text,
      partial: false,
      languageCode: this.#options.wishes.languageCode,
      timestamp: new Date(said.startedAtMs).toISOString(),
      sequenceNumber: ++speaker.sequenceNumber,
    });
  }

  stop(): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    for (const unlisten of this.#unlisten) unlisten();
    for (const trackSid of [...this.#speakers.keys()]) this.#trackGone(trackSid);
    this.removeAllListeners();
  }
}
