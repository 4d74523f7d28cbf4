import type { CallRecord } from '../../voice/model.ts';
import type { ApiDeps } from '../deps.ts';
import type { Endpoints } from '../endpoint.ts';
import { callOf } from '../voice-2010/calls.ts';

/** What Partyline knows of a call and Twilio has no field for: why it ended, and how it was for its phone. */
export function addCallDetails(endpoints: Endpoints, deps: Pick<ApiDeps, 'calls' | 'callRepository'>): void {
  endpoints.add('/partyline/v1/Calls/:callSid', {
    GET: async (request) => ({ status: 200, body: details(await callOf(request, deps)) }),
  });
}

function details(record: CallRecord): object {
  const { sid, from, to, direction, status, terminationReason, createdAtMs, answeredAtMs, endedAtMs, quality } = record;
  return { sid, from, to, direction, status, terminationReason, createdAt: date(createdAtMs), answeredAt: date(answeredAtMs), endedAt: date(endedAtMs), quality: quality ?? null };
}

/** ISO 8601, UTC. */
function date(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
