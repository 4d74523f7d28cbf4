import { rfc2822 } from '../../base/dates.ts';
import type { StartStreamOptions, StreamRecord } from '../../voice/streams/contract.ts';
import type { ApiDeps } from '../deps.ts';
import type { Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { given, type Form } from '../form.ts';
import { TwilioError } from '../../base/errors.ts';
import { callOf } from './calls.ts';
import { callPath } from './resource.ts';

const MAX_PARAMETERS = 99;

/** Media streams of a live call: started and stopped, never listed (contract §5.1). */
export function addStreams(endpoints: Endpoints, deps: Pick<ApiDeps, 'calls' | 'callRepository'>): void {
  endpoints.add('/2010-04-01/Accounts/:accountSid/Calls/:callSid/Streams', {
    POST: async (request) => {
      const call = await callOf(request, deps);
      return { status: 201, body: streamBody(deps.calls.streams.start(call, startOptions(request.form))) };
    },
  });
  endpoints.add('/2010-04-01/Accounts/:accountSid/Calls/:callSid/Streams/:stream', {
    POST: async (request) => {
      const call = await callOf(request, deps);
      if (request.form.oneOf('Status', ['stopped'] as const) === undefined) throw new TwilioError(20001, 'Status must be stopped');
      const stopped = deps.calls.streams.stop(call, request.part('stream'));
      if (!stopped) throw notFound(request.path);
      return { status: 200, body: streamBody(stopped) };
    },
  });
}

function streamBody(stream: StreamRecord): object {
  return {
    sid: stream.sid,
    account_sid: stream.accountSid,
    call_sid: stream.callSid,
    name: stream.name,
    status: stream.status,
    date_updated: rfc2822(stream.updatedAtMs),
    uri: `${callPath(stream.accountSid, stream.callSid)}/Streams/${stream.sid}.json`,
  };
}

function startOptions(form: Form): StartStreamOptions {
  return given<StartStreamOptions>({
    url: form.filled('Url'),
    name: form.filled('Name'),
    track: form.filled('Track'),
    statusCallback: form.filled('StatusCallback'),
    statusCallbackMethod: form.filled('StatusCallbackMethod'),
    parameters: parametersOf(form),
  });
}

/** `Parameter1.Name`, `Parameter1.Value` to `Parameter99…`; a value without a name means nothing and is refused. */
function parametersOf(form: Form): [string, string][] {
  const parameters: [string, string][] = [];
  for (let n = 1; n <= MAX_PARAMETERS; n++) {
    const name = form.filled(`Parameter${n}.Name`);
    const value = form.text(`Parameter${n}.Value`);
    if (name === undefined && value !== undefined) throw new TwilioError(20001, `Parameter${n}.Value has no Parameter${n}.Name`);
    if (name !== undefined) parameters.push([name, value ?? '']);
  }
  return parameters;
}
