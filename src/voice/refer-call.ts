import type { SipCallBase, SipCallEvents } from '../sip/contract.ts';

/** How a transfer went. */
export interface ReferResult {
  /** Answer of the phone to our REFER; null: the wait was over before. */
  referStatusCode: number | null;
  /** Last it told of the new call; null: nothing. */
  notifyStatusCode: number | null;
}

export type Referable = Pick<SipCallBase<SipCallEvents>, 'refer'>;

/** Sends a REFER and resolves when its outcome is known, or with what is known when the signal aborts. Rejects with SipError for a bad URI. */
export function referCall(dialog: Referable | null, uri: string, signal: AbortSignal): Promise<ReferResult> {
  return new Promise((resolve, reject) => {
    const result: ReferResult = { referStatusCode: null, notifyStatusCode: null };
    const done = (): void => {
      signal.removeEventListener('abort', done);
      resolve({ ...result });
    };
    if (!dialog || signal.aborted) return done();
    signal.addEventListener('abort', done, { once: true });
    try {
      dialog.refer(uri, {
        answered: (statusCode) => {
          result.referStatusCode = statusCode;
          if (statusCode >= 300) done();
        },
        notified: ({ statusCode, final }) => {
          result.notifyStatusCode = statusCode ?? result.notifyStatusCode;
          if (final) done();
        },
      });
    } catch (error) {
      signal.removeEventListener('abort', done);
      reject(error instanceof Error ? error : new TypeError(String(error)));
    }
  });
}
