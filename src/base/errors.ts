/**
 * An error with a number of Twilio's error dictionary (contract §12). `code` is Twilio's, `status` the HTTP status it
 * is answered with over REST, `message` the sentence a developer reads.
 */
export class TwilioError extends Error {
  override readonly name = 'TwilioError';
  readonly code: number;
  readonly status: number;
  readonly details: Record<string, unknown> | undefined;
  constructor(code: number, message: string, options: { status?: number; details?: Record<string, unknown>; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 400;
    this.details = options.details;
  }
}

/** A bad setting or a taken port: printed as one line, exit code 1. */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}

/** A broken promise between our own parts. Never shown to a customer as it is. */
export class InternalError extends Error {
  override readonly name = 'InternalError';
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
