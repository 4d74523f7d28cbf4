import { silentLog } from '../../base/log.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { SipServer, SipSource } from '../contract.ts';
import type { SipRequest } from '../message/message.ts';
import { parseMessage } from '../message/parse.ts';
import type { Dns } from '../resolve/dns.ts';
import type { Destination } from '../transport/destination.ts';
import { createSipUserAgentOver } from '../user-agent.ts';

export interface SentRequest {
  /** `udp 192.0.2.1 5060` */
  to: string;
  request: SipRequest;
  failed: (reason: string) => void;
}

/** A user agent whose wire is played by a test: what it sends is kept, what it is answered is written by hand. */
export class PlayedWire {
  readonly clock = new FakeClock();
  readonly ua: SipServer;
  readonly sent: SentRequest[] = [];
  /** All messages as they were sent, answers too. */
  readonly bytes: Buffer[] = [];
  /** Whether TCP connections never come to stand. */
  connecting = false;
  #received: (bytes: Buffer, source: SipSource) => void = () => {};

  constructor(dns?: Dns) {
    const { clock } = this;
    this.ua = createSipUserAgentOver((events) => this.#carrier(events.received), { bindAddress: '192.0.2.99', port: 5060, product: 'Test/1' }, { clock, log: silentLog, ...(dns && { dns }) });
  }

  #carrier(received: (bytes: Buffer, source: SipSource) => void) {
    this.#received = received;
    return {
      ports: { udp: 5060, tcp: 5060, tls: null },
      connectionCount: 0,
      start: async () => {},
      stop: async () => {},
      hasConnection: () => false,
      isConnecting: () => this.connecting,
      send: (bytes: Buffer, to: Destination, failed: SentRequest['failed']) => {
        this.bytes.push(bytes);
        const message = parseMessage(bytes)?.message;
        if (message?.kind === 'request') this.sent.push({ to: `${to.transport} ${to.address} ${to.port}`, request: message, failed });
      },
    };
  }

  /** What is waiting in promises is done. */
  settle(): Promise<void> {
    return this.clock.advanceAsync(0, 1);
  }

  get last(): SentRequest {
    const last = this.sent.at(-1);
    if (!last) throw new TypeError('nothing was sent');
    return last;
  }

  /** `INVITE udp 192.0.2.1 5060` of all that was sent. */
  lines(): string[] {
    return this.sent.map(({ to, request }) => `${request.method} ${to}`);
  }

  answer({ request, to }: SentRequest, status: string, extra: string[] = []): void {
    const lines = request.headers.entries().filter(([name]) => ['Via', 'From', 'Call-ID', 'CSeq'].includes(name)).map(([name, value]) => `${name}: ${value}`);
    const text = [`SIP/2.0 ${status}`, ...lines, `To: ${request.headers.get('to') ?? ''};tag=${to.replaceAll(/[^\w]/g, '')}`, 'Content-Length: 0', ...extra, '', ''].join('\r\n');
    this.#received(Buffer.from(text), { transport: 'udp', address: '192.0.2.1', port: 5060 });
  }
}
