import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { SimulatedPhone } from '../../src/testing/simulated-phone.ts';
import type { SimulatedCall } from '../../src/testing/simulated-call.ts';
import { Cast } from '../peers/cast.ts';
import { startChild, temporaryFolder } from '../peers/child.ts';
import { freePort } from '../peers/ports.ts';
import { Stage } from '../peers/stage.ts';
import { sleep } from '../peers/wait.ts';

// 1,000 INVITEs a second from one address, while calls of another stand.

const CALLS = 50;
const SECONDS = 10;
/** Of a room each: one holds 35 phones. */
const NUMBERS = ['+15550700', '+15550701'];
const TONE_HZ = 620;

const cast = new Cast();
let stage: Stage;
let metricsPort: number;

beforeAll(async () => {
  metricsPort = await freePort();
  stage = await Stage.open(cast, { env: { PARTYLINE_SIP_STRANGER_RATE: '50', PARTYLINE_METRICS_PORT: String(metricsPort) } });
  for (const [n, number] of NUMBERS.entries()) {
    stage.app.on(`/room${n}`, () => `<Response><Connect><Room>Scanned${n}</Room></Connect></Response>`);
    await stage.number(number, `/room${n}`);
  }
}, 60_000);

async function refusedByRate(): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(/partyline_sip_refused_total\{reason="rate"\} (\d+)/.exec(text)?.[1] ?? 0);
}

it('calls that stand hear each other as if nobody scanned, and can be hung up', async () => {
  for (const n of NUMBERS.keys()) await stage.server.client.video.v1.rooms.create({ uniqueName: `Scanned${n}`, type: 'group' });
  const phone = await cast.add('phones', SimulatedPhone.start({ keepMs: (SECONDS + 4) * 1000 }));
  const calls: SimulatedCall[] = [];
  for (let n = 0; n < CALLS; n++) {
    const call = await phone.call(stage.server.sipUri(NUMBERS[n % NUMBERS.length] ?? ''), n < NUMBERS.length ? { sound: { kind: 'tone', frequencyHz: TONE_HZ } } : {});
    await call.answered();
    calls.push(call);
  }
  await sleep(2000);

  const folder = temporaryFolder('scanner');
  const scenario = fileURLToPath(new URL('./sipp/scanner.xml', import.meta.url));
  const args = [`127.0.0.1:${stage.server.sipPort}`, '-sf', scenario, '-i', '127.0.0.2', '-p', String(await freePort()), '-r', '1000', '-m', String(1000 * SECONDS), '-nostdin', '-timeout', '40s'];
  const scanner = startChild({ name: 'scanner', command: 'sipp', args, cwd: folder, env: { ...process.env, TERM: 'dumb' } });
  await scanner.exited(60_000);

  const shares = calls.slice(NUMBERS.length).map((call) => call.heard.frequencyShare(TONE_HZ, SECONDS * 1000));
  console.info(`tone share of ${shares.length} listeners: worst ${Math.min(...shares).toFixed(4)}, mean ${(shares.reduce((sum, share) => sum + share, 0) / shares.length).toFixed(4)}; not read: ${await refusedByRate()}`);
  expect(Math.min(...shares)).toBeGreaterThanOrEqual(0.99);
  expect(await refusedByRate()).toBeGreaterThan(900 * SECONDS);
  for (const call of calls) call.hangup();
  await Promise.all(calls.map((call) => call.ended()));
  await expect.poll(() => phone.counts().dialogs, { timeout: 10_000 }).toBe(0);
}, 150_000);
