import { createHash, createHmac } from 'node:crypto';

export interface SignedRequest {
  /** As it is sent: with its query (for GET the parameters are in it), user information as configured, without fragment. */
  url: string;
  /** Form parameters of a POST; empty for GET. */
  parameters: readonly (readonly [name: string, value: string])[];
  authToken: string;
}

/**
 * The `X-Twilio-Signature` of a webhook: base64 of HMAC-SHA1 over the URL and the parameters sorted by name, name and
 * value without separators; of a repeated parameter each distinct value, sorted (contract §4.4).
 */
export function signRequest({ url, parameters, authToken }: SignedRequest): string {
  const valuesByName = new Map<string, Set<string>>();
  for (const [name, value] of parameters) {
    let values = valuesByName.get(name);
    if (!values) valuesByName.set(name, (values = new Set()));
    values.add(value);
  }
  let data = url;
  for (const name of [...valuesByName.keys()].sort()) for (const value of [...(valuesByName.get(name) ?? [])].sort()) data += name + value;
  return createHmac('sha1', authToken).update(data, 'utf8').digest('base64');
}

/** The URL of a request with a JSON body: the body's hash goes into the query, and the signature covers the URL alone. */
export function withBodyHash(url: string, body: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}bodySHA256=${createHash('sha256').update(body, 'utf8').digest('hex')}`;
}
