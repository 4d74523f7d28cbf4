import { messageOf, TwilioError } from '../base/errors.ts';
import type { AccountSid } from '../base/sid.ts';
import type { SipParty } from '../sip/contract.ts';
import { bracket, parseSipUri } from '../sip/message/uri.ts';
import { isWildcard } from '../sip/transport/own-address.ts';
import type { Carriers } from './carrier/carriers.ts';
import { usableBy } from './carrier/inbound.ts';
import { checkCreate } from './create-checks.ts';
import { decideCall, type CallFacts, type Decision, type DialPlan } from './dial-plan/dial-plan.ts';
import type { Destination, DialRefusal } from './dial-plan/fraud-guard.ts';
import { addressBits } from './dial-plan/ip-range.ts';
import { Trace, type Step } from './dial-plan/trace.ts';
import type { VoiceDeps } from './voice-deps.ts';

/** A call that nobody makes: what would become of it, decided by the same code that decides real ones. */
export interface ExplainRequest {
  direction: 'inbound' | 'outbound';
  /** A number or a SIP address. */
  from: string;
  to: string;
  /** Inbound: the address it comes from. Default 127.0.0.1. */
  source?: string;
  /** Inbound: the user whose credentials it gives. */
  user?: string;
  /** Outbound: the trunk it names. */
  byoc?: string;
}

export interface Explanation {
  /** In one line. */
  outcome: string;
  /** Whether the call would be taken, or placed. */
  accepted: boolean;
  steps: readonly Step[];
}

export interface Explainer {
  /** Throws TwilioError 20001 for what cannot be read. */
  explain(accountSid: AccountSid, request: ExplainRequest): Explanation;
}

type Deps = Pick<VoiceDeps, 'directory' | 'sipDirectory' | 'trunks' | 'config'> & { carriers: Pick<Carriers, 'preview'>; mayDial: (destination: Destination) => DialRefusal | null };

/** Explains calls by the dial plan and the trunks of this moment. */
export function createExplainer(deps: Deps): Explainer {
  return { explain: (accountSid, request) => (request.direction === 'inbound' ? inbound(request, deps) : outbound(accountSid, request, deps)) };
}

/** The dial plan of this moment. */
export function dialPlanOf({ directory, sipDirectory, trunks, config }: Omit<Deps, 'carriers' | 'mayDial'>): DialPlan {
  return { directory, sipDirectory, trunks: trunks.all(), localHosts: config.localHosts, strangers: config.strangers ?? 'allow' };
}

function inbound(request: ExplainRequest, deps: Deps): Explanation {
  const facts = factsOf(request, deps.config.localHosts);
  const plan = dialPlanOf(deps);
  const first = decideCall(facts, plan);
  if (first.outcome.kind !== 'ask') return told(first);
  const user = request.user ?? '';
  if (user === '') return told(first);
  if (first.outcome.secretsOf(user).length === 0) {
    return { outcome: `refused: ${printableUser(user)} is none of the users that may call`, accepted: false, steps: [...first.steps, { rule: 'credentials', verdict: 'refused', text: `${printableUser(user)} is none of these users: 403 (32202)` }] };
  }
  return told(decideCall({ ...facts, provenUser: user }, plan));
}

function told({ outcome, steps }: Decision): Explanation {
  if (outcome.kind === 'refused') return { outcome: `refused: ${outcome.statusCode} ${outcome.reasonPhrase} (${outcome.why})`, accepted: false, steps };
  if (outcome.kind === 'ask') return { outcome: 'asked for credentials: 407 (name a user to go on)', accepted: false, steps };
  const { account, to, caller, urls } = outcome;
  return { outcome: `taken for account ${account.sid}: From ${caller.from}, To ${to}, ${urls.voiceUrl === null ? 'no VoiceUrl' : `${urls.voiceMethod} ${urls.voiceUrl}`}`, accepted: true, steps };
}

function factsOf({ from, to, source = '127.0.0.1' }: ExplainRequest, localHosts: readonly string[]): CallFacts {
  if (addressBits(source) === null) throw new TwilioError(20001, 'Source must be an IP address');
  const called = partyOf(to, localHosts.find((host) => !isWildcard(host)) ?? 'localhost');
  return { requestUriUser: called.user, requestUriHost: called.host, toUser: called.user, from: partyOf(from, source), identity: { asserted: null, withheld: false }, sourceAddress: source, provenUser: null };
}

