import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';

/**
 * A network with trouble: a namespace of its own for the server, joined to the machine by one cable (a veth pair) whose two ends
 * drop packets as they come in, by nftables: unlike netem it is in every kernel. Phones and browsers stay outside. Needs root.
 */
export class TroubledNetwork {
  readonly namespace: string;
  /** The machine's end: for phones and browsers. Of the range for measuring networks (RFC 2544), which nobody routes. */
  readonly nearAddress: string;
  /** The namespace's end: for the server. */
  readonly farAddress: string;
  readonly #near: string;
  readonly #far: string;

  private constructor() {
    const n = randomInt(0, 250);
    this.namespace = `partyline-${process.pid}-${n}`;
    this.nearAddress = `198.18.${n}.1`;
    this.farAddress = `198.18.${n}.2`;
    this.#near = `plt${n}n`;
    this.#far = `plt${n}f`;
  }

  /** Throws with the reason when this machine cannot. */
  static create(): TroubledNetwork {
    const network = new TroubledNetwork();
    try {
      network.#build();
    } catch (error) {
      network.remove();
      throw error;
    }
    return network;
  }

  #build(): void {
    run('ip', 'netns', 'add', this.namespace);
    run('ip', 'link', 'add', this.#near, 'type', 'veth', 'peer', 'name', this.#far, 'netns', this.namespace);
    run('ip', 'addr', 'add', `${this.nearAddress}/30`, 'dev', this.#near);
    run('ip', 'link', 'set', this.#near, 'up');
    this.#inside('ip', 'addr', 'add', `${this.farAddress}/30`, 'dev', this.#far);
    this.#inside('ip', 'link', 'set', this.#far, 'up');
    this.#inside('ip', 'link', 'set', 'lo', 'up');
    this.lose(0);
  }

  #inside(...command: string[]): string {
    return run('ip', 'netns', 'exec', this.namespace, ...command);
  }

  /** Per cent of what comes in at either end from now on, of everything: signaling, SIP and media. */
  lose(lossPercent: number): void {
    run('nft', lossRules(this.#near, lossPercent));
    this.#inside('nft', lossRules(this.#far, lossPercent));
  }

  /** Packets dropped since the last `lose`, on the way to phones and browsers and on the way to the server. */
  dropped(): [near: number, far: number] {
    const near = run('nft', 'list', 'table', 'netdev', this.#near);
    const far = this.#inside('nft', 'list', 'table', 'netdev', this.#far);
    return [droppedOf(near), droppedOf(far)];
  }

  log(): string {
    return `dropped: ${this.dropped().join(' and ')}`;
  }

  /** The cable goes with its namespace once nobody is in it. */
  remove(): void {
    spawnSync('nft', ['delete', 'table', 'netdev', this.#near]);
    spawnSync('ip', ['link', 'del', this.#near]);
    spawnSync('ip', ['netns', 'del', this.namespace]);
  }

  stop(): Promise<void> {
    this.remove();
    return Promise.resolve();
  }
}

/** One table per device, made anew: a change is one transaction. ARP passes always, as over a line that is merely bad. */
function lossRules(device: string, lossPercent: number): string {
  const chance = lossPercent >= 100 ? '' : `numgen random mod 1000 < ${Math.round(lossPercent * 10)}`;
  return `add table netdev ${device}
    delete table netdev ${device}
    table netdev ${device} {
      chain in {
        type filter hook ingress device "${device}" priority 0; policy accept;
        meta protocol { ip, ip6 } ${chance} counter drop
      }
    }`;
}

const droppedOf = (table: string): number => Number(/counter packets (\d+)/.exec(table)?.[1] ?? 0);

export function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${[command, ...args].join(' ')}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}

/** Why there can be no such network here; null when there can. */
export function networkMissing(): string | null {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    TroubledNetwork.create().remove();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
