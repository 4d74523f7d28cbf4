import { TwilioError } from '../../base/errors.ts';
import { parseSid, type CallSid } from '../../base/sid.ts';
import type { PhoneMedia } from '../../media/protocol.ts';
import type { CallRecord, HttpMethod } from '../model.ts';
import { targetOf } from '../webhook/target.ts';
import type { CallStreams } from './call-streams.ts';
import type { StartStreamOptions, StreamControl, StreamRecord } from './contract.ts';
import type { LiveStream } from './live-stream.ts';
import { specProblem, streamUrl, trackOf, TRACKS, type StreamSpec } from './stream-spec.ts';

/** A live call as streams see it. */
export interface StreamedCall {
  readonly record: Readonly<CallRecord>;
  readonly streams: CallStreams;
  readonly phone: PhoneMedia | null;
}

export function createStreamControl(callOf: (sid: CallSid) => StreamedCall | null): StreamControl {
  return {
    start: ({ sid }, options) => {
      const call = callOf(sid);
      const spec = specOf(options);
      const phone = call?.record.status === 'in-progress' ? call.phone : null;
      if (!call || !phone) throw new TwilioError(21220, 'Call is not in-progress. Cannot start a stream.');
      const refusal = call.streams.refusalOf(spec.name, { bidirectional: false });
      if (refusal !== null) throw new TwilioError(20001, `The stream cannot be started: ${refusal}`);
      return recordOf(call.streams.open(spec, { phone, bidirectional: false }), call);
    },
    stop: ({ sid }, sidOrName) => {
      const call = callOf(sid);
      const stream = call?.streams.find(parseSid('MZ', sidOrName) ?? sidOrName);
      if (!call || !stream) return null;
      if (stream.bidirectional) throw new TwilioError(20001, 'A bidirectional stream ends with its WebSocket or its call, not over REST');
      stream.stop();
      return recordOf(stream, call);
    },
  };
}

function recordOf(stream: LiveStream, { record }: StreamedCall): StreamRecord {
  return { sid: stream.sid, accountSid: record.accountSid, callSid: record.sid, name: stream.name, status: stream.live ? 'in-progress' : 'stopped', updatedAtMs: stream.updatedAtMs };
}

function specOf(options: StartStreamOptions): StreamSpec {
  const url = streamUrl(null, options.url ?? '');
  if (url === null) throw new TwilioError(21205, 'Url must be an absolute wss or ws URL');
  const track = trackOf(options.track ?? 'inbound_track');
  if (!track) throw new TwilioError(20001, `Track must be one of ${Object.keys(TRACKS).join(', ')}`);
  const name = options.name ?? null;
  const problem = specProblem({ name, parameters: options.parameters });
  if (problem !== null) throw new TwilioError(20001, problem);
  return { url, name, track, statusCallback: statusCallbackOf(options), parameters: Object.fromEntries(options.parameters) };
}

function statusCallbackOf({ statusCallback, statusCallbackMethod }: StartStreamOptions): StreamSpec['statusCallback'] {
  const method = (statusCallbackMethod ?? 'POST').toUpperCase();
  if (method !== 'GET' && method !== 'POST') throw new TwilioError(21209, 'StatusCallbackMethod must be GET or POST');
  if (statusCallback === undefined) return null;
  if (!targetOf(statusCallback)) throw new TwilioError(21609, 'StatusCallback must be an http or https URL');
  return { url: statusCallback, method: method satisfies HttpMethod };
}
