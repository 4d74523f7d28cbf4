import { systemClock } from '../base/clock.ts';
import { StartupError, messageOf } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { describeSettings, readConfig } from '../config.ts';
import { runSelfTest, selfTestLines } from '../self-test.ts';

/** `partyline doctor`: the self-test of `serve`, on demand and with the same settings. Exit code 0 when all is well, 1 when not, 2 for bad settings. */
export async function doctor(argv: string[]): Promise<void> {
  if (argv.includes('--help')) return void process.stdout.write(`partyline doctor [options of serve]\n\n${describeSettings()}\n`);
  try {
    const config = readConfig(argv, process.env);
    if (config.sipPort === 0) throw new StartupError('PARTYLINE_SIP_PORT is 0: which port the server got stands in its banner, name it');
    const result = await runSelfTest(config, { ports: { udp: config.sipPort, tcp: config.sipPort, tls: config.sipTlsCert.length > 0 ? config.sipTlsPort : null }, clock: systemClock });
    process.stdout.write(`${printable(selfTestLines(result).join('\n'), { lines: true })}\n`);
    const bad = result.warnings.length > 0 || [...result.sip, ...result.media].some((line) => /from here|no free pair/.test(line));
    if (bad) process.exitCode = 1;
  } catch (error) {
    process.stderr.write(`partyline: ${printable(messageOf(error), { lines: true })}\n`);
    process.exitCode = 2;
  }
}
