import { readFileSync, writeFileSync } from 'node:fs';
import { startChild, temporaryFolder, type Child } from './child.ts';
import { freePorts } from './ports.ts';
import { waitUntil } from './wait.ts';

/** Debian's coturn with the turnserver.conf of docs/guides/run-on-a-network.md, its addresses and ports moved to loopback. */

export interface Coturn {
  readonly port: number;
  /** For PARTYLINE_TURN_URLS. */
  readonly urls: string;
  log(): string;
  stop(): Promise<unknown>;
}

const RELAY_PORTS = 40;

export async function startCoturn(secret: string): Promise<Coturn> {
  const folder = temporaryFolder('coturn');
  const port = await freePorts(2);
  const relayFirst = await freePorts(RELAY_PORTS);
  writeFileSync(`${folder}/turnserver.conf`, [...guideConfig({ port, relayFirst, secret }), 'allow-loopback-peers', 'verbose', `userdb=${folder}/turndb`, `pidfile=${folder}/pid`, 'log-file=stdout', ''].join('\n'));
  const child: Child = startChild({ name: 'coturn', command: 'turnserver', args: ['-c', `${folder}/turnserver.conf`] });
  await waitUntil(() => child.exitCode !== undefined || /TCP listener opened/.test(child.log()), { timeoutMs: 8000, what: () => `coturn to listen\n${child.log().slice(-2000)}` });
  if (child.exitCode !== undefined) throw new Error(`coturn ended at start:\n${child.log().slice(-2000)}`);
  return { port, urls: `turn:127.0.0.1:${port}?transport=udp,turn:127.0.0.1:${port}?transport=tcp`, log: () => child.log(), stop: () => child.stop() };
}

/** The lines of the guide. Each placeholder must be there: a guide that changed its shape is noticed. */
function guideConfig({ port, relayFirst, secret }: { port: number; relayFirst: number; secret: string }): string[] {
  const page = readFileSync(new URL('../../docs/guides/run-on-a-network.md', import.meta.url), 'utf8');
  let text = /```conf\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const moved: [RegExp, string][] = [
    [/203\.0\.113\.\d+/g, '127.0.0.1'],
    [/^listening-port=3478$/m, `listening-port=${port}`],
    [/^min-port=49152$/m, `min-port=${relayFirst}`],
    [/^max-port=49999$/m, `max-port=${relayFirst + RELAY_PORTS - 1}`],
    [/^static-auth-secret=.*$/m, `static-auth-secret=${secret}`],
  ];
  for (const [pattern, replacement] of moved) {
    if (!pattern.test(text)) throw new Error(`The turnserver.conf of the guide has no ${String(pattern)}`);
    text = text.replace(pattern, replacement);
  }
  return text.trim().split('\n');
}
