/** Where errors thrown by event listeners go. `main.ts` and `media/worker.ts` point it at their log. */
let sink: (event: string, error: unknown) => void = (event, error) => {
  process.emitWarning(`listener of '${event}' threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
};

export function setListenerErrorSink(next: (event: string, error: unknown) => void): void {
  sink = next;
}

export function reportListenerError(event: string, error: unknown): void {
  sink(event, error);
}
