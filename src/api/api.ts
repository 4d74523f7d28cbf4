import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { TwilioError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { answerBrokenRequest } from './broken-requests.ts';
import type { ApiDeps } from './deps.ts';
import { Endpoints } from './endpoint.ts';
import { errorBody, methodNotAllowed, notFound, refusalOf, unforeseen, unreadable } from './errors.ts';
import { Form } from './form.ts';
import { addCallDetails } from './partyline-v1/calls.ts';
import { addExplain } from './partyline-v1/explain.ts';
import { addTrunkSettings } from './partyline-v1/trunk-settings.ts';
import { addCompositionHooks } from './video-v1/composition-hooks.ts';
import { addCompositionSettings } from './video-v1/composition-settings.ts';
import { addCompositions } from './video-v1/compositions.ts';
import { addParticipants } from './video-v1/participants.ts';
import { addRecordingRules } from './video-v1/recording-rules.ts';
import { addRecordingSettings } from './video-v1/recording-settings.ts';
import { addRecordings } from './video-v1/recordings.ts';
import { addRooms } from './video-v1/rooms.ts';
import { addTracks } from './video-v1/tracks.ts';
import { addTranscriptions } from './video-v1/transcriptions.ts';
import { addAccounts } from './voice-2010/accounts.ts';
import { addApplications } from './voice-2010/applications.ts';
import { addCallerIds } from './voice-2010/caller-ids.ts';
import { addCalls } from './voice-2010/calls.ts';
import { addConferenceParticipants } from './voice-2010/conference-participants.ts';
import { addConferences } from './voice-2010/conferences.ts';
import { addKeys } from './voice-2010/keys.ts';
import { addNotifications } from './voice-2010/notifications.ts';
import { addVoiceRecordings } from './voice-2010/recordings.ts';
import { addNumbers } from './voice-2010/numbers.ts';
import { addSipCredentialLists } from './voice-2010/sip-credential-lists.ts';
import { addSipDomains } from './voice-2010/sip-domains.ts';
import { addSipIpAccessLists } from './voice-2010/sip-ip-access-lists.ts';
import { addSipMappings } from './voice-2010/sip-mappings.ts';
import { addQueues } from './voice-2010/queues.ts';
import { addStreams } from './voice-2010/streams.ts';
import { addByocTrunks } from './voice-v1/byoc-trunks.ts';
import { addConnectionPolicies } from './voice-v1/connection-policies.ts';
import { addConnectionPolicyTargets } from './voice-v1/connection-policy-targets.ts';

const BODY_LIMIT_BYTES = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
/** What some resource or other answers to. */
const METHODS_OF_RESOURCES = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
/** A room name or identity of 128 characters, each percent-encoded as UTF-8. */
const MAX_PATH_PART_CHARS = 128 * 12;

/** The HTTP server with Twilio's REST resources of both families and `/healthz`. Not listening yet. */
export function createApi(deps: ApiDeps): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    clientErrorHandler: answerBrokenRequest,
    rewriteUrl: (request) => pathForm(request.url ?? '/').replace(/^[^?]*/, encodeStrayPercents),
    routerOptions: { maxParamLength: MAX_PATH_PART_CHARS },
    frameworkErrors: (error, request, reply) => answerError(error, { request, reply, log: deps.log }),
  });
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (request, body, done) => {
    if (isEncoded(request)) done(unreadable(415));
    else done(null, Form.parse(String(body)));
  });
  app.setErrorHandler((error, request, reply) => answerError(error, { request, reply, log: deps.log }));
  app.setNotFoundHandler((request, reply) => {
    if (METHODS_OF_RESOURCES.includes(request.method)) return send(reply, notFound(pathOf(request)));
    void reply.header('allow', 'GET, HEAD, POST, DELETE, OPTIONS');
    return send(reply, methodNotAllowed(request.method));
  });
  app.get('/healthz', (_request, reply) => reply.code(deps.ready() ? 200 : 503).header('cache-control', 'no-store').send({ status: deps.ready() ? 'ok' : 'unavailable' }));
  const endpoints = new Endpoints(app, deps);
  addResources(endpoints, deps);
  return app;
}

/** One line a resource, in the order of the alphabet, family by family. */
export function addResources(endpoints: Endpoints, deps: ApiDeps): void {
  addAccounts(endpoints, deps);
  addApplications(endpoints, deps);
  addCallerIds(endpoints, deps);
  addCalls(endpoints, deps);
  addConferenceParticipants(endpoints, deps);
  addConferences(endpoints, deps);
  addVoiceRecordings(endpoints, deps);
  addStreams(endpoints, deps);
  addNotifications(endpoints, deps);
  addNumbers(endpoints, deps);
  addQueues(endpoints, deps);
  addKeys(endpoints, deps);
  addSipDomains(endpoints, deps);
  addSipMappings(endpoints, deps);
  addSipCredentialLists(endpoints, deps);
  addSipIpAccessLists(endpoints, deps);
  addByocTrunks(endpoints, deps);
  addConnectionPolicies(endpoints, deps);
  addConnectionPolicyTargets(endpoints, deps);
  addRooms(endpoints, deps);
  addParticipants(endpoints, deps);
  addTracks(endpoints, deps);
  addRecordingRules(endpoints, deps);
  addRecordings(endpoints, deps);
  addCompositions(endpoints, deps);
  addCompositionHooks(endpoints, deps);
  addCompositionSettings(endpoints, deps);
  addRecordingSettings(endpoints, deps);
  addTranscriptions(endpoints, deps);
  addCallDetails(endpoints, deps);
  addExplain(endpoints, deps);
  addTrunkSettings(endpoints, deps);
}

/** A body that is packed (gzip) would be read as nonsense, and what it asks for as not asked. */
function isEncoded(request: FastifyRequest): boolean {
  return !/^(identity)?$/i.test(String(request.headers['content-encoding'] ?? '').trim());
}

/** A request may name its path as a whole URL, as it would to a proxy (RFC 9112 §3.2.2): the path of it counts. */
function pathForm(target: string): string {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '');
  return path.startsWith('/') ? path : `/${path}`;
}

/** The official client sends path parts raw: a `%` of a name stands for itself where no two hexadecimal digits follow. */
function encodeStrayPercents(path: string): string {
  return path.replace(/%(?![0-9a-fA-F]{2})/g, '%25');
}

function answerError(error: unknown, { request, reply, log }: { request: FastifyRequest; reply: FastifyReply; log: Log }): void {
  const refusal = refusalOf(error);
  if (!refusal) log.error({ method: request.method, path: pathOf(request), error: error instanceof Error ? error.stack : String(error) }, 'a request failed');
  send(reply, refusal ?? unforeseen);
}

function send(reply: FastifyReply, error: TwilioError): void {
  if (error.status === 401) void reply.header('www-authenticate', 'Basic realm="Twilio API"');
  void reply.code(error.status).type('application/json; charset=utf-8').send(errorBody(error));
}

function pathOf(request: FastifyRequest): string {
  return (request.raw.url ?? '').split('?', 1)[0] ?? '';
}
