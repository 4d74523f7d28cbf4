import type { PhoneMedia } from '../../../media/protocol.ts';
import { isFinal } from '../../call-state.ts';
import type { RecordingRecord } from '../../recording/model.ts';
import { recordingCallbackOf, trimsSilence } from '../../recording/recording-attributes.ts';
import type { LiveRecording } from '../../recording/recordings.ts';
import type { TwimlElement } from '../document.ts';
import { tellAction } from '../tell-action.ts';
import { NEXT_VERB, methodOf, type Verb, type VerbContext } from '../verb.ts';

const DEFAULT_SILENCE_S = 5;
const DEFAULT_MAX_LENGTH_S = 3600;
const DEFAULT_FINISH_KEYS = '1234567890*#';

type Pairs = [name: string, value: string][];

/**
 * `<Record>`: beeps and records the caller until a key, silence, `maxLength` or the end of the call; then `action` (the
 * document's own URL by default) is asked, whatever was recorded (contract §3.4). Of a call that is over it is only told.
 */
export const record: Verb = async (element, context) => {
  const phone = await context.answer();
  if (element.attributes['playBeep']?.toLowerCase() !== 'false') await phone.play({ kind: 'beep' }, { signal: context.signal });
  if (context.signal.aborted) return NEXT_VERB;
  const recording = await begin(element, { phone, context });
  context.reached('recording');
  const { ended, key } = await untilOver(element, { phone, context, recording });
  const parameters = [...context.recordings.parametersOf(ended), ['Digits', key]] satisfies Pairs;
  if (!context.signal.aborted) return { next: 'document', reference: actionOf(element), method: methodOf(element), parameters };
  if (isFinal(context.call.status)) tellAction(element, actionOf(element), { context, parameters: [...context.recordings.parametersOf(ended), ['Digits', 'hangup']] });
  return NEXT_VERB;
};

function actionOf(element: TwimlElement): string {
  return element.attributes['action']?.trim() ?? '';
}

interface Recorded {
  phone: PhoneMedia;
  context: VerbContext;
}

async function begin(element: TwimlElement, { phone, context }: Recorded): Promise<LiveRecording> {
  const { attributes } = element;
  return await context.recordings.start({
    accountSid: context.call.accountSid,
    callSid: context.call.sid,
    conferenceSid: null,
    source: 'RecordVerb',
    channels: 1,
    track: 'inbound',
    callback: recordingCallbackOf(element, context),
    begin: (path) =>
      phone.record({
        path,
        source: 'inbound',
        channels: 1,
        maxDurationMs: Number(attributes['maxLength'] ?? DEFAULT_MAX_LENGTH_S) * 1000,
        silenceTimeoutMs: Number(attributes['timeout'] ?? DEFAULT_SILENCE_S) * 1000,
        trimSilence: trimsSilence(element),
      }),
  });
}

/** Ends it at a finishing key or when the call leaves; silence and length end it by themselves. `key` is empty without one. */
async function untilOver(element: TwimlElement, { phone, context, recording }: Recorded & { recording: LiveRecording }): Promise<{ ended: Readonly<RecordingRecord>; key: string }> {
  const finishKeys = element.attributes['finishOnKey'] ?? DEFAULT_FINISH_KEYS;
  let key = '';
  const stop = (): void => void recording.stop();
  const forget = phone.on('digitReceived', (digit) => {
    if (key !== '' || !finishKeys.includes(digit)) return;
    key = digit;
    stop();
  });
  context.signal.addEventListener('abort', stop, { once: true });
  if (context.signal.aborted) stop();
  try {
    return { ended: await recording.done, key };
  } finally {
    forget();
    context.signal.removeEventListener('abort', stop);
  }
}
