/** What went wrong with a request, by the number of Twilio's dictionary (contract §3.5, "failure classes"). */
export interface RequestFailure {
  errorCode: number;
  message: string;
  /** Name in `rp`: worth a retry under that name; `other` under `all` alone, `never` under none. */
  kind: 'ct' | 'rt' | 'other' | 'never';
}

const BY_ERROR_CODE: readonly [pattern: RegExp, failure: RequestFailure][] = [
  [/^PARTYLINE_PRIVATE_ADDRESS$/, { errorCode: 11205, message: 'the URL leads into a private network, where this server makes no requests (PARTYLINE_WEBHOOK_PRIVATE_NETWORKS)', kind: 'never' }],
  [/^UND_ERR_CONNECT_TIMEOUT$|^ETIMEDOUT$/, { errorCode: 11205, message: 'the connection was not established in time', kind: 'ct' }],
  [/^ECONNREFUSED$|^EHOSTUNREACH$|^ENETUNREACH$/, { errorCode: 11205, message: 'the connection was refused', kind: 'ct' }],
  [/^UND_ERR_HEADERS_TIMEOUT$|^UND_ERR_BODY_TIMEOUT$/, { errorCode: 11205, message: 'the answer did not come in time', kind: 'rt' }],
  [/^ENOTFOUND$|^EAI_/, { errorCode: 11210, message: 'the host name is not known to DNS', kind: 'other' }],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, { errorCode: 11235, message: 'the certificate is for another host', kind: 'other' }],
  [/^CERT_HAS_EXPIRED$|^CERT_NOT_YET_VALID$/, { errorCode: 11236, message: 'the certificate is out of its dates', kind: 'other' }],
  [/^UNABLE_TO_|^SELF_SIGNED|^DEPTH_ZERO/, { errorCode: 11237, message: 'the certificate is not from a known authority', kind: 'other' }],
  [/^ERR_SSL|^EPROTO$|^ERR_TLS/, { errorCode: 11220, message: 'the TLS handshake failed', kind: 'other' }],
  [/^HPE_|^HTTPParserError$|^UND_ERR_HEADERS_OVERFLOW$|^UND_ERR_RES/, { errorCode: 11206, message: 'the answer is not valid HTTP', kind: 'other' }],
  [/^UND_ERR_SOCKET$|^ECONNRESET$|^EPIPE$/, { errorCode: 11205, message: 'the connection broke', kind: 'rt' }],
];

/** Classifies whatever the HTTP client threw. */
export function failureOf(error: unknown): RequestFailure {
  const code = errorCodeOf(error);
  return BY_ERROR_CODE.find(([pattern]) => pattern.test(code))?.[1] ?? { errorCode: 11200, message: 'the request failed', kind: 'other' };
}

function errorCodeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.cause === undefined ? error.name : errorCodeOf(error.cause);
}
