/** The server as a user starts it, for benchmarks that measure it from outside: one media worker, loopback only, an account of its own. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

export const ACCOUNT = `AC${'b'.repeat(32)}`;
export const KEY = `SK${'c'.repeat(32)}`;
/** Of the account and of the key. */
export const SECRET = 'benchmark-benchmark';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** `rtpPorts`: `30000-32999`. `metrics`: with a port for them. `env`: more settings. Resolves when it answers; `stop` waits for its end. */
export async function startServer({ dataDir, rtpPorts, metrics = false, env = {} }) {
  const [httpPort, sipPort, webrtcPort] = [await freePort(), await freePort(), await freePort()];
  const metricsPort = metrics ? await freePort() : null;
  const child = spawn(process.execPath, [fileURLToPath(new URL('../bin/partyline.mjs', import.meta.url)), 'serve'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      PARTYLINE_BIND_ADDRESS: '127.0.0.1',
      PARTYLINE_HTTP_PORT: String(httpPort),
      PARTYLINE_SIP_PORT: String(sipPort),
      PARTYLINE_WEBRTC_PORT: String(webrtcPort),
      PARTYLINE_RTP_PORTS: rtpPorts,
      PARTYLINE_DATA_DIR: dataDir,
      PARTYLINE_ACCOUNT_SID: ACCOUNT,
      PARTYLINE_AUTH_TOKEN: SECRET,
      PARTYLINE_API_KEY_SID: KEY,
      PARTYLINE_API_KEY_SECRET: SECRET,
      PARTYLINE_DEMO: 'off',
      PARTYLINE_MEDIA_WORKERS: '1',
      PARTYLINE_LOG_LEVEL: 'warn',
      ...(metricsPort !== null && { PARTYLINE_METRICS_PORT: String(metricsPort) }),
      ...env,
    },
  });
  const url = `http://127.0.0.1:${httpPort}`;
  const deadlineMs = Date.now() + 60_000;
  while (!(await fetch(`${url}/healthz`).then(({ ok }) => ok, () => false))) {
    if (child.exitCode !== null || Date.now() > deadlineMs) {
      child.kill('SIGKILL');
      throw new Error('the server did not start');
    }
    await sleep(100);
  }
  const stop = async () => {
    if (!alive()) return;
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
  };
  const alive = () => child.exitCode === null && child.signalCode === null;
  return { pid: child.pid, alive, url, metricsUrl: `http://127.0.0.1:${metricsPort}`, wsServer: `ws://127.0.0.1:${httpPort}/signaling`, sipPort, stop };
}
