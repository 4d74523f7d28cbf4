import { TwilioError } from '../base/errors.ts';

/** Body of every refusal (contract §2.3). */
export interface ErrorBody {
  code: number;
  message: string;
  more_info: string;
  status: number;
  details?: Record<string, unknown>;
}

export function errorBody(error: TwilioError): ErrorBody {
  const body = { code: error.code, message: error.message, more_info: `https://www.twilio.com/docs/errors/${error.code}`, status: error.status };
  return error.details ? { ...body, details: error.details } : body;
}

/** 404 of a resource that is not there, by the path that was asked for. */
export function notFound(path: string): TwilioError {
  return new TwilioError(20404, `The requested resource ${path} was not found`, { status: 404 });
}

/** A parameter or resource of Twilio's that this server does not have yet. */
export function notYet(what: string): TwilioError {
  return new TwilioError(20001, `${what} is not supported yet`);
}

export function methodNotAllowed(method: string): TwilioError {
  return new TwilioError(20004, `Method ${method} is not allowed here`, { status: 405 });
}

/** What a thrown thing is answered with; null for what nobody foresaw. */
export function refusalOf(error: unknown): TwilioError | null {
  if (error instanceof TwilioError) return error;
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : undefined;
  if (typeof status !== 'number' || status < 400 || status > 499) return null;
  return unreadable(status);
}

/** A request that HTTP itself does not allow: too large, of another kind, broken. */
export function unreadable(status: number): TwilioError {
  return new TwilioError(20001, REQUEST_PROBLEMS.get(status) ?? 'The request could not be read', { status });
}

export const unforeseen = new TwilioError(20500, 'An internal server error has occurred', { status: 500 });

const REQUEST_PROBLEMS = new Map([
  [408, 'The request did not arrive in time'],
  [413, 'The request body is too large'],
  [414, 'The request path is too long'],
  [415, 'Send parameters as application/x-www-form-urlencoded'],
  [431, 'The path and headers of the request are too long'],
]);
