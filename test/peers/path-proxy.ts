import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild, temporaryFolder, type Child } from './child.ts';
import { freePort } from './ports.ts';
import { waitUntil } from './wait.ts';

/** Kamailio as the edge proxy of phones that register: they speak TCP to it, it UDP to the server, and it writes itself into Path (RFC 3327). */

export interface PathProxy {
  /** Of phones, over TCP: `127.0.0.1:port`. */
  readonly phoneSide: string;
  /** Methods and the side they came from: `udp INVITE`. */
  passed(): string[];
  log(): string;
  stop(): Promise<void>;
}

/** `server`: `host:port`. */
export async function startPathProxy(server: string): Promise<PathProxy> {
  const folder = temporaryFolder('path');
  const file = join(folder, 'kamailio.cfg');
  const [udp, tcp] = [await freePort(), await freePort()];
  writeFileSync(file, configuration({ udp, tcp, server }));
  const child: Child = startChild({ name: 'kamailio', command: 'kamailio', args: ['-f', file, '-DD', '-E', '-m', '64', '-M', '8', '-Y', folder], cwd: folder });
  await waitUntil(() => child.exitCode !== undefined || child.log().includes('ready for calls'), { timeoutMs: 20_000, what: () => `kamailio\n${child.log()}` });
  if (child.exitCode !== undefined) throw new Error(`kamailio ended\n${child.log()}`);
  return {
    phoneSide: `127.0.0.1:${tcp}`,
    passed: () => [...child.log().matchAll(/passed (\w+ \w+)/g)].map((match) => match[1] ?? ''),
    log: () => child.log(),
    stop: async () => void (await child.stop(3000)),
  };
}

const configuration = (o: { udp: number; tcp: number; server: string }): string => `#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
listen=udp:127.0.0.1:${o.udp}
listen=tcp:127.0.0.1:${o.tcp}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "path.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
modparam("rr", "enable_double_rr", 1)
modparam("path", "enable_r2", 1)
event_route[core:worker-one-init] { xlog("L_ERR", "ready for calls\\n"); }
request_route {
  xlog("L_ERR", "passed $proto $rm\\n");
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) { if (loose_route()) { t_relay(); exit; } if (is_method("ACK") && t_check_trans()) t_relay(); exit; }
  if ($proto == "udp") {
    # A Route without a dialog is the Path that was registered: without it the server did not come by it.
    if (!is_present_hf("Route")) { sl_send_reply("404", "No Path"); exit; }
    loose_route();
    if (is_method("INVITE")) record_route();
    t_relay();
    exit;
  }
  remove_hf("Route");
  if (is_method("REGISTER")) { if (!add_path()) { sl_send_reply("500", "No Path"); exit; } }
  if (is_method("INVITE")) record_route();
  $du = "sip:${o.server};transport=udp";
  t_relay();
}
`;
