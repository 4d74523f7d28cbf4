import { connect } from 'node:net';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FakeClock } from '../testing/fake-clock.ts';
import type { IncomingSipCall, OutgoingSipCall, SipUserAgent } from './contract.ts';
import { TextBench } from './testing/text-bench.ts';
import { endingsOf, headerOf as header, sdp, TextPeer, toTagOf, type RequestParts } from './transport/testing/text-peer.ts';

// One user agent against a peer that speaks in lines of text, time moved by hand.

let bench: TextBench;
let clock: FakeClock;
let ua: SipUserAgent;
let peer: TextPeer;

const request = (method: string, parts?: RequestParts): string => peer.request(method, parts);
const answer: TextPeer['answer'] = (...args) => peer.answer(...args);

beforeEach(async () => {
  bench = await TextBench.open();
  ({ clock, ua, peer } = bench);
});

afterEach(() => bench.close());

const called: TextBench['called'] = (parts) => bench.called(parts);

/** A confirmed incoming call; returns our tag. */
async function confirmed(parts: RequestParts = {}): Promise<{ call: IncomingSipCall; toTag: string }> {
  const call = await called(parts);
  call.accept({ body: sdp('answer') });
  const toTag = toTagOf(await peer.next('200'));
  peer.send(request('ACK', { toTag, branch: 'z9hG4bK-ack' }));
  await expect.poll(() => call.state).toBe('confirmed');
  return { call, toTag };
}

