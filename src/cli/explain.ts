import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { StartupError, messageOf } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { parseSid } from '../base/sid.ts';
import { askServer } from './server-request.ts';
import { describeCall } from './told-call.ts';

const HELP = `partyline explain call <from> <to> [options]
partyline explain CA… [--url URL]

Asks the running server what would become of a call, and why: each rule that is looked at, in order. Or what became of
one: its status, why it ended, and how its phone was heard.

  --source IP[:PORT][/TRANSPORT]  Where the call comes from [127.0.0.1]
  --user NAME          The user whose credentials it gives
  --outbound           A call that the account makes, instead of one that comes in
  --byoc BY…           The trunk it names, with --outbound
  --url URL            Where the server's HTTP port is [PARTYLINE_HTTP_PORT on this machine]

  npx partyline explain call +493012345 +15550100 --source 203.0.113.9

Signs in with PARTYLINE_ACCOUNT_SID and PARTYLINE_AUTH_TOKEN, else as the data folder says.
Exit code 0 when the call would be taken or is known, 1 when not, 2 when the options make no sense or the server cannot be asked.
`;

const MARKS: Readonly<Record<string, string>> = { yes: '✓', no: '·', refused: '✗', note: ' ' };

const FLAGS = {
  source: { type: 'string' },
  user: { type: 'string' },
  outbound: { type: 'boolean' },
  byoc: { type: 'string' },
  url: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

interface Explained {
  outcome: string;
  accepted: boolean;
  steps: { rule: string; verdict: string; text: string }[];
}

/** `partyline explain`: sets the exit code. */
export async function runExplain(argv: string[]): Promise<void> {
  try {
    const query = readQuery(argv);
    if (query === null) return void process.stdout.write(HELP);
    if ('callSid' in query) return void process.stdout.write(describeCall(await askServer(`/partyline/v1/Calls/${query.callSid}`, query.url)));
    const explained = await ask(query);
    process.stdout.write(describeExplanation(explained));
    process.exitCode = explained.accepted ? 0 : 1;
  } catch (error) {
    process.stderr.write(`partyline explain: ${printable(messageOf(error), { lines: true })}\n`);
    process.exitCode = 2;
  }
}

/** What people read: a line a rule, then the outcome. Nothing of it may play with the terminal. */
export function describeExplanation({ steps, outcome }: Explained): string {
  const width = Math.max(...steps.map(({ rule }) => rule.length), 0);
  const lines = steps.map(({ rule, verdict, text }) => `  ${MARKS[verdict] ?? ' '} ${rule.padEnd(width)}  ${text}`);
  return `${printable([...lines, '', `=> ${outcome}`].join('\n'), { lines: true })}\n`;
}

interface Query {
  url: string | null;
  parameters: URLSearchParams;
}

/** A call that was. */
interface PastCall {
  url: string | null;
  callSid: string;
}

/** Null when help is asked for. */
function readQuery(argv: string[]): Query | PastCall | null {
  const { values, positionals } = parseArgs({ args: argv, options: FLAGS, allowPositionals: true, strict: true });
  if (values.help) return null;
  const [what, from, to, ...more] = positionals;
  if (what !== undefined && from === undefined && parseSid('CA', what)) return { url: values.url ?? null, callSid: what };
  if (what !== 'call' || from === undefined || to === undefined || more.length > 0) throw new StartupError('say which call: partyline explain call <from> <to>, or its SID');
  if (values.byoc !== undefined && !values.outbound) throw new StartupError('--byoc goes with --outbound');
  const parameters = new URLSearchParams({ Direction: values.outbound ? 'outbound' : 'inbound', From: from, To: to });
  if (values.source !== undefined) parameters.set('Source', addressOf(values.source));
  if (values.user !== undefined) parameters.set('User', values.user);
  if (values.byoc !== undefined) parameters.set('Byoc', values.byoc);
  return { url: values.url ?? null, parameters };
}

/** Of `IP[:port][/transport]` the address decides. */
export function addressOf(source: string): string {
  const [place = ''] = source.split('/');
  const plain = /^\[(.*)\](:\d+)?$/.exec(place)?.[1] ?? (isIP(place) === 6 ? place : place.replace(/:\d+$/, ''));
  if (isIP(plain) === 0) throw new StartupError(`--source must be IP[:PORT][/TRANSPORT], not ${JSON.stringify(source.slice(0, 80))}`);
  return plain;
}

async function ask({ url, parameters }: Query): Promise<Explained> {
  const body = (await askServer(`/partyline/v1/Explain?${parameters.toString()}`, url)) as Partial<Explained>;
  if (typeof body.outcome !== 'string' || !Array.isArray(body.steps)) throw new StartupError('the server answers something else');
  return { outcome: body.outcome, accepted: body.accepted === true, steps: body.steps };
}
