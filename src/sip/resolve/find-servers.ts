import type { SipTransportName } from '../contract.ts';
import { defaultPortOf, type Destination } from '../transport/destination.ts';
import type { NaptrRecord, SrvRecord } from './dns.ts';
import { weightedOrder } from './weighted-order.ts';

export interface Question {
  kind: 'naptr' | 'srv' | 'addresses';
  name: string;
}

/** Records of the kind that was asked for; none when there are none, or nobody answered. */
export interface Answer {
  naptr: readonly NaptrRecord[];
  srv: readonly SrvRecord[];
  addresses: readonly string[];
}

export const NO_ANSWER: Answer = { naptr: [], srv: [], addresses: [] };

/** One server by name, before its addresses are known. */
interface Server {
  transport: SipTransportName;
  target: string;
  port: number;
}

/** Servers and addresses that one name may lead to; more are left out. */
const MAX_SERVERS = 8;

/**
 * Where a request to a name goes, best first (RFC 3263 §4). Pure: yields questions, each list of them to be asked at once,
 * and takes their answers in the same order. What the URI said (transport, port) is never overruled.
 */
export function* findServers(to: Destination, random: (max: number) => number): Generator<Question[], Destination[], readonly Answer[]> {
  const servers = yield* serversOf(to, random);
  const named = servers.length > 0 ? servers : [{ transport: to.transport, target: to.host, port: to.port }];
  const wanted = named.filter(({ target }) => target !== '.').slice(0, MAX_SERVERS);
  const answers = yield wanted.map(({ target }) => ({ kind: 'addresses', name: target }));
  const found = wanted.flatMap(({ transport, port }, n) => (answers[n] ?? NO_ANSWER).addresses.map((address) => ({ ...to, transport, port, address })));
  return found.slice(0, MAX_SERVERS);
}

/** None: its own address records say (§4.2). */
function* serversOf(to: Destination, random: (max: number) => number): Generator<Question[], Server[], readonly Answer[]> {
  if (!to.open?.port || to.transport === 'ws') return [];
  if (!to.open.transport) return yield* bySrv([srvOf(to.transport, to.host)], random);
  const [naptr = NO_ANSWER] = yield [{ kind: 'naptr', name: to.host }];
  const chosen = choicesOf(naptr.naptr, to);
  const choices = chosen.length > 0 ? chosen : to.open.secure ? [srvOf('tls', to.host)] : (['udp', 'tcp', 'tls'] as const).map((transport) => srvOf(transport, to.host));
  return yield* bySrv(choices, random);
}

interface SrvChoice {
  transport: SipTransportName;
  name: string;
}

function srvOf(transport: SipTransportName, host: string): SrvChoice {
  return { transport, name: `${transport === 'tls' ? '_sips._tcp' : `_sip._${transport}`}.${host}` };
}

const SERVICES = new Map<string, SipTransportName>([['sips+d2t', 'tls'], ['sip+d2t', 'tcp'], ['sip+d2u', 'udp']]);

/** §4.1: services we speak, in the order their owner wants them; for a sips URI none but TLS. */
function choicesOf(records: readonly NaptrRecord[], to: Destination): SrvChoice[] {
  const ordered = [...records].sort((a, b) => a.order - b.order || a.preference - b.preference);
  return ordered.flatMap(({ flags, service, replacement }) => {
    const transport = SERVICES.get(service.toLowerCase());
    const fits = flags.toLowerCase() === 's' && replacement !== '' && transport !== undefined && (transport === 'tls' || !to.open?.secure);
    return fits ? [{ transport, name: replacement }] : [];
  }).slice(0, MAX_SERVERS);
}

function* bySrv(choices: readonly SrvChoice[], random: (max: number) => number): Generator<Question[], Server[], readonly Answer[]> {
  const answers = yield choices.map(({ name }) => ({ kind: 'srv', name }));
  return choices.flatMap(({ transport }, n) =>
    weightedOrder((answers[n] ?? NO_ANSWER).srv, random).map(({ target, port }): Server => ({ transport, target, port: port || defaultPortOf(transport) })),
  );
}
