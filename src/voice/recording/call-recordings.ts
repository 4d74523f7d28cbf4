import { TwilioError } from '../../base/errors.ts';
import type { CallSid } from '../../base/sid.ts';
import type { PhoneMedia } from '../../media/protocol.ts';
import type { CallRecord } from '../model.ts';
import type { RecordingCallback, RecordingSource, RecordingTrack } from './model.ts';
import type { LiveRecording, Recordings } from './recordings.ts';

/** How a whole call is to be recorded: by `Record` of a create, or by REST while it runs. */
export interface CallRecordingOptions {
  /** `dual`: the phone left, what it hears right. One track alone is always mono. */
  channels: 'mono' | 'dual';
  track: RecordingTrack;
  trimSilence: boolean;
  callback: RecordingCallback | null;
}

/** Longer than any call. */
const MAX_DURATION_MS = 86_400_000;

/** Records a call whatever it does, until it is stopped or the call ends. */
export async function recordCall(recordings: Recordings, { call, phone, source, options }: { call: Readonly<CallRecord>; phone: PhoneMedia; source: RecordingSource; options: CallRecordingOptions }): Promise<LiveRecording> {
  const { track, trimSilence, callback } = options;
  const channels = options.channels === 'dual' && track === 'both' ? 2 : 1;
  return await recordings.start({
    accountSid: call.accountSid,
    callSid: call.sid,
    conferenceSid: null,
    source,
    channels,
    track,
    callback,
    begin: (path) => phone.record({ path, source: track, channels, maxDurationMs: MAX_DURATION_MS, silenceTimeoutMs: 0, trimSilence }),
  });
}

/** A call that is being talked in. */
export interface AnsweredCall {
  record: Readonly<CallRecord>;
  phone: PhoneMedia;
}

/** Recordings that REST starts (contract §5.4). */
export interface CallRecordings {
  /** Throws 21220 for a call that nobody answered yet or that is over. */
  start(callSid: CallSid, options: CallRecordingOptions): Promise<LiveRecording>;
}

export function createCallRecordings(recordings: Recordings, answered: (callSid: CallSid) => AnsweredCall | null): CallRecordings {
  return {
    start: async (callSid, options) => {
      const call = answered(callSid);
      if (!call) throw new TwilioError(21220, 'Call is not in-progress. Cannot record.');
      return await recordCall(recordings, { call: call.record, phone: call.phone, source: 'StartCallRecordingAPI', options });
    },
  };
}
