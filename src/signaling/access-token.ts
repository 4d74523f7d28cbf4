import { SignJWT, compactVerify, decodeProtectedHeader, errors } from 'jose';
import { z } from 'zod';
import { systemClock, type Clock } from '../base/clock.ts';
import { TwilioError } from '../base/errors.ts';
import { parseSid, type AccountSid } from '../base/sid.ts';

/** Where the keys of access tokens are looked up. */
export interface TokenKeys {
  /** Account and secret of an API key, null for an unknown one. */
  secretOf(keySid: string): { accountSid: AccountSid; secret: string } | null;
  accountActive(accountSid: AccountSid): boolean;
}

/** What a token that was found good allows. */
export interface AccessGrant {
  accountSid: AccountSid;
  /** 1–128 characters. */
  identity: string;
  /** Name or SID of the only room it opens; null for any. */
  room: string | null;
}

const CONTENT_TYPE = 'twilio-fpa;v=1';
const ALGORITHMS = ['HS256', 'HS384', 'HS512'];
const MAX_LIFE_S = 24 * 3600;
/** Clocks of app servers go a little wrong. Not granted to the end of a token's life. */
const LEEWAY_S = 60;
const MAX_TOKEN_LENGTH = 16_384;
const MAX_IDENTITY_LENGTH = 128;

const payloadShape = z.object({
  iss: z.string(),
  sub: z.string(),
  exp: z.number().optional(),
  nbf: z.number().optional(),
  grants: z.unknown().optional(),
});
const grantsShape = z.object({ identity: z.unknown().optional(), video: z.object({ room: z.string().nullish() }) });
type Payload = z.infer<typeof payloadShape>;

/**
 * Checks an access token (contract §8) and reads what it grants. Rejects with TwilioError 20101–20107, or 53200/53201 for an
 * identity that cannot be. `expiredIsFine` lets a token pass whose time is over.
 */
export async function verifyAccessToken(token: string, options: { keys: TokenKeys; nowMs: number; expiredIsFine?: boolean }): Promise<AccessGrant> {
  checkHeader(token);
  const payload = readPayload(token);
  const { keys } = options;
  const key = keys.secretOf(payload.iss);
  const accountSid = parseSid('AC', payload.sub);
  if (!key || !accountSid || key.accountSid !== accountSid || !keys.accountActive(accountSid)) throw new TwilioError(20103, 'Invalid Access Token issuer/subject');
  await checkSignature(token, key.secret);
  checkTimes(payload, options);
  return { accountSid, ...readGrants(payload) };
}

function invalid(): TwilioError {
  return new TwilioError(20101, 'Invalid Access Token');
}

function checkHeader(token: string): void {
  if (token.length > MAX_TOKEN_LENGTH || token.split('.').length !== 3) throw invalid();
  const header = decoded(() => decodeProtectedHeader(token));
  const fits = header.typ === 'JWT' && header.cty === CONTENT_TYPE && ALGORITHMS.includes(header.alg ?? '');
  if (!fits) throw new TwilioError(20102, 'Invalid Access Token header');
}

function readPayload(token: string): Payload {
  const text = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8');
  const payload = payloadShape.safeParse(decoded(() => JSON.parse(text) as unknown));
  if (!payload.success) throw new TwilioError(20103, 'Invalid Access Token issuer/subject');
  return payload.data;
}

function decoded<T>(read: () => T): T {
  try {
    return read();
  } catch {
    throw invalid();
  }
}

async function checkSignature(token: string, secret: string): Promise<void> {
  try {
    await compactVerify(token, new TextEncoder().encode(secret), { algorithms: ALGORITHMS });
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) throw new TwilioError(20107, 'Invalid Access Token signature');
    throw invalid();
  }
}

function checkTimes({ exp, nbf }: Payload, { nowMs, expiredIsFine }: { nowMs: number; expiredIsFine?: boolean }): void {
  const nowS = nowMs / 1000;
  if (exp === undefined || exp > nowS + MAX_LIFE_S + LEEWAY_S || (exp <= nowS && expiredIsFine !== true)) {
    throw new TwilioError(20104, 'Access Token expired or expiration date invalid');
  }
  if (nbf !== undefined && nbf > nowS + LEEWAY_S) throw new TwilioError(20105, 'Access Token not yet valid');
}

function readGrants(payload: Payload): { identity: string; room: string | null } {
  const grants = grantsShape.safeParse(payload.grants);
  if (!grants.success) throw new TwilioError(20106, 'Invalid Access Token grants');
  const { identity, video } = grants.data;
  if (typeof identity !== 'string' || identity === '') throw new TwilioError(53200, 'Participant identity is invalid');
  if (identity.length > MAX_IDENTITY_LENGTH) throw new TwilioError(53201, 'Participant identity is too long');
  return { identity, room: video.room || null };
}

export interface TokenOptions {
  accountSid: string;
  apiKeySid: string;
  apiKeySecret: string;
  identity: string;
  /** Name or SID of the only room; absent: any. */
  room?: string;
  /** Default 3600, as Twilio's helpers. */
  lifeS?: number;
  clock?: Clock;
}

/** Makes a token as Twilio's helper libraries do (HS256). */
export function makeAccessToken(options: TokenOptions): Promise<string> {
  const nowS = Math.floor((options.clock ?? systemClock).wallMs() / 1000);
  const { identity, room, apiKeySid, accountSid } = options;
  return new SignJWT({ grants: { identity, video: room === undefined ? {} : { room } } })
    .setProtectedHeader({ typ: 'JWT', alg: 'HS256', cty: CONTENT_TYPE })
    .setJti(`${apiKeySid}-${nowS}`)
    .setIssuer(apiKeySid)
    .setSubject(accountSid)
    .setIssuedAt(nowS)
    .setExpirationTime(nowS + (options.lifeS ?? 3600))
    .sign(new TextEncoder().encode(options.apiKeySecret));
}
