import type { Clock, Timer } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { SipSource } from '../contract.ts';
import type { SipMessage, SipRequest, SipResponse } from '../message/message.ts';
import type { MessageCore } from '../message/request-core.ts';
import { serializeMessage } from '../message/serialize.ts';
import { unbracket } from '../message/uri.ts';
import type { Via } from '../message/via.ts';
import { DEFAULT_PORT, defaultPortOf, isReliable, type Destination } from '../transport/destination.ts';
import { InviteClientMachine } from './invite-client.ts';
import { InviteServerMachine } from './invite-server.ts';
import type { ClientMachine, ClientOutput, ServerMachine, ServerOutput } from './machine.ts';
import { RequestClientMachine } from './request-client.ts';
import { RequestServerMachine } from './request-server.ts';

/** What the transaction layer needs from below. */
export interface MessageSender {
  send(bytes: Buffer, to: Destination, failed: (reason: string) => void): void;
  hasConnection(source: SipSource): boolean;
  /** Whether a connection to there is being made, and does not stand yet. */
  isConnecting?(to: Destination): boolean;
}

/** Who started a client transaction hears of it here. */
export interface ClientUser {
  response(response: SipResponse): void;
  failed(reason: 'timeout' | 'transport'): void;
}

/** A request that came, and the only way to answer it. */
export interface ServerTransaction {
  readonly request: SipRequest;
  readonly core: MessageCore;
  readonly source: SipSource;
  respond(response: SipResponse): void;
  /** Called when the answer could not be brought home (no ACK for a non-2xx, transport error). */
  onFailed: ((reason: 'timeout' | 'transport') => void) | null;
}

export interface ClientTransaction {
  readonly request: SipRequest;
  readonly destination: Destination;
  /** Drops it without a word to its user. */
  abandon(): void;
  /** The request is not sent again; an answer is still heard. */
  stopRepeating(): void;
}

interface Entry<M> {
  readonly key: string;
  readonly machine: M;
  timer: Timer | null;
}

interface ClientEntry extends Entry<ClientMachine>, ClientTransaction {
  readonly user: ClientUser;
}

interface ServerEntry extends Entry<ServerMachine>, ServerTransaction {
  readonly destination: Destination;
  readonly mergeKey: string;
  readonly bytes: number;
}

/** Live transactions at once; beyond it new requests are dropped, the other side repeats them. */
const MAX_TRANSACTIONS = 50_000;
/** Memory that the requests of live server transactions may take together: strangers send large ones. */
const MAX_HELD_BYTES = 256 * 1024 * 1024;

/** Drives the four machines: finds the one a message belongs to, runs its timers, sends what it says. */
export class TransactionLayer {
  readonly #clients = new Map<string, ClientEntry>();
  readonly #servers = new Map<string, ServerEntry>();
  /** How many live server transactions carry the same Call-ID, From tag and CSeq. */
  readonly #merges = new Map<string, number>();
  readonly #maxHeldBytes: number;
  #heldBytes = 0;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #sender: MessageSender;

  /** `maxHeldBytes`: another bound, for tests. */
  constructor(parts: { clock: Clock; log: Log; sender: MessageSender; maxHeldBytes?: number }) {
    this.#maxHeldBytes = parts.maxHeldBytes ?? MAX_HELD_BYTES;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#sender = parts.sender;
  }

  get count(): number {
    return this.#clients.size + this.#servers.size;
  }

