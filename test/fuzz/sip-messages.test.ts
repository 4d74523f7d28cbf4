import { describe, expect, it } from 'vitest';
import type { IncomingSipCall } from '../../src/sip/contract.ts';
import { parseMessage } from '../../src/sip/message/parse.ts';
import { readCore, requestDefect } from '../../src/sip/message/request-core.ts';
import { serializeMessage } from '../../src/sip/message/serialize.ts';
import { StreamParser } from '../../src/sip/message/stream-parser.ts';
import { PlayedUserAgent } from '../torture/carrier.ts';
import { RFC_4475 } from '../torture/rfc4475.ts';
import { RFC_5118 } from '../torture/rfc5118.ts';
import { BROKEN_INPUTS, mutate, randomFrom } from './mutate.ts';

// Mutated messages for each door, the same ones in every run.

const INPUTS = BROKEN_INPUTS;

const wire = (text: string): Buffer => Buffer.from(text.replace(/\r?\n/g, '\r\n').replace('@len@', '0'));
const seeds = [...RFC_4475, ...RFC_5118].map((message) => wire(message.text)).filter((bytes) => bytes.length < 3000);

const within = (method: string, cseq: number, tags: { ours: string; theirs: string; callId: string }, extra = ''): Buffer =>
  wire(`${method} sip:x@192.0.2.99 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK${method}${cseq}${tags.ours};rport
From: <sip:a@192.0.2.1>;tag=${tags.theirs}
To: <sip:x@192.0.2.99>;tag=${tags.ours}
Call-ID: ${tags.callId}
CSeq: ${cseq} ${method}
Contact: <sip:a@192.0.2.1>
Record-Route: <sip:192.0.2.7;lr>, <sip:192.0.2.8>
${extra}Content-Length: 0

`);

const invite = (id: string): Buffer =>
  wire(`INVITE sip:x@192.0.2.99 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK${id};rport
From: <sip:a@192.0.2.1>;tag=f${id}
To: <sip:x@192.0.2.99>
Call-ID: fuzz-${id}
CSeq: 1 INVITE
Contact: <sip:a@192.0.2.1>
Content-Length: 0

`);

/** A few messages for the dialogs and transactions alive right now, so that mutations reach behind the front door. */
function liveSeeds(played: PlayedUserAgent): Buffer[] {
  const found: Buffer[] = [];
  for (const bytes of played.sent) {
    const message = parseMessage(bytes)?.message;
    const core = message && readCore(message);
    if (!message || !core) continue;
    if (message.kind === 'response' && core.toTag !== '') {
      const tags = { ours: core.toTag, theirs: core.fromTag, callId: core.callId };
      const n = core.cseq.number;
      found.push(within('ACK', n, tags), within('BYE', n + 1, tags), within('INVITE', n + 2, tags, 'Content-Type: application/sdp\n'), within('INFO', n + 3, tags), within('UPDATE', n + 4, tags));
    } else if (message.kind === 'request') {
      for (const status of ['100 Trying', '183 Session Progress', '200 OK', '401 Unauthorized', '302 Moved', '487 Request Terminated']) {
        const tag = core.toTag === '' && !status.startsWith('100') ? `;tag=t${found.length}` : '';
        const h = message.headers;
        found.push(wire(`SIP/2.0 ${status}\nVia: ${h.get('via')}\nFrom: ${h.get('from')}\nTo: ${h.get('to')}${tag}\nCall-ID: ${h.get('call-id')}\nCSeq: ${h.get('cseq')}\nWWW-Authenticate: Digest realm="r", nonce="n${found.length}", qop="auth"\nContact: <sip:z@192.0.2.1>\nRecord-Route: <sip:192.0.2.7;lr>\nContent-Length: 0\n\n`));
      }
    }
  }
  return found;
}

