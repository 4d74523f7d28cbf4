import { TwilioError, messageOf } from '../../../base/errors.ts';
import { MediaError, type PhoneMedia } from '../../../media/protocol.ts';
import { recordCall, type CallRecordingOptions } from '../../recording/call-recordings.ts';
import { recordingCallbackOf, trimsSilence } from '../../recording/recording-attributes.ts';
import type { LiveRecording } from '../../recording/recordings.ts';
import type { TwimlElement } from '../document.ts';
import type { VerbContext } from '../verb.ts';

/** Of recordings that run, where a document named them. */
const names = new WeakMap<LiveRecording, string>();

/** A document that asks for itself again must not fill the disk ever faster. */
const MAX_RUNNING = 4;

/** `<Start><Recording>`: records the call beside its document until it ends or REST stops it. What cannot begin is journaled; the call goes on. */
export async function startRecording(element: TwimlElement, { phone, context }: { phone: PhoneMedia; context: VerbContext }): Promise<void> {
  const { call, recordings, signal, report } = context;
  const { name } = element.attributes;
  if (signal.aborted) return;
  if (name !== undefined && named(name, context)) return report({ errorCode: 12200, message: `<Recording> was skipped: the call has a recording named '${name}' already`, log: 1 });
  if (recordings.liveOf(call.sid).length >= MAX_RUNNING) return report({ errorCode: 12200, message: `<Recording> was skipped: ${MAX_RUNNING} recordings of the call are running`, log: 1 });
  try {
    const recording = await recordCall(recordings, { call, phone, source: 'StartCallRecordingAPI', options: optionsOf(element, context) });
    if (name !== undefined) names.set(recording, name);
  } catch (error) {
    if (!(error instanceof MediaError) && !(error instanceof TwilioError)) throw error;
    report({ errorCode: 12400, message: `<Recording>: the recording could not begin: ${messageOf(error)}`, log: 0 });
  }
}

/** `<Stop><Recording name>`. */
export function stopRecording({ attributes: { name = '' } }: TwimlElement, context: VerbContext): void {
  const recording = named(name, context);
  if (recording) void recording.stop();
  else context.report({ errorCode: 12200, message: `<Stop>: the call has no recording named '${name}'`, log: 1 });
}

function named(name: string, { call, recordings }: VerbContext): LiveRecording | undefined {
  return recordings.liveOf(call.sid).find((recording) => names.get(recording) === name);
}

function optionsOf(element: TwimlElement, context: VerbContext): CallRecordingOptions {
  const { channels, track } = element.attributes;
  return {
    channels: channels === 'dual' ? 'dual' : 'mono',
    track: track === 'inbound' || track === 'outbound' ? track : 'both',
    trimSilence: trimsSilence(element),
    callback: recordingCallbackOf(element, context),
  };
}
