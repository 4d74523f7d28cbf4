import { readFileSync } from 'node:fs';

const HELP = `partyline <command> [options]

  serve   Run the server. Settings: partyline serve --help
  doctor  Ask a running server whether it is reached by the addresses it tells others. Settings as for serve
  call    Be a phone: call a number or a SIP URI. Options: partyline call --help
  explain Say which rule takes a call, or refuses it, or what became of one. Options: partyline explain --help

  --help, --version
`;

/**
 * The command line. `argv` is without the interpreter and the script. Commands settle the exit code themselves; an
 * unknown one is 2, as shells have it. A command's code is loaded when it is asked for: a call needs no database.
 */
export async function run(argv: string[]): Promise<void> {
  const [command, ...rest] = argv;
  switch (command) {
    case 'serve':
      return (await import('../main.ts')).serve(rest);
    case 'doctor':
      return (await import('./doctor.ts')).doctor(rest);
    case 'call':
      return (await import('./call.ts')).runCall(rest);
    case 'explain':
      return (await import('./explain.ts')).runExplain(rest);
    case '--version':
    case '-v':
      return void process.stdout.write(`${packageVersion()}\n`);
    case '--help':
    case '-h':
    case 'help':
      return void process.stdout.write(HELP);
    default:
      process.stderr.write(command === undefined ? HELP : `partyline: ${JSON.stringify(command)} is not a command.\n\n${HELP}`);
      process.exitCode = 2;
  }
}

/** Version of the package this file was built into (or lies in). */
function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return version;
}
