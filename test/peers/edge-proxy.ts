import { startKamailioProcess, type KamailioProcess } from './kamailio-process.ts';
import { freePort } from './ports.ts';

/** Kamailio between a phone that speaks TCP and a server that speaks UDP: it stays in the path under both (double Record-Route). */

export interface EdgeProxy extends KamailioProcess {
  /** What phones call over TCP, `127.0.0.1:port`: the server behind it. */
  readonly phoneSide: string;
  /** What the server calls over UDP: the phone behind it. */
  readonly serverSide: string;
}

/** Both as `host:port`. */
export async function startEdgeProxy({ server, phone }: { server: string; phone: string }): Promise<EdgeProxy> {
  const [udp, tcp] = [await freePort(), await freePort()];
  const proxy = await startKamailioProcess({
    name: 'edge',
    listen: [`udp:127.0.0.1:${udp}`, `tcp:127.0.0.1:${tcp}`],
    parameters: ['("rr", "enable_full_lr", 1)', '("rr", "enable_double_rr", 1)'],
    first: 'xlog("L_ERR", "passed $proto $rm\\n");',
    route: `remove_hf("Route");
  if (is_method("INVITE")) record_route();
  if ($proto == "tcp") { $ru = "sip:" + $rU + "@${server};transport=udp"; } else { $ru = "sip:" + $rU + "@${phone};transport=tcp"; }
  t_relay();`,
  });
  return { ...proxy, phoneSide: `127.0.0.1:${tcp}`, serverSide: `127.0.0.1:${udp}` };
}