describe('an incoming call', () => {
  it('gets 100 at once, with rport and received filled in', async () => {
    await called();
    expect(header(await peer.next('100'), 'Via')).toContain(`;rport=${peer.port};received=127.0.0.1`);
  });

  it('is one call however often its INVITE comes, and the last answer is repeated', async () => {
    let calls = 0;
    ua.on('incomingCall', () => calls++);
    const call = await called();
    call.ring();
    await peer.next('180');
    peer.send(request('INVITE', { body: 'offer' }));
    await peer.next('180');
    expect(calls).toBe(1);
  });

  it('repeats its 200 after 0.5, 1, 2, 4, 4 s until ACK', async () => {
    const call = await called();
    call.accept({ body: sdp('answer') });
    const first = await peer.next('200');
    for (const waitMs of [500, 1000, 2000, 4000, 4000]) {
      clock.advance(waitMs - 1);
      expect((await peer.settle()).filter((m) => m.includes('CSeq: 1 INVITE'))).toEqual([]);
      clock.advance(1);
      expect(await peer.next('200')).toBe(first);
    }
    peer.send(request('ACK', { toTag: toTagOf(first), branch: 'z9hG4bK-ack' }));
    await expect.poll(() => call.state).toBe('confirmed');
    clock.advance(10_000);
    expect(await peer.settle()).toEqual([]);
  });

  it('without ACK gets BYE after 32 s and ends as ack-timeout', async () => {
    const call = await called();
    const endings = endingsOf(call);
    call.accept({ body: sdp('answer') });
    await peer.next('200');
    clock.advance(31_999);
    expect(endings).toEqual([]);
    clock.advance(1);
    expect(endings).toEqual([{ cause: 'ack-timeout' }]);
    peer.send(answer(await peer.next('BYE'), '200 OK'));
    await expect.poll(() => ua.counts().dialogs).toBe(0);
    clock.advance(40_000);
    expect(ua.counts().transactions).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('hung up before the ACK: BYE waits for it', async () => {
    const call = await called();
    const endings = endingsOf(call);
    call.accept({ body: sdp('answer') });
    const ok = await peer.next('200');
    call.hangup();
    expect(endings).toEqual([{ cause: 'local' }]);
    expect(await peer.settle()).toEqual([]);
    peer.send(request('ACK', { toTag: toTagOf(ok), branch: 'z9hG4bK-ack' }));
    expect(await peer.next('BYE')).toContain('CSeq: 1 BYE');
  });

  it('CANCEL gets 200, the INVITE 487, and the ACK for it ends the transaction', async () => {
    const call = await called();
    const endings = endingsOf(call);
    peer.send(request('CANCEL', { branch: 'z9hG4bK-INVITE-1', extra: ['Reason: SIP;cause=200;text="elsewhere"'] }));
    const ok = await peer.next('200');
    const terminated = await peer.next('487');
    expect(toTagOf(ok)).toBe(toTagOf(terminated));
    expect(endings).toEqual([{ cause: 'remote-cancel', reason: 'SIP;cause=200;text="elsewhere"' }]);
    clock.advance(500);
    await peer.next('487');
    peer.send(request('ACK', { toTag: toTagOf(terminated), branch: 'z9hG4bK-INVITE-1' }));
    await peer.settle();
    clock.advance(4000);
    expect((await peer.settle()).filter((m) => m.includes('487'))).toEqual([]);
  });

  it('CANCEL that crosses the 200 changes nothing', async () => {
    const call = await called();
    call.accept({ body: sdp('answer') });
    const ok = await peer.next('200');
    peer.send(request('CANCEL', { branch: 'z9hG4bK-INVITE-1' }));
    expect(await peer.next('200')).toContain('CSeq: 1 CANCEL');
    peer.send(request('ACK', { toTag: toTagOf(ok), branch: 'z9hG4bK-ack' }));
    await expect.poll(() => call.state).toBe('confirmed');
  });

  it('BYE before we answered ends it, the INVITE gets 487', async () => {
    const call = await called();
    const endings = endingsOf(call);
    call.ring();
    const toTag = toTagOf(await peer.next('180'));
    peer.send(request('BYE', { toTag, cseq: 2 }));
    expect(await peer.next('200')).toContain('2 BYE');
    await peer.next('487');
    expect(endings).toEqual([{ cause: 'remote-bye' }]);
  });

  it('a ringing is said again every minute', async () => {
    (await called()).ring();
    await peer.next('180');
    clock.advance(60_000);
    await peer.next('180');
  });

  it('an offer-less INVITE gets our offer, and ACK brings the answer', async () => {
    const call = await called({ body: '' });
    expect(call.body).toBeNull();
    const answers: string[] = [];
    call.on('confirmed', (body) => answers.push(Buffer.from(body?.bytes ?? []).toString()));
    call.accept({ body: sdp('offer') });
    const ok = await peer.next('200');
    peer.send(request('ACK', { toTag: toTagOf(ok), branch: 'z9hG4bK-ack', body: 'answer' }));
    await expect.poll(() => answers).toEqual(['answer']);
  });

  it('keeps the route: Record-Route comes back in the 200 and leads our BYE', async () => {
    const near = `<sip:127.0.0.1:${peer.port};lr;hop=near>`;
    const { call } = await confirmed({ extra: [`Record-Route: ${near}, <sip:10.0.0.9;lr;hop=far>`] });
    call.hangup();
    const bye = await peer.next('BYE');
    expect(bye.split('\r\n').filter((line) => line.startsWith('Route:'))).toEqual([`Route: ${near}`, 'Route: <sip:10.0.0.9;lr;hop=far>']);
    expect(bye.split('\r\n')[0]).toBe(`BYE sip:peer@127.0.0.1:${peer.port} SIP/2.0`);
  });

  it('goes through a strict router: it stands on the request line, the target comes last', async () => {
    const { call } = await confirmed({ extra: [`Record-Route: <sip:127.0.0.1:${peer.port};hop=strict>, <sip:10.0.0.9;lr>`] });
    call.hangup();
    const bye = await peer.next('BYE');
    expect(bye.split('\r\n')[0]).toBe(`BYE sip:127.0.0.1:${peer.port};hop=strict SIP/2.0`);
    expect(bye.split('\r\n').filter((line) => line.startsWith('Route:'))).toEqual(['Route: <sip:10.0.0.9;lr>', `Route: <sip:peer@127.0.0.1:${peer.port}>`]);
  });
});

describe('inside a call', () => {
  it('re-INVITE is answered once by the call, its 200 repeated until ACK, and the target moves', async () => {
    const { call, toTag } = await confirmed();
    const offers: string[] = [];
    call.on('reoffered', (body, respond) => {
      offers.push(Buffer.from(body?.bytes ?? []).toString());
      respond({ statusCode: 200, body: sdp('answer2') });
      respond({ statusCode: 488 });
    });
    const other = new TextPeer(() => ua.ports.udp);
    await other.open();
    peer.send(request('INVITE', { toTag, cseq: 2, body: 'hold' }).replace(/Contact: <[^>]*>/, `Contact: <sip:peer@127.0.0.1:${other.port}>`));
    expect(await peer.next('200')).toMatch(/answer2$/);
    clock.advance(500);
    await peer.next('200');
    peer.send(request('ACK', { toTag, cseq: 2, branch: 'z9hG4bK-ack2' }));
    await peer.settle();
    clock.advance(10_000);
    expect(await peer.settle()).toEqual([]);
    expect(offers).toEqual(['hold']);
    call.hangup();
    expect(await other.next('BYE')).toContain(`BYE sip:peer@127.0.0.1:${other.port}`);
    other.socket.close();
  });

  it('re-INVITE without ACK for its 200 ends the call', async () => {
    const { call, toTag } = await confirmed();
    const endings = endingsOf(call);
    call.on('reoffered', (_body, respond) => respond({ statusCode: 200, body: sdp('x') }));
    peer.send(request('INVITE', { toTag, cseq: 2, body: 'hold' }));
    await peer.next('200');
    clock.advance(32_000);
    expect(endings).toEqual([{ cause: 'ack-timeout' }]);
    await peer.next('BYE');
  });

  it('offer-less re-INVITE: the answer comes with ACK', async () => {
    const { call, toTag } = await confirmed();
    const answers: string[] = [];
    call.on('reoffered', (body, respond) => respond(body ? { statusCode: 488 } : { statusCode: 200, body: sdp('offer') }));
    call.on('reofferAnswered', (body) => answers.push(Buffer.from(body?.bytes ?? []).toString()));
    peer.send(request('INVITE', { toTag, cseq: 2 }));
    await peer.next('200');
    peer.send(request('ACK', { toTag, cseq: 2, branch: 'z9hG4bK-ack2', body: 'theirs' }));
    await expect.poll(() => answers).toEqual(['theirs']);
  });

  it('a re-INVITE nobody listens to is 488; a second one while the first is open is 500', async () => {
    const { call, toTag } = await confirmed();
    peer.send(request('INVITE', { toTag, cseq: 2, body: 'x' }));
    await peer.next('488');
    call.on('reoffered', () => {});
    peer.send(request('INVITE', { toTag, cseq: 3, body: 'x' }));
    await peer.next('100');
    peer.send(request('INVITE', { toTag, cseq: 4, body: 'x' }));
    expect(header(await peer.next('500'), 'Retry-After')).not.toBe('');
    peer.send(request('BYE', { toTag, cseq: 5 }));
    await peer.next('487');
  });

  it('INFO is reported and answered, OPTIONS and empty UPDATE answered, others 405', async () => {
    const { call, toTag } = await confirmed();
    const infos: string[] = [];
    call.on('infoReceived', (body) => infos.push(Buffer.from(body?.bytes ?? []).toString()));
    peer.send(request('INFO', { toTag, cseq: 2, body: 'Signal=5' }));
    await peer.next('200');
    expect(infos).toEqual(['Signal=5']);
    peer.send(request('OPTIONS', { toTag, cseq: 3 }));
    expect(header(await peer.next('200'), 'Allow')).toContain('INVITE');
    peer.send(request('UPDATE', { toTag, cseq: 4 }));
    expect(header(await peer.next('200'), 'Contact')).toContain(String(ua.ports.udp));
    peer.send(request('PUBLISH', { toTag, cseq: 5 }));
    expect(header(await peer.next('405'), 'Allow')).not.toContain('PUBLISH');
    peer.send(request('INVITE', { toTag, cseq: 6, extra: ['Require: timer, 100rel, gruu, pref'] }));
    expect(header(await peer.next('420'), 'Unsupported')).toBe('gruu, pref');
  });

  it('a CSeq behind the last one is 500', async () => {
    const { toTag } = await confirmed({ cseq: 1 });
    peer.send(request('INFO', { toTag, cseq: 9 }));
    await peer.next('200');
    peer.send(request('INFO', { toTag, cseq: 8 }));
    await peer.next('500');
  });

  it('BYEs that cross: both get 200', async () => {
    const { call, toTag } = await confirmed();
    const endings = endingsOf(call);
    call.hangup();
    await peer.next('BYE');
    peer.send(request('BYE', { toTag, cseq: 2 }));
    expect(await peer.next('200')).toContain('2 BYE');
    expect(endings).toEqual([{ cause: 'local' }]);
  });

  it('a BYE that gets no answer is sent again, and the dialog forgotten after 32 s', async () => {
    const { call } = await confirmed();
    call.hangup();
    await peer.next('BYE');
    clock.advance(500);
    await peer.next('BYE');
    clock.advance(31_500);
    expect(ua.counts().dialogs).toBe(0);
  });

  it('requests of another dialog are 481', async () => {
    await confirmed();
    peer.send(request('INFO', { toTag: 'other', cseq: 2 }));
    await peer.next('481');
  });
});

describe('outside a call', () => {
  it.each([
    ['OPTIONS', {}, '200', /^Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REGISTER, NOTIFY, REFER$/m],
    ['SUBSCRIBE', {}, '405', /^Allow: INVITE/m],
    ['REFER', {}, '403', /./],
    ['BYE', { toTag: 'x' }, '481', /./],
    ['BYE', {}, '481', /./],
    ['INVITE', { toTag: 'x' }, '481', /./],
    ['CANCEL', { branch: 'z9hG4bKnobody' }, '481', /./],
    ['INVITE', { extra: ['Require: gruu'] }, '420', /^Unsupported: gruu\r$/m],
    ['INVITE', { extra: ['Supported: timer', 'Session-Expires: 89'] }, '422', /^Min-SE: 90\r$/m],
    ['PRACK', { toTag: 'x' }, '481', /./],
    ['INVITE', { uri: 'tel:+1555' }, '416', /./],
  ] as [string, RequestParts, string, RegExp][])('%s %o gets %s', async (method, parts, status, shape) => {
    ua.on('incomingCall', () => {});
    peer.send(request(method, parts));
    const response = await peer.next(`SIP/2.0 ${status}`);
    expect(response).toMatch(shape);
    expect(toTagOf(response)).not.toBe('');
    expect(ua.counts()).toMatchObject({ dialogs: 0, transactions: 0 });
  });

  it('an INVITE with no forwards left is 483', async () => {
    ua.on('incomingCall', () => {});
    peer.send(request('INVITE').replace('Max-Forwards: 70', 'Max-Forwards: 0'));
    await peer.next('483');
  });

  it('the same request by another way is 482', async () => {
    await called();
    peer.send(request('INVITE', { branch: 'z9hG4bK-other', body: 'offer' }));
    await peer.next('482');
  });

  it('nobody takes calls: 503', async () => {
    peer.send(request('INVITE'));
    await peer.next('503');
  });

  it('ACK without a call and answers without a question are dropped', async () => {
    peer.send(request('ACK', { toTag: 'x' }));
    peer.send(answer(request('OPTIONS'), '200 OK', { tag: 'x' }));
    expect(await peer.settle()).toEqual([]);
  });

  it('a request whose From cannot be read gets 400', async () => {
    peer.send(request('INVITE').replace('"Peer"', '"Peer'));
    await peer.next('400');
  });
});

describe('an outgoing call', () => {
  const dial = (options: { credentials?: { username: string; password: string } } = {}): OutgoingSipCall =>
    ua.call({ to: `sip:bob@127.0.0.1:${peer.port}`, from: 'sip:alice@127.0.0.1', body: Buffer.from('offer'), contentType: 'application/sdp', ...options });

  it('repeats its INVITE after 0.5, 1, 2 s and is unreachable after 32 s', async () => {
    const endings = endingsOf(dial());
    const first = await peer.next('INVITE');
    for (const waitMs of [500, 1000, 2000]) {
      clock.advance(waitMs);
      expect(await peer.next('INVITE')).toBe(first);
    }
    clock.advance(28_499);
    expect(endings).toEqual([]);
    clock.advance(1);
    expect(endings).toMatchObject([{ cause: 'unreachable' }]);
    expect(ua.counts()).toMatchObject({ dialogs: 0, transactions: 0 });
    expect(clock.pending).toBe(0);
  });

  it('acknowledges every repetition of the 200 along the recorded route', async () => {
    const call = dial();
    const ok = answer(await peer.next('INVITE'), '200 OK', { tag: 't', extra: [`Record-Route: <sip:10.0.0.9;lr;far>, <sip:127.0.0.1:${peer.port};lr;near>`, 'X-Who: callee'], body: 'answer' });
    peer.send(ok);
    const ack = await peer.next('ACK');
    expect(ack.split('\r\n')[0]).toBe(`ACK sip:callee@127.0.0.1:${peer.port} SIP/2.0`);
    expect(ack.split('\r\n').filter((line) => line.startsWith('Route:'))).toEqual([`Route: <sip:127.0.0.1:${peer.port};lr;near>`, 'Route: <sip:10.0.0.9;lr;far>']);
    expect(header(ack, 'CSeq')).toBe('1 ACK');
    expect(call.answerHeaders).toContainEqual(['X-Who', 'callee']);
    peer.send(ok);
    await peer.next('ACK');
    expect(call.state).toBe('confirmed');
  });

  it('acknowledges a refusal within the transaction', async () => {
    const call = dial();
    const endings = endingsOf(call);
    const invite = await peer.next('INVITE');
    expect(call.answerHeaders).toEqual([]);
    peer.send(answer(invite, '302 Moved Temporarily', { tag: 't', extra: ['X-Why: moved'] }));
    const ack = await peer.next('ACK');
    expect(header(ack, 'Via')).toBe(header(invite, 'Via'));
    expect(toTagOf(ack)).toBe('t');
    expect(endings).toMatchObject([{ cause: 'rejected', statusCode: 302 }]);
    expect(call.answerHeaders).toContainEqual(['X-Why', 'moved']);
  });

  it('keeps the first of two forked answers, acknowledges and hangs up the other', async () => {
    const call = dial();
    const endings = endingsOf(call);
    const invite = await peer.next('INVITE');
    peer.send(answer(invite, '180 Ringing', { tag: 'one' }));
    peer.send(answer(invite, '180 Ringing', { tag: 'two' }));
    peer.send(answer(invite, '200 OK', { tag: 'two', body: 'b' }));
    expect(toTagOf(await peer.next('ACK'))).toBe('two');
    peer.send(answer(invite, '200 OK', { tag: 'one', body: 'a' }));
    expect(toTagOf(await peer.next('ACK'))).toBe('one');
    const bye = await peer.next('BYE');
    expect(toTagOf(bye)).toBe('one');
    peer.send(answer(bye, '200 OK'));
    await expect.poll(() => ua.counts().dialogs).toBe(1);
    expect(call.state).toBe('confirmed');
    expect(endings).toEqual([]);
  });

  it('CANCEL waits for a provisional answer; a 200 that crosses it is acknowledged and hung up', async () => {
    const call = dial();
    const endings = endingsOf(call);
    const invite = await peer.next('INVITE');
    call.hangup();
    expect(endings).toEqual([{ cause: 'local' }]);
    expect((await peer.settle()).filter((m) => m.startsWith('CANCEL'))).toEqual([]);
    peer.send(answer(invite, '100 Trying'));
    const cancel = await peer.next('CANCEL');
    expect(header(cancel, 'Via')).toBe(header(invite, 'Via'));
    peer.send(answer(cancel, '200 OK', { tag: 't' }));
    peer.send(answer(invite, '200 OK', { tag: 't', body: 'x' }));
    await peer.next('ACK');
    peer.send(answer(await peer.next('BYE'), '200 OK'));
    await expect.poll(() => ua.counts().dialogs).toBe(0);
    expect(endings).toHaveLength(1);
  });

  it('a cancelled INVITE that never gets its final answer is forgotten after 32 s', async () => {
    const call = dial();
    peer.send(answer(await peer.next('INVITE'), '180 Ringing', { tag: 't' }));
    await new Promise<void>((resolve) => call.once('progressed', () => resolve()));
    call.hangup();
    peer.send(answer(await peer.next('CANCEL'), '200 OK', { tag: 't' }));
    await peer.settle();
    clock.advance(33_000);
    expect(ua.counts()).toMatchObject({ dialogs: 0, transactions: 0 });
    expect(clock.pending).toBe(0);
  });

  const challenge = (nonce: string, more = ''): string[] => [`WWW-Authenticate: Digest realm="r", nonce="${nonce}", qop="auth"${more}`];

  it('answers a challenge once, again when the nonce was stale, and gives up on a second refusal', async () => {
    const endings = endingsOf(dial({ credentials: { username: 'bob', password: 'secret' } }));
    peer.send(answer(await peer.next('INVITE'), '401 Unauthorized', { tag: 'a', extra: challenge('n1') }));
    await peer.next('ACK');
    const second = await peer.next('INVITE');
    const authorization = header(second, 'Authorization');
    const field = (name: string): string => new RegExp(`${name}="?([^",]*)`).exec(authorization)?.[1] ?? '';
    const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
    const expected = md5(`${md5('bob:r:secret')}:n1:00000001:${field('cnonce')}:auth:${md5(`INVITE:${field('uri')}`)}`);
    expect(field('response')).toBe(expected);
    expect(header(second, 'CSeq')).toBe('2 INVITE');
    peer.send(answer(second, '401 Unauthorized', { tag: 'b', extra: challenge('n2', ', stale=true') }));
    const third = await peer.next('INVITE');
    expect(header(third, 'Authorization')).toContain('nonce="n2"');
    peer.send(answer(third, '401 Unauthorized', { tag: 'c', extra: challenge('n3') }));
    await expect.poll(() => endings).toMatchObject([{ cause: 'rejected', statusCode: 401 }]);
  });

  it('a challenge without credentials ends the call', async () => {
    const endings = endingsOf(dial());
    peer.send(answer(await peer.next('INVITE'), '407 Proxy Authentication Required', { tag: 'a', extra: ['Proxy-Authenticate: Digest realm="r", nonce="n"'] }));
    await expect.poll(() => endings).toMatchObject([{ cause: 'rejected', statusCode: 407 }]);
  });

  it('answers a challenge to its BYE', async () => {
    const call = dial({ credentials: { username: 'bob', password: 'secret' } });
    peer.send(answer(await peer.next('INVITE'), '200 OK', { tag: 't', body: 'x' }));
    await peer.next('ACK');
    call.hangup({ reason: 'Q.850;cause=16' });
    peer.send(answer(await peer.next('BYE'), '401 Unauthorized', { extra: challenge('n9') }));
    const again = await peer.next('BYE');
    expect(header(again, 'CSeq')).toBe('3 BYE');
    expect(header(again, 'Authorization')).toContain('nonce="n9"');
    expect(header(again, 'Reason')).toBe('Q.850;cause=16');
  });
});

describe('a REFER of ours', () => {
  const notify = (toTag: string, cseq: number, parts: { sipfrag?: string; state?: string; event?: string }): string =>
    request('NOTIFY', { toTag, cseq, body: `${parts.sipfrag ?? 'SIP/2.0 200 OK'}\r\n`, extra: [`Event: ${parts.event ?? 'refer'}`, `Subscription-State: ${parts.state ?? 'active;expires=60'}`] }).replace('application/sdp', 'message/sipfrag;version=2.0');

  async function referring() {
    const { call, toTag } = await confirmed();
    const heard: unknown[] = [];
    call.refer('sip:bob@192.0.2.9?X-A=1', { answered: (code) => heard.push(code), notified: (news) => heard.push(news) });
    return { call, toTag, heard, refer: await peer.next('REFER') };
  }

  it('says whom to call, and hears how that goes, also before its own answer', async () => {
    const { refer, heard, toTag } = await referring();
    expect(refer).toMatch(/^REFER sip:peer@127\.0\.0\.1:\d+ SIP/);
    expect(header(refer, 'Refer-To')).toBe('<sip:bob@192.0.2.9?X-A=1>');
    expect(header(refer, 'Referred-By')).toBe('<sip:+15550100@127.0.0.1>');
    expect(header(refer, 'Contact')).toContain('sip:');
    peer.send(notify(toTag, 2, { sipfrag: 'SIP/2.0 100 Trying' }));
    expect(await peer.next('200')).toContain('2 NOTIFY');
    peer.send(answer(refer, '202 Accepted'));
    peer.send(notify(toTag, 3, { sipfrag: 'SIP/2.0 486 Busy Here', state: 'terminated;reason=noresource' }));
    await peer.next('200');
    peer.send(notify(toTag, 4, { sipfrag: 'SIP/2.0 200 OK' }));
    await peer.next('200');
    expect(heard).toEqual([{ statusCode: 100, final: false }, 202, { statusCode: 486, final: true }]);
  });

  it('is refused, or answered by nobody', async () => {
    const first = await referring();
    peer.send(answer(first.refer, '405 Method Not Allowed'));
    await expect.poll(() => first.heard).toEqual([405]);
    const heard: unknown[] = [];
    first.call.refer('sip:bob@192.0.2.9', { answered: (code) => heard.push(code), notified: () => {} });
    await clock.advanceAsync(33_000, 500);
    expect(heard).toEqual([408]);
  });

  it('a NOTIFY of something else, or of nothing we asked, is refused', async () => {
    const { toTag } = await confirmed();
    peer.send(notify(toTag, 2, {}));
    expect(await peer.next('481')).toContain('2 NOTIFY');
    peer.send(notify(toTag, 3, { event: 'presence' }));
    expect(header(await peer.next('489'), 'Allow-Events')).toBe('refer');
  });

  it('goes to SIP URIs only, and only once the call stands', async () => {
    const call = await called();
    const heard: unknown[] = [];
    call.refer('sip:bob@192.0.2.9', { answered: (code) => heard.push(code), notified: () => {} });
    expect(heard).toEqual([481]);
    for (const bad of ['tel:+1555', 'sip:bob@h>\r\nX: y', 'sip:a b@c', '']) expect(() => call.refer(bad, { answered: () => {}, notified: () => {} })).toThrow();
  });
});

describe('a REGISTER', () => {
  const SECRET = [{ md5: createHash('md5').update('alice:partyline:secret').digest('hex'), sha256: '' }];
  const URI = 'sip:acme.sip.localhost';
  const register = (cseq: number, extra: string[] = []): string => request('REGISTER', { uri: URI, callId: 'reg', cseq, branch: `z9hG4bK-reg-${cseq}`, extra });
  const proof = (challenge: string, nc: string): string => {
    const nonce = /nonce="([^"]+)"/.exec(challenge)?.[1] ?? '';
    const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
    const response = md5(`${SECRET[0]!.md5}:${nonce}:${nc}:c:auth:${md5(`REGISTER:${URI}`)}`);
    return `Authorization: Digest username="alice", realm="partyline", nonce="${nonce}", uri="${URI}", response="${response}", algorithm=MD5, qop=auth, nc=${nc}, cnonce="c"`;
  };

  it('is challenged, kept, told and taken away', async () => {
    ua.on('registering', (incoming) => {
      if (incoming.authenticate((name) => (name === 'alice' ? SECRET : [])).verified) incoming.accept('alice');
    });
    peer.send(register(1));
    const challenge = header(await peer.next('401'), 'WWW-Authenticate');
    peer.send(register(2, [proof(challenge, '00000001'), 'Expires: 120']));
    expect(header(await peer.next('200'), 'Contact')).toBe(`<sip:peer@127.0.0.1:${peer.port}>;expires=120`);
    expect(ua.contactsOf('alice')).toEqual([{ uri: `sip:peer@127.0.0.1:${peer.port}`, outboundProxy: `sip:127.0.0.1:${peer.port};transport=udp` }]);
    peer.send(register(3, [proof(challenge, '00000001'), 'Expires: 0']));
    expect(header(await peer.next('401'), 'WWW-Authenticate')).toContain('stale=true');
    peer.send(register(4, [proof(challenge, '00000002'), 'Expires: 30']));
    expect(header(await peer.next('423'), 'Min-Expires')).toBe('60');
    await clock.advanceAsync(120_000, 10_000);
    expect(ua.contactsOf('alice')).toEqual([]);
  });

  it('is refused when nobody takes it', async () => {
    peer.send(register(1));
    await peer.next('403');
    ua.on('registering', () => {});
    peer.send(register(2));
    await peer.next('403');
  });
});

