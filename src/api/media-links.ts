import { createHmac, timingSafeEqual } from 'node:crypto';
import { TwilioError } from '../base/errors.ts';
import type { ApiDeps } from './deps.ts';
import type { Answer, ApiRequest, Endpoints } from './endpoint.ts';
import { notFound } from './errors.ts';
import type { FileAnswer } from './file-answer.ts';

/** Seconds that a link is good for. */
const DEFAULT_TTL_S = 3600;
const MAX_TTL_S = 43_200;
const DISPOSITIONS = ['attachment', 'inline'] as const;

type Family = 'Recordings' | 'Compositions';
type Clock = Pick<ApiDeps, 'clock'>;

/**
 * `GET …/Media`: 302 to a link that needs no credentials and is good for `Ttl` seconds (1 to 43200, default 3600). The body
 * names it too (contract §7.7). `ContentDisposition` is `attachment` (default) or `inline`. Throws 20001.
 */
export function mediaLink(request: ApiRequest, { family, sid, clock }: { family: Family; sid: string } & Clock): Answer {
  const ttlS = request.query.number('Ttl') ?? DEFAULT_TTL_S;
  if (!(ttlS >= 1 && ttlS <= MAX_TTL_S)) throw new TwilioError(20001, `Ttl must be from 1 to ${MAX_TTL_S} seconds`);
  const disposition = request.query.oneOf('ContentDisposition', DISPOSITIONS) ?? 'attachment';
  const path = pathOf(request, family, sid);
  const expires = String(Math.floor(clock.wallMs() / 1000) + ttlS);
  const signature = signatureOf({ path, expires, disposition }, request.account.authToken);
  const location = `${request.origin}${path}?${new URLSearchParams({ Expires: expires, ContentDisposition: disposition, Signature: signature }).toString()}`;
  return { status: 302, location, body: { redirect_to: location } };
}

/** Serves what the links of a family lead to. `file`: null where there is none. */
export function addLinkedMedia(endpoints: Endpoints, { family, clock, file }: { family: Family; file: (request: ApiRequest) => Promise<FileAnswer | null> } & Clock): void {
  endpoints.add(
    `/v1/Accounts/:accountSid/${family}/:sid/File`,
    {
      GET: async (request) => {
        const disposition = checkedLink(request, { family, clock });
        const found = await file(request);
        if (!found) throw notFound(request.path);
        return { status: 200, file: { ...found, disposition } };
      },
    },
    { open: () => true },
  );
}

/** Throws 403/20403 for a link that is not ours, or is over. */
function checkedLink(request: ApiRequest, { family, clock }: { family: Family } & Clock): 'attachment' | 'inline' {
  const [expires = '', disposition = '', signature = ''] = ['Expires', 'ContentDisposition', 'Signature'].map((name) => request.query.text(name));
  const wanted = signatureOf({ path: pathOf(request, family, request.part('sid')), expires, disposition }, request.account.authToken);
  if (!equal(signature, wanted) || Number(expires) * 1000 < clock.wallMs()) throw new TwilioError(20403, 'The link is not valid, or it has expired: ask for the media again', { status: 403 });
  return disposition === 'inline' ? 'inline' : 'attachment';
}

function pathOf({ account }: ApiRequest, family: Family, sid: string): string {
  return `/v1/Accounts/${account.sid}/${family}/${sid}/File`;
}

function signatureOf({ path, expires, disposition }: { path: string; expires: string; disposition: string }, authToken: string): string {
  return createHmac('sha256', authToken).update(`media link\n${path}\n${expires}\n${disposition}`).digest('base64url');
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
