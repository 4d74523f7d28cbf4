import { startKamailioProcess, type KamailioProcess } from './kamailio-process.ts';

/**
 * Kamailio as a carrier's registrar and proxy on UDP: whoever has the password `secret` may register, anybody may call who is. It wants calls on
 * its Service-Route (RFC 3608), and logs each that comes by it: `INVITE by its route`.
 */

export interface KamailioOptions {
  port: number;
  /** Longest registration, seconds: what a longer one is cut to. */
  maxExpiresS: number;
}

export function startKamailio({ port, maxExpiresS }: KamailioOptions): Promise<KamailioProcess> {
  return startKamailioProcess({
    name: 'carrier',
    listen: [`udp:127.0.0.1:${port}`],
    modules: ['usrloc', 'registrar', 'auth'],
    parameters: ['("usrloc", "db_mode", 0)', `("registrar", "max_expires", ${maxExpiresS})`, '("rr", "enable_full_lr", 1)'],
    first: 'if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }',
    route: `if (is_method("INVITE") && $hdr(Route) =~ "sip:127.0.0.1:${port};lr") xlog("L_ERR", "INVITE by its route\\n");
  remove_hf("Route");
  if (is_method("INVITE")) record_route();
  force_rport();
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("$td", "secret", "0")) { www_challenge("$td", "1"); exit; }
    append_to_reply("Service-Route: <sip:127.0.0.1:${port};lr>\\r\\n");
    if (!save("location")) sl_reply_error();
    if ($sel(contact.expires) == "0" || $hdr(Expires) == "0") xlog("L_ERR", "REGISTER took away $tu\\n"); else xlog("L_ERR", "REGISTER keeps $tu\\n");
    exit;
  }
  if (!lookup("location")) { t_newtran(); t_reply("404", "Not Found"); exit; }
  t_relay();`,
  });
}
