#!/usr/bin/env node
// The command `partyline`: everything is in dist/cli, made by the build.
import { existsSync } from 'node:fs';

const cli = new URL('../dist/cli/cli.js', import.meta.url);
if (!existsSync(cli)) {
  process.stderr.write('partyline: not built yet. Run `npm start` once (or `npm run build`).\n');
  process.exit(1);
}
const { run } = await import(cli.href);
await run(process.argv.slice(2));
