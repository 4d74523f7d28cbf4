import { TwilioError, messageOf } from '../../../base/errors.ts';
import { MediaError, type PhoneMedia } from '../../../media/protocol.ts';
import { recordingCallbackOf } from '../../recording/recording-attributes.ts';
import type { RecordingTrack } from '../../recording/model.ts';
import type { LiveRecording } from '../../recording/recordings.ts';
import type { TwimlElement } from '../document.ts';
import type { VerbContext } from '../verb.ts';

/** When the recording of a `<Dial>` begins. */
type Moment = 'ringing' | 'answer';

const MAX_DURATION_MS = 86_400_000;

/**
 * `record` of `<Dial>`: what the caller says and hears, in one channel or in two (caller left), from the ringing or from the
 * bridge on. It belongs to the caller's Call (contract §3.4, §4.3).
 */
export class DialRecorder {
  readonly #dial: TwimlElement;
  readonly #context: VerbContext;
  readonly #from: Moment | null;
  readonly #channels: 1 | 2;
  #starting: Promise<LiveRecording | null> | null = null;

  constructor(dial: TwimlElement, context: VerbContext) {
    const wanted = dial.attributes['record'] ?? 'do-not-record';
    this.#dial = dial;
    this.#context = context;
    this.#channels = wanted.endsWith('-dual') ? 2 : 1;
    this.#from = wanted.startsWith('record-from-ringing') ? 'ringing' : wanted === 'true' || wanted.startsWith('record-from-answer') ? 'answer' : null;
  }

  /** Begins when this is the moment, or when it is past. A recording that cannot begin is journaled; the call goes on. */
  async reached(moment: Moment, caller: PhoneMedia): Promise<void> {
    if (this.#from === null || (this.#from === 'answer' && moment === 'ringing')) return;
    await (this.#starting ??= this.#start(caller));
  }

  /** Ends it; resolves with what the action is told. Idempotent. */
  async stop(): Promise<[name: string, value: string][]> {
    const recording = await this.#starting;
    return recording ? this.#context.recordings.parametersOf(await recording.stop()) : [];
  }

  async #start(caller: PhoneMedia): Promise<LiveRecording | null> {
    const { attributes } = this.#dial;
    const { call, recordings, signal } = this.#context;
    if (signal.aborted) return null;
    const wanted = attributes['recordingTrack'];
    const track: RecordingTrack = wanted === 'inbound' || wanted === 'outbound' ? wanted : 'both';
    const channels = track === 'both' ? this.#channels : 1;
    const sound = { source: track, channels, maxDurationMs: MAX_DURATION_MS, silenceTimeoutMs: 0, trimSilence: attributes['trim'] === 'trim-silence' };
    try {
      return await recordings.start({
        accountSid: call.accountSid,
        callSid: call.sid,
        conferenceSid: null,
        source: 'DialVerb',
        channels,
        track,
        callback: recordingCallbackOf(this.#dial, this.#context),
        begin: (path) => caller.record({ path, ...sound }),
      });
    } catch (error) {
      if (!(error instanceof MediaError) && !(error instanceof TwilioError)) throw error;
      // Who hangs up just now takes its media along.
      if (!signal.aborted) this.#context.report({ errorCode: 12400, message: `<Dial>: the recording could not begin: ${messageOf(error)}`, log: 0 });
      return null;
    }
  }
}
