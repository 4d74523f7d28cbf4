import { TwilioError } from '../../base/errors.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiRequest, Endpoints } from '../endpoint.ts';
import { given, type Form } from '../form.ts';
import type { ExplainRequest } from '../../voice/explain.ts';

/** What `partyline explain call` asks: which rule takes a call, or refuses it. Nothing of Twilio's. */
export function addExplain(endpoints: Endpoints, { explainer }: Pick<ApiDeps, 'explainer'>): void {
  endpoints.add('/partyline/v1/Explain', {
    GET: (request) => {
      checkOwner(request);
      return { status: 200, body: explainer.explain(request.account.sid, requestOf(request.query)) };
    },
  });
}

/** The dial plan is of all accounts: only one that is nobody's subaccount may look at it. */
function checkOwner({ account }: ApiRequest): void {
  if (account.ownerAccountSid !== account.sid) throw new TwilioError(20006, 'Subaccounts may not look at the dial plan', { status: 403 });
}

function requestOf(query: Form): ExplainRequest {
  const [from, to] = [query.filled('From'), query.filled('To')];
  if (from === undefined || to === undefined) throw new TwilioError(20001, 'From and To are required');
  return given<ExplainRequest>({ direction: query.oneOf('Direction', ['inbound', 'outbound']) ?? 'inbound', from, to, source: query.filled('Source'), user: query.filled('User'), byoc: query.filled('Byoc') });
}