describe('over TCP', () => {
  const tcp = async (write: string[]): Promise<{ text: () => string; closed: () => boolean; end: () => void }> => {
    let got = '';
    let closed = false;
    const socket = connect(ua.ports.tcp, '127.0.0.1');
    socket.on('data', (chunk) => (got += chunk.toString())).on('close', () => (closed = true)).on('error', () => {});
    await new Promise<void>((resolve) => socket.once('connect', resolve));
    for (const part of write) {
      socket.write(part);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return { text: () => got, closed: () => closed, end: () => socket.destroy() };
  };

  it('a keep-alive is answered by one line end', async () => {
    const c = await tcp(['\r\n\r\n']);
    await expect.poll(c.text).toBe('\r\n');
    c.end();
  });

  it('two requests in one chunk and one in pieces are all answered on that connection', async () => {
    const options = (id: string): string => request('OPTIONS', { callId: id, branch: `z9hG4bK${id}` }).replace('SIP/2.0/UDP', 'SIP/2.0/TCP');
    const c = await tcp([options('a') + options('b'), ...options('c').match(/[\s\S]{1,40}/g)!]);
    await expect.poll(() => c.text().match(/SIP\/2\.0 200/g)?.length).toBe(3);
    c.end();
  });

  it.each([
    ['without Content-Length', () => request('OPTIONS').replace(/Content-Length: 0\r\n/, '')],
    ['with an endless header section', () => 'OPTIONS sip:x SIP/2.0\r\n' + 'X: y\r\n'.repeat(20_000)],
    ['with a huge Content-Length', () => request('OPTIONS').replace('Content-Length: 0', 'Content-Length: 999999')],
  ])('a message %s closes the connection', async (_what, make) => {
    const c = await tcp([make()]);
    await expect.poll(c.closed).toBe(true);
  });

  it('half a message closes the connection after 10 s', async () => {
    const c = await tcp(['OPTIONS sip:x SIP/2.0\r\n']);
    await expect.poll(() => ua.counts().connections).toBe(1);
    await peer.settle();
    expect(c.closed()).toBe(false);
    clock.advance(10_000);
    await expect.poll(c.closed).toBe(true);
    expect(ua.counts().connections).toBe(0);
  });
});
