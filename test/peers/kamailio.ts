import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild, temporaryFolder, type Child } from './child.ts';
import { waitUntil } from './wait.ts';

/** Kamailio as a carrier's registrar and proxy on UDP: whoever has the password `secret` may register, anybody may call who is. */

export interface KamailioOptions {
  port: number;
  /** Longest registration, seconds: what a longer one is cut to. */
  maxExpiresS: number;
}

export interface Kamailio {
  readonly child: Child;
  log(): string;
  stop(): Promise<void>;
}

export async function startKamailio({ port, maxExpiresS }: KamailioOptions): Promise<Kamailio> {
  const folder = temporaryFolder('kamailio');
  const file = join(folder, 'kamailio.cfg');
  writeFileSync(file, configuration(port, maxExpiresS));
  const child = startChild({ name: `kamailio ${port}`, command: 'kamailio', args: ['-f', file, '-DD', '-E', '-m', '64', '-M', '8', '-Y', folder], cwd: folder });
  await waitUntil(() => child.exitCode !== undefined || child.log().includes('ready for calls'), { timeoutMs: 15_000, what: () => `kamailio\n${child.log()}` });
  if (child.exitCode !== undefined) throw new Error(`kamailio ended\n${child.log()}`);
  return { child, log: () => child.log(), stop: async () => void (await child.stop(3000)) };
}

const configuration = (port: number, maxExpiresS: number): string => `#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=1
auto_aliases=no
dns=no
rev_dns=no
disable_tcp=yes
listen=udp:127.0.0.1:${port}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", ${maxExpiresS})
modparam("rr", "enable_full_lr", 1)
event_route[core:worker-one-init] { xlog("L_ERR", "ready for calls\\n"); }
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) { if (loose_route()) { t_relay(); exit; } if (is_method("ACK") && t_check_trans()) t_relay(); exit; }
  remove_hf("Route");
  if (is_method("INVITE")) record_route();
  force_rport();
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("$td", "secret", "0")) { www_challenge("$td", "1"); exit; }
    if (!save("location")) sl_reply_error();
    if ($sel(contact.expires) == "0" || $hdr(Expires) == "0") xlog("L_ERR", "REGISTER took away $tu\\n"); else xlog("L_ERR", "REGISTER keeps $tu\\n");
    exit;
  }
  if (!lookup("location")) { t_newtran(); t_reply("404", "Not Found"); exit; }
  t_relay();
}
`;
