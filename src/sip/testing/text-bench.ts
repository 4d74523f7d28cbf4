import { silentLog } from '../../base/log.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { IncomingSipCall, SipUserAgent } from '../contract.ts';
import { TextPeer, type RequestParts } from '../transport/testing/text-peer.ts';
import { createSipUserAgent } from '../user-agent.ts';

/** A user agent on the loopback against a peer that speaks in lines of text, time moved by hand. */
export class TextBench {
  readonly clock = new FakeClock();
  readonly ua: SipUserAgent = createSipUserAgent({ bindAddress: '127.0.0.1', port: 0, product: 'Test/1' }, { clock: this.clock, log: silentLog });
  readonly peer = new TextPeer(() => this.ua.ports.udp);

  static async open(): Promise<TextBench> {
    const bench = new TextBench();
    await Promise.all([bench.ua.start(), bench.peer.open()]);
    return bench;
  }

  async close(): Promise<void> {
    const stopped = this.ua.stop();
    await this.clock.advanceAsync(2000, 50);
    await stopped;
    this.peer.socket.close();
  }

  /** The peer calls. */
  called(parts: RequestParts = {}): Promise<IncomingSipCall> {
    const arrived = new Promise<IncomingSipCall>((resolve) => this.ua.once('incomingCall', resolve));
    this.peer.send(this.peer.request('INVITE', { body: 'offer', ...parts }));
    return arrived;
  }

  /** What stays when all that the peer sent was read and the transactions have run out: nothing, if all is well. */
  async leftovers(): Promise<{ dialogs: number; transactions: number; timers: number }> {
    await this.peer.settle();
    this.clock.advance(64_000);
    const { dialogs, transactions } = this.ua.counts();
    return { dialogs, transactions, timers: this.clock.pending };
  }
}
