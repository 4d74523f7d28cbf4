import { parseArgs } from 'node:util';
import { StartupError, messageOf } from '../base/errors.ts';
import { parseSipUri } from '../sip/message/uri.ts';
import type { PhoneSound } from '../testing/phone-sound.ts';
import { readWavFile } from '../testing/wav-file.ts';

export const CALL_HELP = `partyline call <number | SIP URI> [options]

Calls like a phone: says what you give it, tells what it hears. A number is called at --server.

  --server HOST:PORT   SIP address of the server [127.0.0.1:5060]
  --transport udp|tcp  [udp]
  --from NUMBER|URI    Who calls [+15551234567]
  --tone HZ            Hum a tone [440]
  --play FILE.wav      Play a file once, then be silent
  --silent             Say nothing
  --digits 12#         Press keys once answered; w waits 0.5 s, W 1 s
  --record FILE.wav    Keep what was heard
  --for 10s            Hang up so long after the answer (s, m or ms) [until Ctrl-C]

  npx partyline call +15550100 --tone 440 --for 10s

Exit code 0 when the call was answered, 1 when not, 2 when the options make no sense.
`;

export interface CallOptions {
  /** SIP URI to call. */
  to: string;
  /** Host of `to`, to see which way the phone's packets leave. */
  host: string;
  from: string;
  transport: 'udp' | 'tcp';
  sound: PhoneSound;
  /** In words, for the first line. */
  soundText: string;
  digits: string;
  recordPath: string | null;
  /** Null: until somebody hangs up. */
  forMs: number | null;
}

const FLAGS = {
  server: { type: 'string' },
  transport: { type: 'string' },
  from: { type: 'string' },
  tone: { type: 'string' },
  play: { type: 'string' },
  silent: { type: 'boolean' },
  digits: { type: 'string' },
  record: { type: 'string' },
  for: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Flags = ReturnType<typeof parseFlags>['values'];

function parseFlags(argv: string[]) {
  return parseArgs({ args: argv, options: FLAGS, allowPositionals: true, strict: true });
}

/** Null when help is asked for. Throws StartupError with one line that says what is wrong. */
export function readCallOptions(argv: string[]): CallOptions | null {
  let parsed: ReturnType<typeof parseFlags>;
  try {
    parsed = parseFlags(argv);
  } catch (error) {
    throw new StartupError(messageOf(error).split('. ')[0] ?? 'these options make no sense');
  }
  const { values, positionals } = parsed;
  if (values.help) return null;
  const [target, ...more] = positionals;
  if (target === undefined || more.length > 0) throw new StartupError('exactly one number or SIP URI is called, e.g. partyline call +15550100');
  const transport = transportOf(values.transport, target);
  const to = targetUri(target, values.server ?? '127.0.0.1:5060', transport);
  return {
    to,
    host: hostOf(to),
    from: values.from ?? '+15551234567',
    transport,
    ...soundOf(values),
    digits: digitsOf(values.digits ?? ''),
    recordPath: values.record ?? null,
    forMs: values.for === undefined ? null : durationMs(values.for),
  };
}

function transportOf(flag: string | undefined, target: string): 'udp' | 'tcp' {
  const transport = flag ?? /;transport=(udp|tcp)\b/i.exec(target)?.[1]?.toLowerCase() ?? 'udp';
  if (transport !== 'udp' && transport !== 'tcp') throw new StartupError(`--transport is udp or tcp, not ${JSON.stringify(transport)}`);
  return transport;
}

function targetUri(target: string, server: string, transport: 'udp' | 'tcp'): string {
  const suffix = transport === 'tcp' && !/;transport=/i.test(target) ? ';transport=tcp' : '';
  if (/^sips?:/i.test(target)) return `${target}${suffix}`;
  const number = target.replace(/[\s().-]/g, '');
  if (!/^\+?\d{1,15}$/.test(number)) throw new StartupError(`${JSON.stringify(target)} is neither a number nor a SIP URI (sip:user@host:port)`);
  if (!/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?$/.test(server)) throw new StartupError(`--server looks like host:port, not ${JSON.stringify(server)}`);
  return `sip:${number}@${server}${suffix}`;
}

function hostOf(uri: string): string {
  const parsed = parseSipUri(uri);
  if (!parsed) throw new StartupError(`${JSON.stringify(uri)} is not a SIP URI (sip:user@host:port)`);
  return parsed.host;
}

function soundOf(flags: Flags): Pick<CallOptions, 'sound' | 'soundText'> {
  if ([flags.tone, flags.play, flags.silent].filter((flag) => flag !== undefined).length > 1) throw new StartupError('--tone, --play and --silent exclude each other');
  if (flags.silent) return { sound: { kind: 'silence' }, soundText: 'silent' };
  if (flags.play !== undefined) return { sound: { kind: 'samples', samples: samplesOf(flags.play) }, soundText: `playing ${flags.play}` };
  const frequencyHz = Number(flags.tone ?? 440);
  if (!(frequencyHz >= 50 && frequencyHz <= 3800)) throw new StartupError(`--tone is a frequency from 50 to 3800 Hz, not ${JSON.stringify(flags.tone)}`);
  return { sound: { kind: 'tone', frequencyHz }, soundText: `humming ${frequencyHz} Hz` };
}

function samplesOf(path: string): Int16Array {
  try {
    return readWavFile(path);
  } catch (error) {
    throw new StartupError(`--play ${path}: ${messageOf(error)}`);
  }
}

function digitsOf(digits: string): string {
  if (!/^[0-9A-DwW*#]*$/.test(digits)) throw new StartupError(`--digits are 0-9 * # A-D, w and W for pauses, not ${JSON.stringify(digits)}`);
  return digits;
}

/** `10s`, `2m`, `500ms`; a plain number is seconds. */
export function durationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text);
  if (!match) throw new StartupError(`--for is a time like 10s, 2m or 500ms, not ${JSON.stringify(text)}`);
  return Math.round(Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[(match[2] ?? 's') as 'ms' | 's' | 'm']);
}
