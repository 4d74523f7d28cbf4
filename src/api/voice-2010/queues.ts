import { rfc2822 } from '../../base/dates.ts';
import { TwilioError } from '../../base/errors.ts';
import { parseSid } from '../../base/sid.ts';
import type { QueuedCall } from '../../voice/queue/queued-call.ts';
import type { CallQueue } from '../../voice/queue/queues.ts';
import type { ApiDeps } from '../deps.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { listAnswer, pageOf, pageRequest } from '../paging.ts';
import { accountPath } from './resource.ts';
import { method, url } from './voice-url-parameters.ts';

const PATH = '/2010-04-01/Accounts/:accountSid/Queues';
const MAX_QUEUES = 1000;

type Deps = Pick<ApiDeps, 'gatherings' | 'calls'>;

/** Call queues and who waits in them. */
export function addQueues(endpoints: Endpoints, deps: Deps): void {
  const { queues } = deps.gatherings;
  endpoints.add(PATH, {
    GET: (request) => {
      const all = queues.of(request.account.sid).map((queue) => ({ queue, sid: queue.record.sid, createdAtMs: queue.record.createdAtMs }));
      return listAnswer(request, { key: 'queues', page: pageOf(all, pageRequest(request.query)), render: ({ queue }) => queueBody(queue) });
    },
    POST: ({ account, form }) => {
      if (queues.of(account.sid).length >= MAX_QUEUES) throw new TwilioError(20001, `An account has at most ${MAX_QUEUES} queues`);
      return { status: 201, body: queueBody(queues.create(account.sid, { friendlyName: form.text('FriendlyName'), maxSize: form.number('MaxSize') })) };
    },
  });
  endpoints.add(`${PATH}/:queueSid`, {
    GET: (request) => ({ status: 200, body: queueBody(queueOf(request, deps)) }),
    POST: (request) => {
      const queue = queueOf(request, deps);
      queues.update(queue, { friendlyName: request.form.filled('FriendlyName'), maxSize: request.form.number('MaxSize') });
      return { status: 200, body: queueBody(queue) };
    },
    DELETE: (request) => {
      queues.delete(queueOf(request, deps));
      return { status: 204 };
    },
  });
  addMembers(endpoints, deps);
}

function addMembers(endpoints: Endpoints, deps: Deps): void {
  endpoints.add(`${PATH}/:queueSid/Members`, {
    GET: (request) => {
      const queue = queueOf(request, deps);
      // The head first, which lists newest first would put last.
      const members = queue.waiting.map((call) => ({ call, sid: call.callSid, createdAtMs: LATEST_MS - call.enqueuedAtMs }));
      return listAnswer(request, { key: 'queue_members', page: pageOf(members, pageRequest(request.query)), render: ({ call }) => memberBody(queue, call) });
    },
  });
  endpoints.add(`${PATH}/:queueSid/Members/:callSid`, {
    GET: (request) => {
      const queue = queueOf(request, deps);
      return { status: 200, body: memberBody(queue, memberOf(request, queue)) };
    },
    POST: (request) => dequeue(request, deps),
  });
}

/** A date that no date of a call exceeds: what is older than another is larger when it is subtracted from this. */
const LATEST_MS = 2 ** 42;

function queueOf({ account, path, part }: ApiRequest, { gatherings }: Deps): CallQueue {
  const queue = gatherings.queues.bySid(account.sid, part('queueSid'));
  if (!queue) throw notFound(path);
  return queue;
}

/** By the SID of its call; `Front` is the head. */
function memberOf({ path, part }: ApiRequest, queue: CallQueue): QueuedCall {
  const name = part('callSid');
  const sid = parseSid('CA', name);
  const member = name === 'Front' ? queue.waiting[0] : sid && queue.find(sid);
  if (!member) throw notFound(path);
  return member;
}

/** Out of the queue and on with the document of `Url`. Throws 21205. */
async function dequeue(request: ApiRequest, deps: Deps): Promise<Answer> {
  const queue = queueOf(request, deps);
  const member = memberOf(request, queue);
  const next = url(request.form, 'Url', null, 21205);
  if (next === null) throw new TwilioError(21205, "'Url' is required");
  const nextMethod = method(request.form, 'Method', 'POST');
  const body = memberBody(queue, member);
  await deps.calls.update(request.account.sid, member.callSid, { url: next, method: nextMethod });
  return { status: 200, body };
}

function queueBody(queue: CallQueue): object {
  const { record } = queue;
  return {
    date_updated: rfc2822(record.updatedAtMs),
    current_size: queue.waiting.length,
    friendly_name: record.friendlyName,
    uri: `${accountPath(record.accountSid)}/Queues/${record.sid}.json`,
    account_sid: record.accountSid,
    average_wait_time: queue.averageWaitS(),
    sid: record.sid,
    date_created: rfc2822(record.createdAtMs),
    max_size: record.maxSize,
  };
}

function memberBody(queue: CallQueue, call: QueuedCall): object {
  const { accountSid, sid } = queue.record;
  return {
    call_sid: call.callSid,
    date_enqueued: rfc2822(call.enqueuedAtMs),
    position: queue.positionOf(call),
    uri: `${accountPath(accountSid)}/Queues/${sid}/Members/${call.callSid}.json`,
    wait_time: call.queueTimeS,
    queue_sid: sid,
  };
}
