import { writeFileSync } from 'node:fs';
import { systemClock, type Timer } from '../base/clock.ts';
import { StartupError, messageOf } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { describeEnding, type SimulatedCall } from '../testing/simulated-call.ts';
import { SimulatedPhone } from '../testing/simulated-phone.ts';
import { wavBytes } from '../testing/wav-file.ts';
import { CALL_HELP, readCallOptions, type CallOptions } from './call-options.ts';
import { localAddressTowards } from './local-address.ts';
import { describeQuality } from './told-call.ts';

const LISTEN_EVERY_MS = 1000;
const HINT_AFTER_MS = 3000;
const SILENT_BELOW_DBOV = -60;
/** An hour of what was heard is kept for --record. */
const RECORD_MS = 3_600_000;
const KEEP_MS = 5000;

const say = (text: string): void => void process.stdout.write(`${printable(text, { lines: true })}\n`);

/** `partyline call`: one call, told line by line. Sets the exit code. */
export async function runCall(argv: string[]): Promise<void> {
  let options: CallOptions | null;
  try {
    options = readCallOptions(argv);
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    process.stderr.write(`partyline call: ${error.message}\n`);
    process.exitCode = 2;
    return;
  }
  if (!options) return say(CALL_HELP);
  try {
    process.exitCode = (await place(options)) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`partyline call: ${printable(messageOf(error), { lines: true })}\n`);
    process.exitCode = 1;
  }
}

/** True when the call was answered. */
async function place(options: CallOptions): Promise<boolean> {
  const address = await localAddressTowards(options.host);
  const phone = await SimulatedPhone.start({ address, transport: options.transport, keepMs: options.recordPath ? RECORD_MS : KEEP_MS });
  try {
    say(`dialling  ${options.to} over ${options.transport} as ${options.from}, ${options.soundText}`);
    const call = await phone.call(options.to, { from: options.from, sound: options.sound });
    const answered = await follow(call, options);
    if (options.recordPath && answered) record(call, options.recordPath);
    return answered;
  } finally {
    await phone.stop();
  }
}

async function follow(call: SimulatedCall, options: CallOptions): Promise<boolean> {
  const timers = new Set<Timer>();
  const leave = (): void => call.hangup();
  process.on('SIGINT', leave).on('SIGTERM', leave);
  call.on('ringing', (statusCode) => say(statusCode === 183 ? 'early     media before the answer (183)' : `ringing   (${statusCode})`));
  call.on('digitReceived', (digit) => say(`key       ${digit}`));
  call.once('answered', () => {
    say(`answered  after ${call.milestones.answeredMs} ms`);
    if (options.forMs !== null) timers.add(systemClock.after(options.forMs, leave));
    if (options.digits) void call.sendDigits(options.digits).then(() => say(`pressed   ${options.digits}`));
    listen(call, timers);
  });
  timers.add(systemClock.after(HINT_AFTER_MS, () => void (call.state === 'dialling' && say(`waiting   nothing has come back from ${options.host} yet: does the server run, and is the port right?`))));
  const ending = await new Promise<string>((resolve) => call.once('ended', (ended) => resolve(describeEnding(ended))));
  for (const timer of timers) timer.cancel();
  process.off('SIGINT', leave).off('SIGTERM', leave);
  const { answeredMs, endedMs } = call.milestones;
  say(`ended     ${ending}${answeredMs === null ? '' : ` after ${(((endedMs ?? 0) - answeredMs) / 1000).toFixed(1)} s; ${call.packetsSent} packets sent, ${call.heard.packets} heard`}`);
  if (call.heard.packets > 0) say(`sound     ${describeQuality(call.reception)}`);
  return answeredMs !== null;
}

/** A line a second: how loud, and which tone stands out. */
function listen(call: SimulatedCall, timers: Set<Timer>): void {
  const timer = systemClock.after(LISTEN_EVERY_MS, () => {
    timers.delete(timer);
    if (call.state !== 'answered') return;
    say(`hears     ${hearing(call)}`);
    listen(call, timers);
  });
  timers.add(timer);
}

function hearing(call: SimulatedCall): string {
  const { lastPacketMs } = call.heard;
  if (lastPacketMs === null || systemClock.nowMs() - lastPacketMs > LISTEN_EVERY_MS) return 'nothing: no packets come';
  const levelDbov = call.heard.levelDbov(LISTEN_EVERY_MS);
  if (levelDbov < SILENT_BELOW_DBOV) return 'silence';
  const frequencyHz = call.heard.dominantFrequencyHz();
  return `${levelDbov.toFixed(0)} dBov${frequencyHz === null ? '' : `, ${frequencyHz} Hz stands out`}`;
}

function record(call: SimulatedCall, path: string): void {
  const samples = call.heard.samples();
  writeFileSync(path, wavBytes(samples));
  say(`recorded  ${(samples.length / 8000).toFixed(1)} s in ${path}`);
}