describe('mutated SIP messages', () => {
  it('never make the parsers throw; what is read can be written, and is the same when read again', () => {
    const random = randomFrom(4475);
    let sound = 0;
    for (let i = 0; i < INPUTS; i++) {
      const bytes = mutate(seeds[random(seeds.length)]!, seeds[random(seeds.length)]!, random);
      const parsed = parseMessage(bytes);
      if (!parsed) continue;
      const core = readCore(parsed.message);
      if (core && parsed.message.kind === 'request') requestDefect(parsed.message, core);
      if (parsed.defect) continue;
      sound++;
      const again = parseMessage(serializeMessage(parsed.message));
      const count = (headers: typeof parsed.message.headers): number => headers.length - headers.count('content-length');
      if (!again || again.defect || count(again.message.headers) !== count(parsed.message.headers)) expect.fail(`input ${i} is not the same when read again: ${JSON.stringify(bytes.toString('latin1'))}`);
    }
    expect(sound).toBeGreaterThan(INPUTS / 10);
  }, 60_000);

  it('never make the stream parser throw or hold more than one message', () => {
    const random = randomFrom(3261);
    let parser = new StreamParser();
    let messages = 0;
    for (let i = 0; i < INPUTS; i++) {
      const bytes = random(3) === 0 ? seeds[random(seeds.length)]! : mutate(seeds[random(seeds.length)]!, seeds[random(seeds.length)]!, random);
      const tear = random(bytes.length + 1);
      for (const item of [...parser.push(bytes.subarray(0, tear)), ...parser.push(bytes.subarray(tear))]) {
        if (item.kind === 'message') messages++;
        else if (item.kind === 'broken') parser = new StreamParser();
      }
    }
    expect(messages).toBeGreaterThan(INPUTS / 100);
  }, 60_000);

  it('never make the user agent throw, send nonsense or keep anything', async () => {
    const random = randomFrom(2026);
    const played = new PlayedUserAgent();
    const accept = (call: IncomingSipCall): void => call.accept({ body: { contentType: 'application/sdp', bytes: Buffer.from('v=0') } });
    const acts: ((call: IncomingSipCall) => void)[] = [(call) => call.ring(), accept, accept, (call) => call.reject(486), (call) => call.hangup({ reason: 'SIP;cause=200' }), () => {}];
    let confirmed = 0;
    let outgoingAnswered = 0;
    let live: Buffer[] = [];
    played.ua.on('incomingCall', (call) => {
      call.on('confirmed', () => confirmed++);
      call.on('reoffered', (_body, respond) => respond(random(2) === 0 ? { statusCode: 200, body: { contentType: 'application/sdp', bytes: Buffer.from('v=0') } } : { statusCode: 488 }));
      acts[random(acts.length)]!(call);
    });
    for (let i = 0; i < INPUTS; i++) {
      if (i % 200 === 0) {
        for (const bytes of played.sent) {
          const sent = parseMessage(bytes);
          if (!sent || sent.defect) expect.fail(`sent before input ${i}: ${JSON.stringify(bytes.toString('latin1'))}`);
        }
        played.sent.length = 0;
        for (const call of played.calls.splice(0)) if (random(2) === 0) acts[random(acts.length)]!(call);
        played.clock.advance(random(4) === 0 ? 40_000 : random(3000));
        for (let n = 0; n < 3; n++) played.receive(invite(`${i}-${n}`));
        const call = played.ua.call({ to: 'sip:z@192.0.2.1', from: 'sip:us@192.0.2.99', body: Buffer.from('v=0'), contentType: 'application/sdp', credentials: { username: 'u', password: 'p' } });
        call.on('accepted', () => outgoingAnswered++);
        await Promise.resolve();
        live = liveSeeds(played);
      }
      const from = live.length > 0 && random(2) === 0 ? live : seeds;
      const seed = from[random(from.length)]!;
      const transport = random(5) === 0 ? 'tcp' : 'udp';
      played.receive(random(6) === 0 ? seed : mutate(seed, from[random(from.length)]!, random), { transport, address: '192.0.2.1', port: 5060 });
      if (played.errors.length > 0) expect.fail(`input ${i}: ${JSON.stringify(played.errors[0])}`);
    }
    expect(confirmed).toBeGreaterThan(INPUTS / 2000);
    expect(outgoingAnswered).toBeGreaterThan(INPUTS / 2000);
    const stopped = played.ua.stop();
    await played.clock.advanceAsync(2000, 20);
    await stopped;
    played.clock.advance(300_000);
    expect(played.ua.counts()).toEqual({ dialogs: 0, transactions: 0, connections: 0 });
    expect(played.clock.pending).toBe(0);
  }, 120_000);
});
