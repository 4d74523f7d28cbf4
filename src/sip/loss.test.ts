import { expect, it } from 'vitest';
import { silentLog } from '../base/log.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import type { IncomingSipCall, SipBody, SipEnding, SipSource, SipUserAgent } from './contract.ts';
import type { Destination } from './transport/destination.ts';
import { createSipUserAgentOver, type SipCarrierEvents } from './user-agent.ts';

// Whole calls between two user agents over a network that loses one datagram in ten, each way, and delays the others.

const LOSS = 0.1;
const CALLS = 60;
const LIFE_MS = 1_000_000;

/** Park and Miller: the same losses each time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

class LossyNetwork {
  readonly clock = new FakeClock();
  readonly #random: () => number;
  readonly #agents = new Map<string, (bytes: Buffer, source: SipSource) => void>();
  lost = 0;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  agent(address: string): SipUserAgent {
    const carrier = ({ received }: SipCarrierEvents) => {
      this.#agents.set(address, received);
      return {
        ports: { udp: 5060, tcp: 5060, tls: null },
        connectionCount: 0,
        start: async () => {},
        stop: async () => {},
        hasConnection: () => false,
        send: (bytes: Buffer, to: Destination) => this.#carry(bytes, { from: address, to: to.address ?? to.host }),
      };
    };
    return createSipUserAgentOver(carrier, { bindAddress: address, port: 5060, product: 'Test/1' }, { clock: this.clock, log: silentLog });
  }

  #carry(bytes: Buffer, way: { from: string; to: string }): void {
    if (this.#random() < LOSS) return void this.lost++;
    this.clock.after(10 + this.#random() * 60, () => this.#agents.get(way.to)?.(bytes, { transport: 'udp', address: way.from, port: 5060 }));
  }
}

const sdp = (text: string): SipBody => ({ contentType: 'application/sdp', bytes: Buffer.from(text) });

/** Rings, says its answer early and surely, takes the call, takes each new offer. */
function pickUp(call: IncomingSipCall, { clock, hangUp }: { clock: FakeClock; hangUp: boolean }): void {
  call.on('reoffered', (_body, respond) => respond({ statusCode: 200, body: sdp('again') }));
  call.on('confirmed', () => hangUp && clock.after(LIFE_MS, () => call.hangup()));
  call.ring();
  clock.after(300, () => call.ring({ statusCode: 183, body: sdp('answer') }));
  clock.after(3_000, () => call.accept({ body: sdp('answer') }));
}

it('every call is set up, changed, refreshed and ended, and nothing stays', async () => {
  const network = new LossyNetwork(7);
  const { clock } = network;
  const [near, far] = [network.agent('192.0.2.1'), network.agent('192.0.2.2')];
  const heard = { called: 0, accepted: 0, reoffered: 0, nearEnds: [] as SipEnding[], farEnds: [] as SipEnding[] };
  far.on('incomingCall', (call) => {
    const hangUp = heard.called++ % 2 === 0;
    call.on('ended', (ending) => heard.farEnds.push(ending));
    pickUp(call, { clock, hangUp });
  });
  for (let n = 0; n < CALLS; n++) {
    const call = near.call({ to: `sip:${n}@192.0.2.2`, from: 'sip:near@192.0.2.1', body: Buffer.from('offer'), contentType: 'application/sdp' });
    call.on('accepted', () => {
      heard.accepted++;
      clock.after(5_000, () => call.reoffer(sdp('other'), (statusCode) => statusCode === 200 && heard.reoffered++));
      clock.after(LIFE_MS + 200_000, () => call.hangup());
    });
    call.on('ended', (ending) => heard.nearEnds.push(ending));
  }
  await clock.advanceAsync(LIFE_MS + 400_000, 2_000);
  expect(network.lost).toBeGreaterThan(CALLS);
  expect(heard).toMatchObject({ called: CALLS, accepted: CALLS, reoffered: CALLS });
  const causes = (endings: SipEnding[]): Record<string, number> => Object.fromEntries(['local', 'remote-bye'].map((cause) => [cause, endings.filter((ending) => ending.cause === cause).length]));
  expect(causes(heard.nearEnds)).toEqual({ local: CALLS / 2, 'remote-bye': CALLS / 2 });
  expect(causes(heard.farEnds)).toEqual({ local: CALLS / 2, 'remote-bye': CALLS / 2 });
  for (const ua of [near, far]) expect(ua.counts()).toEqual({ dialogs: 0, transactions: 0, connections: 0 });
  expect(clock.pending).toBe(0);
});
