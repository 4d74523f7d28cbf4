import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild, temporaryFolder, type Child } from './child.ts';
import { waitUntil } from './wait.ts';

/** One Kamailio, in the foreground. */
export interface KamailioProcess {
  readonly child: Child;
  /** Methods and the side they came from, where its routes log `passed $proto $rm`: `udp INVITE`. */
  passed(): string[];
  log(): string;
  stop(): Promise<void>;
}

export interface KamailioRoutes {
  /** Of its folder and log. */
  name: string;
  /** `udp:127.0.0.1:5060` */
  listen: readonly string[];
  /** Beside those that every proxy needs: `path`. */
  modules?: readonly string[];
  /** `("rr", "enable_double_rr", 1)` */
  parameters?: readonly string[];
  /** Body of its request_route, behind the check of Max-Forwards and what belongs to a transaction or dialog already. */
  route: string;
  /** The same, before those. */
  first?: string;
}

const MODULES = ['tm', 'sl', 'rr', 'pv', 'maxfwd', 'textops', 'siputils', 'xlog'];

/** Resolves once it takes calls. */
export async function startKamailioProcess(routes: KamailioRoutes): Promise<KamailioProcess> {
  const { name } = routes;
  const folder = temporaryFolder(name);
  const file = join(folder, 'kamailio.cfg');
  writeFileSync(file, configuration(routes));
  const child = startChild({ name: `kamailio ${name}`, command: 'kamailio', args: ['-f', file, '-DD', '-E', '-m', '64', '-M', '8', '-Y', folder], cwd: folder });
  await waitUntil(() => child.exitCode !== undefined || child.log().includes('ready for calls'), { timeoutMs: 20_000, what: () => `kamailio\n${child.log()}` });
  if (child.exitCode !== undefined) throw new Error(`kamailio ended\n${child.log()}`);
  return {
    child,
    passed: () => [...child.log().matchAll(/passed (\w+ \w+)/g)].map((match) => match[1] ?? ''),
    log: () => child.log(),
    stop: async () => void (await child.stop(3000)),
  };
}

const configuration = ({ listen, modules = [], parameters = [], route, first = '' }: KamailioRoutes): string => `#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=1
${listen.some((at) => at.startsWith('tcp')) ? 'tcp_children=1' : 'disable_tcp=yes'}
auto_aliases=no
dns=no
rev_dns=no
${listen.map((at) => `listen=${at}`).join('\n')}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
${[...MODULES, ...modules].map((module) => `loadmodule "${module}.so"`).join('\n')}
${parameters.map((parameter) => `modparam${parameter}`).join('\n')}
event_route[core:worker-one-init] { xlog("L_ERR", "ready for calls\\n"); }
request_route {
  ${first}
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) { if (loose_route()) { t_relay(); exit; } if (is_method("ACK") && t_check_trans()) t_relay(); exit; }
  ${route}
}
`;
