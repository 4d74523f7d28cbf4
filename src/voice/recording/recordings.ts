import type { Emitter } from '../../base/emitter.ts';
import type { AccountSid, CallSid } from '../../base/sid.ts';
import type { MediaRecording } from '../../media/protocol.ts';
import type { RecordingCallback, RecordingRecord, RecordingSource, RecordingTrack } from './model.ts';

export interface StartRecording {
  accountSid: AccountSid;
  /** The call it belongs to, for a bridged call the parent; null for a conference. */
  callSid: CallSid | null;
  conferenceSid: string | null;
  source: RecordingSource;
  channels: 1 | 2;
  track: RecordingTrack;
  /**
   * Begins the media into the file of this absolute path, whose folder is there: `(path) => phone.record({ path, … })`.
   * How long, which silence and whether it is trimmed is said there.
   */
  begin: (path: string) => Promise<MediaRecording>;
  /** Whom to tell; null: nobody. */
  callback: RecordingCallback | null;
}

/** A recording that still runs. */
export interface LiveRecording extends Emitter<{ ended: [record: Readonly<RecordingRecord>] }> {
  /** As it is now. */
  readonly record: Readonly<RecordingRecord>;
  /** Nothing is written until `resume`; `silence` writes silence for the pause. */
  pause(mode: 'skip' | 'silence'): Promise<void>;
  resume(): Promise<void>;
  /** Resolves when the file is complete and everybody was told; idempotent. Never rejects. */
  stop(): Promise<Readonly<RecordingRecord>>;
  /** Resolves when it is over, whoever ended it. Never rejects. */
  readonly done: Promise<Readonly<RecordingRecord>>;
}

/** Voice recordings: their files, their resource, their status callbacks (contract §3.4, §4.3). */
export interface Recordings {
  /** Rejects with MediaError when the media plane cannot record, with TwilioError 20503 while the server stops; then nothing is left behind. */
  start(options: StartRecording): Promise<LiveRecording>;
  /** Null when it is over or unknown: the repository has it then. */
  live(recordingSid: string): LiveRecording | null;
  /** Of a call or a conference, oldest first. */
  liveOf(callOrConferenceSid: string): LiveRecording[];
  /** What webhooks carry: absolute, without an extension. */
  urlOf(record: Pick<RecordingRecord, 'sid' | 'accountSid'>): string;
  /** `RecordingUrl`, `RecordingSid` and `RecordingDuration` of a recording, as actions and call callbacks carry them. */
  parametersOf(record: Readonly<RecordingRecord>): [name: string, value: string][];
  /** The WAV file. */
  pathOf(record: Pick<RecordingRecord, 'sid' | 'accountSid'>): string;
  /** File and record of one that is over. Refuses one that runs with TwilioError 409/20009. */
  remove(record: Readonly<RecordingRecord>): Promise<void>;
  /** Ends what a crash left, by what its files hold, and tells it. */
  closeLeftovers(): Promise<void>;
  /** Stops what runs; nothing starts any more. */
  stop(): Promise<void>;
}

/** Whole seconds as REST and webhooks have them; a file that holds anything has at least one. Null while it grows. */
export function recordingSeconds({ durationMs }: Pick<RecordingRecord, 'durationMs'>): number | null {
  if (durationMs === null) return null;
  return durationMs === 0 ? 0 : Math.max(1, Math.round(durationMs / 1000));
}
