import twilio from 'twilio';
import { describe, expect, it } from 'vitest';
import { newSid } from '../base/sid.ts';
import { makeAccessToken, verifyAccessToken, type TokenKeys } from './access-token.ts';

const accountSid = newSid('AC');
const apiKeySid = newSid('SK');
const apiKeySecret = 'a secret of some length';
const keys: TokenKeys = { secretOf: (sid) => (sid === apiKeySid ? { accountSid, secret: apiKeySecret } : null), accountActive: (sid) => sid === accountSid };
const { AccessToken } = twilio.jwt;

function official(options: { identity?: string; room?: string; ttl?: number; secret?: string; keySid?: string; algorithm?: 'HS256' | 'HS384' | 'HS512'; grant?: boolean; nbf?: number } = {}): string {
  const token = new AccessToken(accountSid, options.keySid ?? apiKeySid, options.secret ?? apiKeySecret, { identity: options.identity ?? 'anna', ttl: options.ttl ?? 3600, ...(options.nbf === undefined ? {} : { nbf: options.nbf }) });
  if (options.grant !== false) token.addGrant(new AccessToken.VideoGrant(options.room === undefined ? {} : { room: options.room }));
  return token.toJwt(options.algorithm ?? 'HS256');
}

const verify = (token: string, more: { nowMs?: number; expiredIsFine?: boolean } = {}) => verifyAccessToken(token, { keys, nowMs: Date.now(), ...more });
const codeOf = (token: string, more: { nowMs?: number } = {}): Promise<unknown> => verify(token, more).then(() => 0, (error: { code: unknown }) => error.code);

describe('access tokens', () => {
  it.each(['HS256', 'HS384', 'HS512'] as const)('of the official helper are read, signed with %s', async (algorithm) => {
    expect(await verify(official({ algorithm, room: 'Daily' }))).toEqual({ accountSid, identity: 'anna', room: 'Daily' });
    expect(await verify(official({ algorithm }))).toEqual({ accountSid, identity: 'anna', room: null });
  });

  it('of our own are read', async () => {
    expect(await verify(await makeAccessToken({ accountSid, apiKeySid, apiKeySecret, identity: 'ben', room: 'R' }))).toEqual({ accountSid, identity: 'ben', room: 'R' });
  });

  it('are refused with the number of what is wrong', async () => {
    const nowS = Math.floor(Date.now() / 1000);
    expect(await codeOf('not.a.token')).toBe(20101);
    expect(await codeOf('')).toBe(20101);
    expect(await codeOf(official({ secret: 'another secret' }))).toBe(20107);
    expect(await codeOf(official({ keySid: newSid('SK') }))).toBe(20103);
    expect(await codeOf(official(), { nowMs: Date.now() + 3_601_000 })).toBe(20104);
    expect(await codeOf(official({ ttl: 25 * 3600 }))).toBe(20104);
    expect(await codeOf(official({ nbf: nowS + 600 }))).toBe(20105);
    expect(await codeOf(official({ grant: false }))).toBe(20106);
    expect(await codeOf(official({ identity: 'x'.repeat(129) }))).toBe(53201);
    const [, payload, signature] = official().split('.');
    const header = Buffer.from(JSON.stringify({ typ: 'JWT', alg: 'HS256' })).toString('base64url');
    expect(await codeOf(`${header}.${payload}.${signature}`)).toBe(20102);
    const none = Buffer.from(JSON.stringify({ typ: 'JWT', alg: 'none', cty: 'twilio-fpa;v=1' })).toString('base64url');
    expect(await codeOf(`${none}.${payload}.`)).toBe(20102);
  });

  it('that ran out pass where that is allowed, a false signature does not', async () => {
    const nowMs = Date.now() + 7_200_000;
    expect(await verify(official(), { nowMs, expiredIsFine: true })).toMatchObject({ identity: 'anna' });
    await expect(verify(official({ secret: 'another' }), { nowMs, expiredIsFine: true })).rejects.toMatchObject({ code: 20107 });
  });
});
