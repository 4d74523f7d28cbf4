import { createHmac } from 'node:crypto';

/** Access tokens that the official helper would never make. */

export interface OddToken {
  keySid: string;
  keySecret: string;
  accountSid: string;
  /** Over the usual header and payload; undefined removes a member. */
  header?: Record<string, unknown>;
  payload?: Record<string, unknown>;
}

export function oddToken(options: OddToken): string {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const header = { typ: 'JWT', alg: 'HS256', cty: 'twilio-fpa;v=1', ...options.header };
  const payload = { jti: `${options.keySid}-${nowSeconds}`, iss: options.keySid, sub: options.accountSid, exp: nowSeconds + 3600, grants: { identity: 'odd', video: {} }, ...options.payload };
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode(header)}.${encode(payload)}`;
  return `${signed}.${createHmac('sha256', options.keySecret).update(signed).digest('base64url')}`;
}
