import { createServer, type Server } from 'node:http';
import { StartupError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from './metrics.ts';

/** Serves `/metrics` on a port of its own, which the world should not reach; resolves when it listens. Rejects with StartupError. */
export function serveMetrics(metrics: Metrics, options: { address: string; port: number }, deps: { log: Log }): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.url?.split('?')[0] !== '/metrics') return void response.writeHead(404).end();
    metrics.text().then(
      (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
      (error: unknown) => {
        deps.log.error({ error: messageOf(error) }, 'the metrics could not be collected');
        response.writeHead(500).end();
      },
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new StartupError(`Metrics cannot listen on ${options.address}:${options.port}: ${messageOf(error)}`)));
    server.listen(options.port, options.address, () => {
      server.removeAllListeners('error').on('error', (error) => deps.log.warn({ error: messageOf(error) }, 'the metrics port reported an error'));
      const bound = server.address();
      resolve({ port: typeof bound === 'object' && bound ? bound.port : options.port, close: () => closed(server) });
    });
  });
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
