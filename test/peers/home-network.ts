import { spawnSync } from 'node:child_process';
import { run } from './netns.ts';

/**
 * Phones at home: a namespace with private addresses whose router (a namespace too) hides them behind one public address, and
 * lets nothing in that nobody inside has asked for. This machine is the rest of the world: it has another public address, and
 * a way to the private ones, so that whatever is sent there by mistake can be counted. Needs root. One at a time.
 */
export class HomeNetwork {
  /** Of this machine: for the server. Of TEST-NET-3 (RFC 5737), which nobody routes. */
  readonly serverAddress = '203.0.113.2';
  /** What the world sees of everybody inside. */
  readonly routerAddress = '203.0.113.1';
  /** Of the phones. */
  readonly privateAddress = '10.77.7.2';
  /** Where the phones run. */
  readonly namespace = 'partyline-home';
  readonly #router = 'partyline-router';
  readonly #device = 'plhome';

  /** Throws with the reason when this machine cannot. */
  static create(): HomeNetwork {
    const network = new HomeNetwork();
    network.remove();
    try {
      network.#build();
    } catch (error) {
      network.remove();
      throw error;
    }
    return network;
  }

  #build(): void {
    for (const namespace of [this.namespace, this.#router]) run('ip', 'netns', 'add', namespace);
    run('ip', 'link', 'add', this.#device, 'type', 'veth', 'peer', 'name', 'outside', 'netns', this.#router);
    run('ip', '-n', this.#router, 'link', 'add', 'inside', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.namespace);
    run('ip', 'addr', 'add', `${this.serverAddress}/30`, 'dev', this.#device);
    run('ip', 'link', 'set', this.#device, 'up');
    this.#interface(this.#router, 'outside', `${this.routerAddress}/30`);
    this.#interface(this.#router, 'inside', '10.77.7.1/24');
    this.#interface(this.namespace, 'eth0', `${this.privateAddress}/24`);
    run('ip', '-n', this.namespace, 'link', 'set', 'lo', 'up');
    run('ip', '-n', this.namespace, 'route', 'add', 'default', 'via', '10.77.7.1');
    run('ip', 'route', 'add', '10.77.7.0/24', 'via', this.routerAddress);
    run('ip', 'netns', 'exec', this.#router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
    run('ip', 'netns', 'exec', this.#router, 'nft', ROUTER_RULES);
    run('nft', COUNTING_RULES);
  }

  #interface(namespace: string, device: string, address: string): void {
    run('ip', '-n', namespace, 'addr', 'add', address, 'dev', device);
    run('ip', '-n', namespace, 'link', 'set', device, 'up');
  }

  /** UDP packets that this machine has sent to private addresses in there. */
  sentToPrivate(): number {
    return packetsIn(run('nft', 'list', 'table', 'inet', TABLE));
  }

  /** UDP packets by which phones inside have reached a public address: every flow counts its first one. */
  flowsOut(): number {
    return packetsIn(run('ip', 'netns', 'exec', this.#router, 'nft', 'list', 'chain', 'ip', TABLE, 'out'));
  }

  log(): string {
    return `sent to private addresses: ${this.sentToPrivate()}; flows out: ${this.flowsOut()}`;
  }

  remove(): void {
    spawnSync('nft', ['delete', 'table', 'inet', TABLE]);
    spawnSync('ip', ['link', 'del', this.#device]);
    for (const namespace of [this.namespace, this.#router]) spawnSync('ip', ['netns', 'del', namespace]);
  }

  stop(): Promise<void> {
    this.remove();
    return Promise.resolve();
  }
}

const TABLE = 'partyline-home';

const ROUTER_RULES = `table ip ${TABLE} {
  chain out {
    type nat hook postrouting priority srcnat
    oifname "outside" meta l4proto udp counter masquerade random
    oifname "outside" masquerade
  }
  chain through {
    type filter hook forward priority filter
    iifname "outside" meta l4proto udp ct state new drop
  }
}`;

const COUNTING_RULES = `table inet ${TABLE} {
  chain sent {
    type filter hook output priority filter
    ip daddr 10.77.7.0/24 meta l4proto udp counter
  }
}`;

const packetsIn = (table: string): number => Number(/counter packets (\d+)/.exec(table)?.[1] ?? 0);

/** Why there can be no such network here; null when there can. */
export function homeNetworkMissing(): string | null {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    HomeNetwork.create().remove();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
