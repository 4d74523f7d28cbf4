import { silentLog } from '../../src/base/log.ts';
import type { IncomingSipCall, SipSource, SipUserAgent } from '../../src/sip/contract.ts';
import { parseMessage } from '../../src/sip/message/parse.ts';
import type { Defect } from '../../src/sip/message/parse.ts';
import { createSipUserAgentOver, type SipCarrierEvents } from '../../src/sip/user-agent.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import type { Log } from '../../src/base/log.ts';

/** A user agent without sockets: bytes are handed in, what it sends is kept. */
export class PlayedUserAgent {
  readonly clock = new FakeClock();
  readonly ua: SipUserAgent;
  readonly sent: Buffer[] = [];
  readonly calls: IncomingSipCall[] = [];
  /** What the user agent logged as an error: an exception it had to catch. */
  readonly errors: Record<string, unknown>[] = [];
  #received: SipCarrierEvents['received'] = () => {};

  constructor() {
    const log: Log = { ...silentLog, error: (fields) => void this.errors.push(fields), child: () => log };
    const carrier = ({ received }: SipCarrierEvents) => {
      this.#received = received;
      return {
        ports: { udp: 5060, tcp: 5060, tls: null },
        connectionCount: 0,
        start: async () => {},
        stop: async () => {},
        hasConnection: () => false,
        send: (bytes: Buffer) => void this.sent.push(bytes),
      };
    };
    this.ua = createSipUserAgentOver(carrier, { bindAddress: '192.0.2.99', port: 5060, product: 'Torture/1' }, { clock: this.clock, log });
    this.ua.on('incomingCall', (call) => this.calls.push(call));
  }

  receive(bytes: Buffer, source: SipSource = { transport: 'udp', address: '192.0.2.1', port: 5060 }, defect?: Defect): void {
    this.#received(bytes, source, defect);
  }

  /** 'call', the status of the only final answer, or 'dropped'. */
  verdict(): string {
    const finals = this.sent.map((bytes) => parseMessage(bytes)?.message).filter((message) => message?.kind === 'response' && message.statusCode >= 200);
    if (finals.length > 1) return `${finals.length} answers`;
    if (this.calls.length > 0) return 'call';
    const [only] = finals;
    return only?.kind === 'response' ? String(only.statusCode) : 'dropped';
  }
}
