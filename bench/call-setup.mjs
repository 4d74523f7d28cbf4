/**
 * Calls set up through a customer's application: sipp calls a number, the application answers each webhook after a while,
 * each call hears its greeting, pauses and is hung up by its TwiML.
 *
 *   npm run build && node bench/call-setup.mjs [--calls 200] [--rate 20] [--answer-ms 50] [--hold-s 2]
 *
 * Told at the end: INVITE → 180 and INVITE → 200 as sipp measured them, webhooks that were lost or came twice, the server's
 * CPU per call. The first calls of a fresh server wait for Node to compile what they need: 20 calls before are told apart. Exit
 * code 1 when a call failed, a webhook was lost or came twice. Needs sipp (Debian: sip-tester).
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ACCOUNT, SECRET, sleep, startServer } from './server.mjs';

const NUMBER = '+15550100';
const COLD_CALLS = 20;

const { values } = parseArgs({ options: { calls: { type: 'string', default: '200' }, rate: { type: 'string', default: '20' }, 'answer-ms': { type: 'string', default: '50' }, 'hold-s': { type: 'string', default: '2' } } });
const calls = Number(values.calls);
const answerMs = Number(values['answer-ms']);
const folder = mkdtempSync(join(tmpdir(), 'partyline-bench-'));

/** Counts webhooks by call; answers each after `answerMs`. */
async function startApplication() {
  const seen = { voice: new Map(), next: new Map(), status: new Map() };
  const documents = {
    voice: '<Response><Say>Welcome.</Say><Redirect>/next</Redirect></Response>',
    next: `<Response><Pause length="${Number(values['hold-s'])}"/><Hangup/></Response>`,
    status: '',
  };
  const server = createServer((request, response) => {
    const path = (request.url ?? '').slice(1);
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const sid = new URLSearchParams(Buffer.concat(chunks).toString()).get('CallSid') ?? '';
      const counts = seen[path];
      counts?.set(sid, (counts.get(sid) ?? 0) + 1);
      setTimeout(() => response.writeHead(documents[path] ? 200 : 204, { 'content-type': 'text/xml' }).end(documents[path]), answerMs);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { seen, url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

async function declareNumber(server, application) {
  const answer = await fetch(`${server.url}/2010-04-01/Accounts/${ACCOUNT}/IncomingPhoneNumbers.json`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${ACCOUNT}:${SECRET}`).toString('base64')}` },
    body: new URLSearchParams({ PhoneNumber: NUMBER, VoiceUrl: `${application.url}/voice`, StatusCallback: `${application.url}/status` }),
  });
  if (answer.status !== 201) throw new Error(`the number could not be declared: ${await answer.text()}`);
}

/** Resolves with sipp's exit code and what it measured. */
async function runSipp(server, { name, calls, rate }) {
  const own = join(folder, name);
  mkdirSync(own);
  const code = await sipp(server, { folder: own, calls, rate });
  return { code, times: responseTimes(own) };
}

function sipp(server, { folder: cwd, calls, rate }) {
  const scenario = fileURLToPath(new URL('call-setup.xml', import.meta.url));
  const args = [`127.0.0.1:${server.sipPort}`, '-sf', scenario, '-s', NUMBER, '-i', '127.0.0.1', '-m', String(calls), '-r', String(rate), '-l', String(calls), '-nostdin', '-trace_rtt', '-rtt_freq', '1', '-timeout', '120s', '-timeout_error'];
  const child = spawn('sipp', args, { cwd, stdio: 'ignore', env: { ...process.env, TERM: 'dumb' } });
  return new Promise((resolve, reject) => {
    child.on('error', () => reject(new Error('sipp is not there: apt-get install sip-tester')));
    child.on('exit', (code) => resolve(code));
  });
}

/** Response times by name, from sipp's file: date; milliseconds; name. */
function responseTimes(cwd) {
  const file = readdirSync(cwd).find((name) => name.endsWith('_rtt.csv'));
  const times = { ringing: [], answer: [] };
  for (const line of file === undefined ? [] : readFileSync(join(cwd, file), 'utf8').split('\n').slice(1)) {
    const [, ms, name] = line.split(';');
    times[name?.trim()]?.push(Number(ms));
  }
  return times;
}

function quantiles(list) {
  const sorted = [...list].sort((a, b) => a - b);
  const at = (share) => (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN).toFixed(1);
  return `p50 ${at(0.5)}   p90 ${at(0.9)}   p99 ${at(0.99)}   max ${at(1)} ms   (${sorted.length})`;
}

/** CPU of a process and its children so far, in ms. */
function cpuMs(pid) {
  const ticks = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        const fields = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1].split(' ');
        return Number(name) === pid || Number(fields[1]) === pid ? Number(fields[11]) + Number(fields[12]) : 0;
      } catch {
        return 0;
      }
    });
  return ticks.reduce((sum, own) => sum + own, 0) * 10;
}

function judge(name, counts) {
  const twice = [...counts.values()].filter((n) => n > 1).length;
  const lost = calls - counts.size;
  console.log(`${name.padEnd(18)} ${counts.size} of ${calls}, ${lost} lost, ${twice} twice`);
  return lost === 0 && twice === 0;
}

const application = await startApplication();
const server = await startServer({ dataDir: folder, rtpPorts: '30000-32999' });
let good = false;
try {
  await declareNumber(server, application);
  console.log(`${calls} calls at ${values.rate} a second; the application answers in ${answerMs} ms; each call says a word, pauses ${values['hold-s']} s and ends\n`);
  const cold = await runSipp(server, { name: 'cold', calls: COLD_CALLS, rate: values.rate });
  await sleep(answerMs + 1000);
  for (const counts of Object.values(application.seen)) counts.clear();
  const cpuBefore = cpuMs(server.pid);
  const { code, times } = await runSipp(server, { name: 'measured', calls, rate: values.rate });
  await sleep(answerMs + 1000);
  const cpu = cpuMs(server.pid) - cpuBefore;
  console.log(`INVITE to 180      ${quantiles(times.ringing)}`);
  console.log(`INVITE to 200      ${quantiles(times.answer)}`);
  console.log(`first calls, 180   ${quantiles(cold.times.ringing)}`);
  const whole = ['voice', 'next', 'status'].map((name) => judge(`webhook /${name}`, application.seen[name]));
  console.log(`CPU of the server  ${(cpu / calls).toFixed(1)} ms a call, media of ${values['hold-s']} s and the word included`);
  console.log(`sipp               ${code === 0 ? 'every call went as it should' : `exit code ${code}: calls failed`}`);
  good = code === 0 && cold.code === 0 && whole.every(Boolean);
} finally {
  await server.stop();
  application.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(good ? 0 : 1);
