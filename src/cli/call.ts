/** `partyline call`: see `partyline call --help`. */
export async function runCall(argv: string[]): Promise<void> {
  process.stderr.write(`partyline call ${argv.join(' ')}: not there yet\n`);
  process.exitCode = 2;
}