/** `+1555…` or `sip:user@host`. */
function partyOf(text: string, host: string): SipParty {
  const uri = /^sips?:/i.test(text) ? text : text.includes('@') ? `sip:${text}` : `sip:${encodeURIComponent(text).replace(/%2B/g, '+')}@${bracket(host)}`;
  const parsed = parseSipUri(uri);
  if (!parsed) throw new TwilioError(20001, `${JSON.stringify(text.slice(0, 80))} is neither a number nor a SIP address`);
  return { displayName: '', uri, user: parsed.user, host: parsed.host };
}

function outbound(accountSid: AccountSid, { from, to, byoc = '' }: ExplainRequest, deps: Deps): Explanation {
  const trace = new Trace();
  let checked: ReturnType<typeof checkCreate>;
  try {
    checked = checkCreate({ to, from, twiml: '<Response/>', other: {}, ...(byoc !== '' && { byoc }) }, { accountSid, directory: deps.directory, trunks: deps.trunks });
  } catch (error) {
    if (!(error instanceof TwilioError)) throw error;
    for (const { name, sid } of usableBy(deps.trunks.all(), accountSid)) trace.note('trunk', `${name} (${sid}) is there`);
    trace.refused('call', `${error.code}: ${error.message}`);
    return { outcome: `refused: ${error.code} ${messageOf(error)}`, accepted: false, steps: trace.steps };
  }
  const { trunk } = checked;
  const guard = deps.mayDial({ accountSid, to: checked.to, trunk });
  if (guard) {
    trace.refused('fraud guard', `${guard.restCode}: ${guard.message}`);
    return { outcome: `refused: ${guard.restCode} ${guard.message}`, accepted: false, steps: trace.steps };
  }
  trace.yes('fraud guard', 'this account may call there');
  trace.yes('from', `${checked.from} may call`);
  if (!trunk) {
    trace.yes('address', `${checked.to} is called as it is, by no trunk`);
    return { outcome: `placed to ${checked.toUri || checked.to}`, accepted: true, steps: trace.steps };
  }
  trace.yes('trunk', `${trunk.name} (${trunk.sid}), ${byoc === '' ? 'the default for numbers' : 'named by Byoc'}`);
  return byTrunk({ trunk, number: checked.to, caller: checked.fromUser }, { trace, deps });
}

function byTrunk(route: Parameters<Carriers['preview']>[0], { trace, deps }: { trace: Trace; deps: Deps }): Explanation {
  const { trunk, number } = route;
  const { allowedPrefixes, proxy, credentials } = trunk.settings.outbound;
  trace.yes('prefixes', allowedPrefixes.length === 0 ? 'the trunk allows every number' : `${number} begins as the trunk allows`);
  const { targets, from, headers, refusal } = deps.carriers.preview(route);
  if (refusal === null) trace.yes('limits', 'the trunk has room for a call');
  else trace.refused('limits', refusal);
  trace.note('caller', `From ${from}${headers.map(([name, value]) => `, ${name}: ${value}`).join('')}`);
  if (proxy !== null) trace.note('proxy', `requests go to ${proxy}`);
  trace.note('credentials', credentials ? `as ${credentials.username}, when the carrier asks` : 'none: a carrier that asks is not answered');
  targets.forEach(({ to, target, priority, weight, healthy }, n) => trace.note(`target ${n + 1}`, `${to ?? target} (priority ${priority}, weight ${weight}${healthy ? '' : ', does not answer probes'})`));
  const [first] = targets;
  const outcome = refusal === null && first ? `placed by trunk ${trunk.name} to ${first.to ?? first.target}${targets.length > 1 ? `, then ${targets.length - 1} more target(s)` : ''}` : `not placed: ${refusal ?? 'no target is enabled'}`;
  return { outcome, accepted: refusal === null && first !== undefined, steps: trace.steps };
}

function printableUser(user: string): string {
  return user.replace(/[^\w.+@:-]/g, '?').slice(0, 64);
}
