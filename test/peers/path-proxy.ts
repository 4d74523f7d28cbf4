import { startKamailioProcess, type KamailioProcess } from './kamailio-process.ts';
import { freePort } from './ports.ts';

/** Kamailio as the edge proxy of phones that register: they speak TCP to it, it UDP to the server, and it writes itself into Path (RFC 3327). */

export interface PathProxy extends KamailioProcess {
  /** Of phones, over TCP: `127.0.0.1:port`. */
  readonly phoneSide: string;
}

/** `server`: `host:port`. */
export async function startPathProxy(server: string): Promise<PathProxy> {
  const [udp, tcp] = [await freePort(), await freePort()];
  const proxy = await startKamailioProcess({
    name: 'path',
    listen: [`udp:127.0.0.1:${udp}`, `tcp:127.0.0.1:${tcp}`],
    modules: ['path'],
    parameters: ['("rr", "enable_double_rr", 1)', '("path", "enable_r2", 1)'],
    first: 'xlog("L_ERR", "passed $proto $rm\\n");',
    route: `if ($proto == "udp") {
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
  $du = "sip:${server};transport=udp";
  t_relay();`,
  });
  return { ...proxy, phoneSide: `127.0.0.1:${tcp}` };
}