  /** Requests of ours still waiting for their final answer. */
  get unanswered(): number {
    let n = 0;
    for (const entry of this.#clients.values()) if (!entry.machine.answered) n++;
    return n;
  }

  /** Sends without a transaction: ACK for 2xx, repeated 2xx. */
  send(message: SipMessage, to: Destination, failed: (reason: string) => void = () => {}): void {
    try {
      this.#sender.send(serializeMessage(message), to, failed);
    } catch (error) {
      failed(messageOf(error));
    }
  }

  /** Starts a client transaction. `branch` is that of the request's top Via. */
  request(request: SipRequest, options: { branch: string; destination: Destination; user: ClientUser }): ClientTransaction {
    const { destination, user } = options;
    const traits = { reliable: isReliable(destination.transport) };
    const machine = request.method === 'INVITE' ? new InviteClientMachine(request, traits) : new RequestClientMachine(request, traits);
    const key = `${options.branch} ${request.method}`;
    const entry: ClientEntry = { key, machine, timer: null, request, destination, user, abandon: () => this.#dropClient(entry), stopRepeating: () => this.#stopRepeating(entry) };
    this.#clients.set(key, entry);
    this.#runClient(entry, machine.start(this.#clock.nowMs()));
    return entry;
  }

  /** Returns false for a response that belongs to none. */
  response(response: SipResponse, core: MessageCore): boolean {
    const entry = this.#clients.get(`${core.via.params.get('branch') ?? ''} ${core.cseq.method}`);
    if (!entry) return false;
    this.#runClient(entry, entry.machine.response(response, this.#clock.nowMs()));
    return true;
  }

  /** True when a running transaction took the request: a retransmission, or the ACK for a non-2xx. */
  absorbs(request: SipRequest, core: MessageCore): boolean {
    const entry = this.#servers.get(serverKey(core, request.method === 'ACK' ? 'INVITE' : request.method));
    if (!entry) return false;
    if (request.method !== 'ACK') this.#runServer(entry, entry.machine.retransmission());
    else if (entry.machine.state === 'accepted') return false;
    else this.#runServer(entry, entry.machine.acknowledged(this.#clock.nowMs()));
    return true;
  }

  /** Null when there are too many. */
  serve(request: SipRequest, core: MessageCore, source: SipSource): ServerTransaction | null {
    if (this.count >= MAX_TRANSACTIONS || this.#heldBytes >= this.#maxHeldBytes) return null;
    const traits = { reliable: isReliable(source.transport) };
    const machine = request.method === 'INVITE' ? new InviteServerMachine(traits) : new RequestServerMachine(traits);
    const destination = this.responseDestination(core.via, source);
    const respond = (response: SipResponse): void => this.#runServer(entry, machine.respond(response, this.#clock.nowMs()));
    const key = serverKey(core, request.method);
    const entry: ServerEntry = { key, mergeKey: mergeKey(core), bytes: request.headers.bytes + request.body.length, machine, timer: null, request, core, source, destination, respond, onFailed: null };
    this.#servers.set(key, entry);
    this.#heldBytes += entry.bytes;
    this.#merges.set(entry.mergeKey, (this.#merges.get(entry.mergeKey) ?? 0) + 1);
    return entry;
  }

  /** RFC 3261 §8.2.2.2: the same request came another way and is still known. Ask before `serve`. */
  isMerged(core: MessageCore): boolean {
    return this.#merges.has(mergeKey(core));
  }

  /** Whether the connection a message came on is still open. */
  hasConnection(source: SipSource): boolean {
    return this.#sender.hasConnection(source);
  }

  isConnecting(to: Destination): boolean {
    return this.#sender.isConnecting?.(to) ?? false;
  }

  /** The INVITE that a CANCEL means (RFC 3261 §9.2). */
  cancelledBy(core: MessageCore): ServerTransaction | null {
    return this.#servers.get(serverKey(core, 'INVITE')) ?? null;
  }

  /**
   * RFC 3261 §18.2.2, RFC 3581 §4: UDP to where it came from; others on the connection it came on, else a new one to sent-by.
   * Deviation: maddr of the top Via is not followed, it would let anybody point our answers at a third party.
   */
  responseDestination(via: Via, source: SipSource): Destination {
    const sentByPort = via.port ?? defaultPortOf(source.transport);
    const direct = source.transport === 'udp' ? via.params.has('rport') : this.#sender.hasConnection(source);
    return { transport: source.transport, host: unbracket(source.address), port: direct ? source.port : sentByPort, address: source.address };
  }

  #runClient(entry: ClientEntry, outputs: ClientOutput[]): void {
    for (const output of outputs) {
      if (output.kind === 'send') this.send(output.message, entry.destination, (reason) => this.#clientSendFailed(entry, reason));
      else if (output.kind === 'deliver') entry.user.response(output.response);
      else if (output.kind === 'failed') entry.user.failed(output.reason);
      else this.#dropClient(entry);
    }
    if (this.#clients.get(entry.key) === entry) this.#arm(entry, () => this.#runClient(entry, entry.machine.expire(this.#clock.nowMs())));
  }

  #clientSendFailed(entry: ClientEntry, reason: string): void {
    if (this.#clients.get(entry.key) !== entry) return;
    this.#log.info({ reason, method: entry.request.method, host: entry.destination.host }, 'a SIP request could not be sent');
    this.#runClient(entry, entry.machine.transportFailed());
  }

  #stopRepeating(entry: ClientEntry): void {
    entry.machine.stopRepeating();
    if (this.#clients.get(entry.key) === entry) this.#arm(entry, () => this.#runClient(entry, entry.machine.expire(this.#clock.nowMs())));
  }

  #dropClient(entry: ClientEntry): void {
    entry.timer?.cancel();
    if (this.#clients.get(entry.key) === entry) this.#clients.delete(entry.key);
  }

  #runServer(entry: ServerEntry, outputs: ServerOutput[]): void {
    for (const output of outputs) {
      if (output.kind === 'send') this.send(output.message, entry.destination, (reason) => this.#serverSendFailed(entry, reason));
      else if (output.kind === 'failed') entry.onFailed?.(output.reason);
      else this.#dropServer(entry);
    }
    if (this.#servers.get(entry.key) === entry) this.#arm(entry, () => this.#runServer(entry, entry.machine.expire(this.#clock.nowMs())));
  }

  #serverSendFailed(entry: ServerEntry, reason: string): void {
    if (this.#servers.get(entry.key) !== entry) return;
    this.#log.info({ reason, method: entry.request.method }, 'a SIP response could not be sent');
    this.#runServer(entry, entry.machine.transportFailed());
  }

  #dropServer(entry: ServerEntry): void {
    entry.timer?.cancel();
    if (this.#servers.get(entry.key) !== entry) return;
    this.#servers.delete(entry.key);
    this.#heldBytes -= entry.bytes;
    const left = (this.#merges.get(entry.mergeKey) ?? 1) - 1;
    if (left > 0) this.#merges.set(entry.mergeKey, left);
    else this.#merges.delete(entry.mergeKey);
  }

  #arm(entry: ClientEntry | ServerEntry, fire: () => void): void {
    entry.timer?.cancel();
    const nextMs = entry.machine.nextMs;
    entry.timer = nextMs === null ? null : this.#clock.after(nextMs - this.#clock.nowMs(), fire);
  }

  /** Forgets everything, tells nobody. */
  shutDown(): void {
    for (const entry of [...this.#clients.values()]) this.#dropClient(entry);
    for (const entry of [...this.#servers.values()]) this.#dropServer(entry);
  }
}

/** RFC 3261 §17.2.3; without the magic cookie, the parts of an RFC 2543 request that do not change between INVITE and ACK. */
function serverKey(core: MessageCore, method: string): string {
  const branch = core.via.params.get('branch') ?? '';
  const sentBy = `${core.via.host}:${core.via.port ?? DEFAULT_PORT}`;
  if (branch.startsWith('z9hG4bK') && branch.length > 7) return `${branch} ${sentBy} ${method}`;
  return `old ${core.callId} ${core.fromTag} ${core.cseq.number} ${branch} ${sentBy} ${method}`;
}

function mergeKey(core: MessageCore): string {
  return `${core.callId} ${core.fromTag} ${core.cseq.number} ${core.cseq.method}`;
}
