import { describe, expect, it } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { SipSource } from '../contract.ts';
import { buildResponse } from '../message/build.ts';
import type { SipRequest } from '../message/message.ts';
import { parseMessage } from '../message/parse.ts';
import { readCore } from '../message/request-core.ts';
import { TransactionLayer, type ServerTransaction } from './layer.ts';

const SOURCE: SipSource = { transport: 'udp', address: '192.0.2.1', port: 5060 };

/** A stranger's request with as many header lines as may be. */
function serve(layer: TransactionLayer, n: number): ServerTransaction | null {
  const text = `OPTIONS sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK${n}\r\nFrom: <sip:a@a>;tag=${n}\r\nTo: <sip:b@b>\r\nCall-ID: c${n}\r\nCSeq: 1 OPTIONS\r\n${`X: ${'y'.repeat(4000)}\r\n`.repeat(15)}${'X: y\r\n'.repeat(230)}\r\n`;
  const request = parseMessage(Buffer.from(text))?.message as SipRequest;
  const core = readCore(request);
  if (!core) throw new TypeError('the request cannot be read');
  return layer.serve(request, core, SOURCE);
}

describe('what requests of strangers hold', () => {
  it('is bounded, and is let go with their transactions', () => {
    const clock = new FakeClock();
    const layer = new TransactionLayer({ clock, log: silentLog, sender: { send: () => undefined, hasConnection: () => false }, maxHeldBytes: 10_000_000 });
    let taken = 0;
    for (let transaction = serve(layer, taken); transaction; transaction = serve(layer, taken)) {
      transaction.respond(buildResponse(transaction.request, 200));
      taken++;
    }
    expect(taken).toBeGreaterThan(50);
    expect(taken).toBeLessThan(160);
    clock.advance(33_000);
    expect(layer.count).toBe(0);
    expect(serve(layer, 0)).not.toBeNull();
  });
});
