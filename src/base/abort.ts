/** As `work`, or null when the signal aborts first. Leaves no listener behind: a call's signal may outlive thousands of them. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  if (signal.aborted) {
    // Nobody waits for it any more: its failure must not be left unheard.
    work.catch(() => undefined);
    return null;
  }
  let leave = (): void => undefined;
  const left = new Promise<null>((resolve) => (leave = () => resolve(null)));
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([work, left]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
