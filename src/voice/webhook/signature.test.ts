import { readFileSync } from 'node:fs';
import twilio from 'twilio';
import { describe, expect, it } from 'vitest';
import { signRequest, withBodyHash } from './signature.ts';

interface Vector {
  name: string;
  authToken: string;
  url: string;
  params?: Record<string, string | string[]>;
  body?: string;
  signature: string;
}

const vectors = JSON.parse(readFileSync(new URL('./signature-vectors.json', import.meta.url), 'utf8')) as Vector[];
const pairs = (params: NonNullable<Vector['params']>): [string, string][] => Object.entries(params).flatMap(([name, value]) => [value].flat().map((one): [string, string] => [name, one]));

describe('the signature of a webhook', () => {
  it.each(vectors.map((vector) => [vector.name, vector] as const))('is that of the official client: %s', (_name, { url, params = {}, body, authToken, signature }) => {
    if (body !== undefined) expect(withBodyHash(url.split('?')[0] ?? '', body)).toBe(url);
    expect(signRequest({ url, parameters: pairs(params), authToken })).toBe(signature);
  });

  it('is taken by the official validator, whatever the order of the parameters', () => {
    const params = { To: '+15550100', From: 'sip:a@b', CallSid: 'CA1', Empty: '' };
    const signature = signRequest({ url: 'http://127.0.0.1:3000/voice?a=1', parameters: pairs(params).reverse(), authToken: 'secret' });
    expect(twilio.validateRequest('secret', signature, 'http://127.0.0.1:3000/voice?a=1', params)).toBe(true);
    expect(twilio.validateRequest('other', signature, 'http://127.0.0.1:3000/voice?a=1', params)).toBe(false);
  });
});
