import { systemClock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { setListenerErrorSink } from '../base/listener-errors.ts';
import type { Log } from '../base/log.ts';
import { preloadOpus } from './codec/opus.ts';
import type { FromWorker, LogLevel, ToWorker, WorkerHandlers, WorkerRequestName, WorkerSettings } from './ipc.ts';
import { MediaError } from './protocol.ts';
import { preloadBrowserTransport } from './room/browser-port.ts';
import { MediaFloor } from './room/media-floor.ts';

/** Entry of a media worker process. It ends with its parent: when the IPC channel closes there is nobody to serve. */

const LEAVE_MS = 1500;

function tell(message: FromWorker): void {
  if (!process.connected) return;
  // The callback takes the error of a channel that closes meanwhile; 'disconnect' ends the process.
  process.send?.(message, undefined, {}, () => {});
}

function ipcLog(bound: Record<string, unknown>): Log {
  const at = (level: LogLevel) => (fields: Record<string, unknown>, message: string) =>
    tell({ kind: 'log', level, fields: { ...bound, ...fields }, message });
  return { debug: () => {}, info: at('info'), warn: at('warn'), error: at('error'), child: (fields) => ipcLog({ ...bound, ...fields }) };
}

const log = ipcLog({ worker: process.pid });
let floor: MediaFloor | null = null;

async function configure(settings: WorkerSettings): Promise<null> {
  floor ??= new MediaFloor(settings, { clock: systemClock, log, emit: (event) => tell({ kind: 'event', event }) });
  await Promise.all([preloadOpus(), preloadBrowserTransport()]);
  return null;
}

function cpuUsage(): { userMs: number; systemMs: number; rssBytes: number; steps: number; lateMs: number } {
  const { user, system } = process.cpuUsage();
  return { userMs: user / 1000, systemMs: system / 1000, rssBytes: process.memoryUsage.rss(), ...(floor?.lateness ?? { steps: 0, lateMs: 0 }) };
}

async function handle(name: WorkerRequestName, body: unknown): Promise<unknown> {
  if (name === 'configure') return configure(body as WorkerSettings);
  if (name === 'cpuUsage') return cpuUsage();
  if (!floor) throw new MediaError('bad-request', 'the worker is not configured yet');
  const handler = (floor.handlers as WorkerHandlers)[name] as ((body: unknown) => unknown) | undefined;
  if (!handler) throw new MediaError('bad-request', `unknown request ${String(name)}`);
  return handler(body);
}

async function answer(request: ToWorker): Promise<void> {
  const { id } = request;
  try {
    tell({ kind: 'answer', id, result: await handle(request.name, request.body) });
  } catch (error) {
    const reason = error instanceof MediaError ? error.reason : 'bad-request';
    tell({ kind: 'refusal', id, reason, message: messageOf(error) });
  }
}

/** Recordings are completed first, but the parent does not wait for ever. */
function leave(): void {
  systemClock.after(LEAVE_MS, () => process.exit(0));
  void (floor?.close() ?? Promise.resolve()).finally(() => process.exit(0));
}

setListenerErrorSink((event, error) => log.error({ event, error: messageOf(error) }, 'a listener threw'));
// One phone's mishap is not the end of all others'.
process.on('unhandledRejection', (error) => log.error({ error: error instanceof Error ? error.stack : String(error) }, 'a promise was left rejected'));
process.on('message', (request: ToWorker) => void answer(request));
process.on('disconnect', leave);
// Ctrl-C reaches the whole process group; the parent drains first and then closes the channel.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
