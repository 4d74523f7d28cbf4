import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FakeClock } from '../testing/fake-clock.ts';
import type { IncomingSipCall, OutgoingSipCall, OutgoingSipCallOptions, SipEnding, SipUserAgent } from './contract.ts';
import { TextBench } from './testing/text-bench.ts';
import { bodyTextOf, endingsOf, headerOf, sdp, textOf, toTagOf, type RequestParts, type TextPeer } from './transport/testing/text-peer.ts';

// What keeps a call's dialog alive, changes it and ends it, against a peer that speaks in lines of text, time moved by hand.

let bench: TextBench;
let clock: FakeClock;
let ua: SipUserAgent;
let peer: TextPeer;

const TIMER = ['Supported: timer'];

beforeEach(async () => {
  bench = await TextBench.open();
  ({ clock, ua, peer } = bench);
});

afterEach(() => bench.close());

/** Nothing stays once the transactions have run out. */
const expectNothingLeft = async (): Promise<void> => expect(await bench.leftovers()).toEqual({ dialogs: 0, transactions: 0, timers: 0 });

const called: TextBench['called'] = (parts) => bench.called(parts);

interface Called {
  call: IncomingSipCall;
  toTag: string;
  ok: string;
  endings: SipEnding[];
}

async function confirmedIn(parts: RequestParts = {}): Promise<Called> {
  const call = await called(parts);
  const endings = endingsOf(call);
  call.accept({ body: sdp('answer') });
  const ok = await peer.next('200');
  const toTag = toTagOf(ok);
  peer.send(peer.request('ACK', { toTag, branch: 'z9hG4bK-ack', ...(parts.callId !== undefined && { callId: parts.callId }) }));
  await expect.poll(() => call.state).toBe('confirmed');
  return { call, toTag, ok, endings };
}

const dial = (options: Partial<OutgoingSipCallOptions> = {}): OutgoingSipCall =>
  ua.call({ to: `sip:bob@127.0.0.1:${peer.port}`, from: 'sip:alice@127.0.0.1', body: Buffer.from('offer'), contentType: 'application/sdp', ...options });

async function confirmedOut(extra: string[] = [], options: Partial<OutgoingSipCallOptions> = {}): Promise<{ call: OutgoingSipCall; invite: string; endings: SipEnding[] }> {
  const call = dial(options);
  const endings = endingsOf(call);
  const invite = await peer.next('INVITE');
  peer.send(peer.answer(invite, '200 OK', { tag: 't', body: 'answer', extra }));
  await peer.next('ACK');
  return { call, invite, endings };
}

/** A request of the peer within a dialog that the user agent opened. */
const back = (invite: string, method: string, parts: RequestParts & { tag?: string }): string => {
  const ours = /tag=([^;>\s]+)/.exec(headerOf(invite, 'From'))?.[1] ?? '';
  return peer.request(method, { callId: headerOf(invite, 'Call-ID'), fromTag: parts.tag ?? 't', toTag: ours, branch: `z9hG4bK-back-${method}-${parts.cseq ?? 1}`, ...parts });
};

describe('a session timer, on a call that came in', () => {
  it('is agreed with a caller that knows it, and refreshed by us with UPDATE at half time', async () => {
    const { ok, endings } = await confirmedIn({ extra: [...TIMER, 'Session-Expires: 100', 'Allow: INVITE, UPDATE'] });
    expect(headerOf(ok, 'Session-Expires')).toBe('100;refresher=uas');
    expect(headerOf(ok, 'Require')).toBe('timer');
    for (const cseq of [1, 2, 3]) {
      clock.advance(49_999);
      expect((await peer.settle()).filter((m) => m.startsWith('UPDATE'))).toEqual([]);
      clock.advance(1);
      const update = await peer.next('UPDATE');
      expect(headerOf(update, 'CSeq')).toBe(`${cseq} UPDATE`);
      expect(headerOf(update, 'Session-Expires')).toBe('100;refresher=uac');
      expect(headerOf(update, 'Supported')).toContain('timer');
      expect(bodyTextOf(update)).toBe('');
      peer.send(peer.answer(update, '200 OK', { extra: ['Session-Expires: 100;refresher=uac', 'Require: timer'] }));
      await peer.settle();
    }
    expect(endings).toEqual([]);
  });

  it('is refreshed by INVITE with the same words where UPDATE is not allowed', async () => {
    const { call, toTag } = await confirmedIn({ extra: [...TIMER, 'Session-Expires: 90;refresher=uas', 'Allow: INVITE, BYE'] });
    clock.advance(45_000);
    const invite = await peer.next('INVITE');
    expect(bodyTextOf(invite)).toBe('answer');
    const changed: (string | null)[] = [];
    call.on('reofferAnswered', (body) => changed.push(textOf(body)));
    peer.send(peer.answer(invite, '200 OK', { body: 'offer', extra: ['Session-Expires: 90;refresher=uac'] }));
    expect(headerOf(await peer.next('ACK'), 'CSeq')).toBe('1 ACK');
    expect(changed).toEqual([]);
    peer.send(peer.request('BYE', { toTag, cseq: 2 }));
    await peer.next('200');
    await expectNothingLeft();
  });

  it('that the caller keeps ends by BYE when no refresh comes, 30 s before its 90 run out', async () => {
    const { ok, endings } = await confirmedIn({ extra: [...TIMER, 'Session-Expires: 90;refresher=uac'] });
    expect(headerOf(ok, 'Session-Expires')).toBe('90;refresher=uac');
    clock.advance(59_999);
    expect(endings).toEqual([]);
    clock.advance(1);
    expect(endings).toEqual([{ cause: 'session-expired' }]);
    const bye = await peer.next('BYE');
    expect(headerOf(bye, 'Reason')).toContain('SIP;cause=408');
    peer.send(peer.answer(bye, '200 OK'));
    await expectNothingLeft();
  });

  it('lives on with each refresh of the caller, by UPDATE or by an INVITE that says the same: media hears of neither', async () => {
    const { call, toTag, endings } = await confirmedIn({ extra: [...TIMER, 'Session-Expires: 90;refresher=uac'] });
    const offers: unknown[] = [];
    call.on('reoffered', (body, respond) => {
      offers.push(textOf(body));
      respond({ statusCode: 488 });
    });
    const timer = [...TIMER, 'Session-Expires: 90;refresher=uac'];
    for (let cseq = 2; cseq < 6; cseq++) {
      clock.advance(50_000);
      const byInvite = cseq % 2 === 0;
      peer.send(peer.request(byInvite ? 'INVITE' : 'UPDATE', { toTag, cseq, extra: timer, ...(byInvite && { body: 'offer' }) }));
      const ok = await peer.next('200');
      expect(headerOf(ok, 'Session-Expires')).toBe('90;refresher=uac');
      if (byInvite) {
        expect(bodyTextOf(ok)).toBe('answer');
        peer.send(peer.request('ACK', { toTag, cseq, branch: `z9hG4bK-a${cseq}` }));
      }
      await peer.settle();
    }
    expect([offers, endings]).toEqual([[], []]);
    clock.advance(60_000);
    expect(endings).toEqual([{ cause: 'session-expired' }]);
  });

  it('ends when the refresh is answered by nobody', async () => {
    const { endings } = await confirmedIn({ extra: [...TIMER, 'Session-Expires: 1800', 'Allow: UPDATE'] });
    clock.advance(900_000);
    await peer.next('UPDATE');
    clock.advance(32_000);
    expect(endings).toEqual([{ cause: 'dialog-lost', statusCode: 408 }]);
    peer.send(peer.answer(await peer.next('BYE'), '481 Gone'));
    await expectNothingLeft();
  });

  it('ends at once when the other side knows nothing of it', async () => {
    const { endings } = await confirmedIn({ extra: [...TIMER, 'Session-Expires: 1800', 'Allow: UPDATE'] });
    clock.advance(900_000);
    peer.send(peer.answer(await peer.next('UPDATE'), '481 Gone'));
    await expect.poll(() => endings).toEqual([{ cause: 'dialog-lost', statusCode: 481 }]);
    peer.send(peer.answer(await peer.next('BYE'), '481 Gone'));
    await expectNothingLeft();
  });

  it('tries again when a refresh is refused, and ends in time', async () => {
    const { endings } = await confirmedIn({ extra: [...TIMER, 'Session-Expires: 90;refresher=uas', 'Allow: UPDATE'] });
    clock.advance(45_000);
    peer.send(peer.answer(await peer.next('UPDATE'), '488 No'));
    await peer.settle();
    clock.advance(7_500);
    peer.send(peer.answer(await peer.next('UPDATE'), '405 No'));
    // Then by INVITE.
    peer.send(peer.answer(await peer.next('INVITE'), '500 No'));
    await peer.next('ACK');
    await peer.settle();
    clock.advance(7_500);
    expect(endings).toEqual([{ cause: 'session-expired' }]);
    await peer.next('BYE');
  });

  it('is not pressed on a caller that does not know it, but kept when a proxy asks for it', async () => {
    const plain = await confirmedIn();
    expect(headerOf(plain.ok, 'Session-Expires')).toBe('');
    plain.call.hangup();
    peer.send(peer.answer(await peer.next('BYE'), '200 OK'));
    const { ok } = await confirmedIn({ callId: 'c2', cseq: 1, branch: 'z9hG4bK-2', extra: ['Session-Expires: 60'] });
    expect(headerOf(ok, 'Session-Expires')).toBe('90;refresher=uas');
    expect(headerOf(ok, 'Require')).toBe('');
  });

  it('too short is 422 inside the call as well', async () => {
    const { toTag, endings } = await confirmedIn();
    peer.send(peer.request('UPDATE', { toTag, cseq: 2, extra: [...TIMER, 'x: 30'] }));
    expect(headerOf(await peer.next('422'), 'Min-SE')).toBe('90');
    expect(endings).toEqual([]);
  });
});

describe('a session timer, on a call of ours', () => {
  it('is asked for, and kept by whoever the called side names', async () => {
    const { invite, endings } = await confirmedOut(['Session-Expires: 1800;refresher=uas', 'Require: timer']);
    expect(headerOf(invite, 'Session-Expires')).toBe('1800');
    expect(headerOf(invite, 'Supported')).toContain('100rel, timer');
    clock.advance(1_767_999);
    expect(endings).toEqual([]);
    clock.advance(1);
    expect(endings).toEqual([{ cause: 'session-expired' }]);
    peer.send(peer.answer(await peer.next('BYE'), '200 OK'));
    await expectNothingLeft();
  });

  it('is refreshed by us when named', async () => {
    const { invite, endings } = await confirmedOut(['Session-Expires: 200;refresher=uac', 'Allow: INVITE, UPDATE']);
    clock.advance(100_000);
    const update = await peer.next('UPDATE');
    expect(headerOf(update, 'CSeq')).toBe('2 UPDATE');
    // The called side takes the task over.
    peer.send(peer.answer(update, '200 OK', { extra: ['Session-Expires: 200;refresher=uas'] }));
    await peer.settle();
    clock.advance(160_000);
    peer.send(back(invite, 'UPDATE', { cseq: 1, extra: [...TIMER, 'Session-Expires: 200;refresher=uac'] }));
    await peer.next('200');
    clock.advance(160_000);
    expect(endings).toEqual([]);
    clock.advance(8_000);
    expect(endings).toEqual([{ cause: 'session-expired' }]);
  });

  it('longer than asked: 422 is followed by an INVITE of that length, as long as it wants more', async () => {
    const call = dial();
    const endings = endingsOf(call);
    for (const [minS, cseq] of [[3600, 2], [7200, 3]] as const) {
      peer.send(peer.answer(await peer.next('INVITE'), '422 Too Small', { tag: 'x', extra: [`Min-SE: ${minS}`] }));
      await peer.next('ACK');
      const again = await peer.next('INVITE');
      expect([headerOf(again, 'Session-Expires'), headerOf(again, 'Min-SE'), headerOf(again, 'CSeq')]).toEqual([String(minS), String(minS), `${cseq} INVITE`]);
      peer.inbox.unshift(again);
    }
    // One that wants less than was asked makes no sense.
    peer.send(peer.answer(await peer.next('INVITE'), '422 Too Small', { tag: 'x', extra: ['Min-SE: 100'] }));
    await expect.poll(() => endings).toMatchObject([{ cause: 'rejected', statusCode: 422 }]);
    await peer.settle();
    await expectNothingLeft();
  });

  it('is not there when the called side says nothing of it', async () => {
    const { endings } = await confirmedOut();
    clock.advance(7_200_000);
    expect(await peer.settle()).toEqual([]);
    expect(endings).toEqual([]);
  });
});

describe('an offer of ours inside a call', () => {
  const reoffering = (call: IncomingSipCall | OutgoingSipCall): [number, string | null][] => {
    const results: [number, string | null][] = [];
    call.reoffer(sdp('ours'), (statusCode, body) => results.push([statusCode, textOf(body)]));
    return results;
  };

  it('is answered, acknowledged, and acknowledged again', async () => {
    const { call } = await confirmedIn();
    const results = reoffering(call);
    const invite = await peer.next('INVITE');
    expect([bodyTextOf(invite), toTagOf(invite), headerOf(invite, 'CSeq')]).toEqual(['ours', 'peer', '1 INVITE']);
    peer.send(peer.answer(invite, '100 Trying'));
    const ok = peer.answer(invite, '200 OK', { body: 'theirs' });
    peer.send(ok);
    expect(headerOf(await peer.next('ACK'), 'CSeq')).toBe('1 ACK');
    peer.send(ok);
    await peer.next('ACK');
    expect(results).toEqual([[200, 'theirs']]);
    call.hangup();
    // The target moved with the 200.
    const bye = await peer.next('BYE');
    expect(bye).toContain(`BYE sip:callee@127.0.0.1:${peer.port}`);
    peer.send(peer.answer(bye, '200 OK'));
    await expectNothingLeft();
  });

  it('meets theirs: 491 to both, and we come again after 2.1 to 4 s where the Call-ID is ours', async () => {
    const { call, invite } = await confirmedOut();
    const results = reoffering(call);
    const first = await peer.next('INVITE');
    peer.send(back(invite, 'INVITE', { cseq: 1, body: 'theirs' }));
    await peer.next('491');
    peer.send(peer.answer(first, '491 Request Pending'));
    await peer.next('ACK');
    await peer.settle();
    clock.advance(2_099);
    expect((await peer.settle()).filter((m) => m.startsWith('INVITE'))).toEqual([]);
    clock.advance(1_901);
    const second = await peer.next('INVITE');
    expect(headerOf(second, 'CSeq')).toBe('3 INVITE');
    peer.send(peer.answer(second, '200 OK', { body: 'fine' }));
    await peer.next('ACK');
    expect(results).toEqual([[200, 'fine']]);
  });

  it('comes again within 2 s where the Call-ID is theirs', async () => {
    const { call } = await confirmedIn();
    reoffering(call);
    peer.send(peer.answer(await peer.next('INVITE'), '491 Request Pending'));
    await peer.next('ACK');
    await peer.settle();
    clock.advance(2_000);
    expect(headerOf(await peer.next('INVITE'), 'CSeq')).toBe('2 INVITE');
  });

  it('waits as long as Retry-After says, and gives up after six tries', async () => {
    const { call, endings } = await confirmedIn();
    const results = reoffering(call);
    for (let n = 1; n <= 6; n++) {
      const invite = await peer.next('INVITE');
      expect(headerOf(invite, 'CSeq')).toBe(`${n} INVITE`);
      peer.send(peer.answer(invite, '500 Not Now', { extra: ['Retry-After: 7'] }));
      await peer.next('ACK');
      await peer.settle();
      clock.advance(6_999);
      expect((await peer.settle()).filter((m) => m.startsWith('INVITE'))).toEqual([]);
      clock.advance(1);
    }
    expect(results).toEqual([[500, null]]);
    expect(endings).toEqual([]);
  });

  it('waits for the turn while theirs is open', async () => {
    const { call, toTag } = await confirmedIn();
    let respond: () => void = () => {};
    call.on('reoffered', (_body, answer) => (respond = () => answer({ statusCode: 200, body: sdp('x') })));
    peer.send(peer.request('INVITE', { toTag, cseq: 2, body: 'theirs' }));
    await peer.next('100');
    reoffering(call);
    clock.advance(5_000);
    expect((await peer.settle()).filter((m) => m.startsWith('INVITE'))).toEqual([]);
    respond();
    await peer.next('200');
    peer.send(peer.request('ACK', { toTag, cseq: 2, branch: 'z9hG4bK-a' }));
    await peer.settle();
    clock.advance(2_000);
    await peer.next('INVITE');
  });

  it.each([404, 408, 410, 416, 481, 482, 483, 484, 485, 502, 604])('answered with %d it ends the call', async (statusCode) => {
    const { call, endings } = await confirmedIn();
    const results = reoffering(call);
    peer.send(peer.answer(await peer.next('INVITE'), `${statusCode} Gone`));
    await expect.poll(() => endings).toEqual([{ cause: 'dialog-lost', statusCode }]);
    expect(results).toEqual([[statusCode, null]]);
    peer.send(peer.answer(await peer.next('BYE'), '200 OK'));
    await peer.settle();
    await expectNothingLeft();
  });

  it('only ever answered with 100 it ends the call after a minute', async () => {
    const { call, endings } = await confirmedIn();
    reoffering(call);
    peer.send(peer.answer(await peer.next('INVITE'), '100 Trying'));
    await peer.settle();
    clock.advance(60_000);
    expect(endings).toEqual([{ cause: 'dialog-lost', statusCode: 408 }]);
    peer.send(peer.answer(await peer.next('BYE'), '200 OK'));
    await expectNothingLeft();
  });

  it.each([302, 400, 403, 405, 480, 486, 488, 500, 501, 503, 600, 603, 606])('refused with %d leaves the call as it is', async (statusCode) => {
    const { call, endings } = await confirmedIn();
    const results = reoffering(call);
    peer.send(peer.answer(await peer.next('INVITE'), `${statusCode} No`));
    await expect.poll(() => results).toEqual([[statusCode, null]]);
    expect([endings, call.state]).toEqual([[], 'confirmed']);
  });

  it('is sent again with credentials, and its ACK carries them too', async () => {
    const { call } = await confirmedOut([], { credentials: { username: 'bob', password: 'secret' } });
    const results = reoffering(call);
    peer.send(peer.answer(await peer.next('INVITE'), '407 Prove It', { extra: ['Proxy-Authenticate: Digest realm="r", nonce="n1", qop="auth"'] }));
    await peer.next('ACK');
    const again = await peer.next('INVITE');
    const proof = headerOf(again, 'Proxy-Authorization');
    const field = (name: string): string => new RegExp(`${name}="?([^",]*)`).exec(proof)?.[1] ?? '';
    const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
    expect(field('response')).toBe(md5(`${md5('bob:r:secret')}:n1:00000001:${field('cnonce')}:auth:${md5(`INVITE:${field('uri')}`)}`));
    peer.send(peer.answer(again, '200 OK', { body: 'theirs' }));
    expect(headerOf(await peer.next('ACK'), 'Proxy-Authorization')).toBe(proof);
    expect(results).toEqual([[200, 'theirs']]);
  });

  it('crossed by their BYE: nothing stays, and the 487 is acknowledged', async () => {
    const { call, toTag, endings } = await confirmedIn();
    const results = reoffering(call);
    const invite = await peer.next('INVITE');
    peer.send(peer.answer(invite, '100 Trying'));
    peer.send(peer.request('BYE', { toTag, cseq: 2 }));
    await peer.next('200');
    peer.send(peer.answer(invite, '487 Request Terminated'));
    await peer.next('ACK');
    expect([endings, results]).toEqual([[{ cause: 'remote-bye' }], []]);
    await expectNothingLeft();
  });

  it('is not for a call that only rings, or is over', async () => {
    const call = await called();
    expect(reoffering(call)).toEqual([[481, null]]);
    call.reject(486);
    expect(reoffering(call)).toEqual([[481, null]]);
  });
});

describe('an offer of theirs', () => {
  it('by UPDATE is answered in its 200', async () => {
    const { call, toTag } = await confirmedIn();
    call.on('reoffered', (body, respond) => respond({ statusCode: 200, body: sdp(`to ${textOf(body) ?? ''}`) }));
    peer.send(peer.request('UPDATE', { toTag, cseq: 2, body: 'hold' }));
    expect(bodyTextOf(await peer.next('200'))).toBe('to hold');
    peer.send(peer.request('UPDATE', { toTag, cseq: 3, body: 'offer' }));
    expect(bodyTextOf(await peer.next('200'))).toBe('to offer');
  });

  it('is 491 while our own waits for the answer in an ACK', async () => {
    const { call, toTag } = await confirmedIn();
    call.on('reoffered', (body, respond) => respond(body ? { statusCode: 488 } : { statusCode: 200, body: sdp('ours') }));
    peer.send(peer.request('INVITE', { toTag, cseq: 2 }));
    await peer.next('200');
    peer.send(peer.request('UPDATE', { toTag, cseq: 3, body: 'theirs' }));
    await peer.next('491');
    peer.send(peer.request('ACK', { toTag, cseq: 2, branch: 'z9hG4bK-a2', body: 'answer' }));
    peer.send(peer.request('UPDATE', { toTag, cseq: 4, body: 'theirs' }));
    await peer.next('488');
  });

  it('does not move the target when it is refused', async () => {
    const { call, toTag } = await confirmedIn();
    peer.send(peer.request('INVITE', { toTag, cseq: 2, body: 'x' }).replace(/Contact: <[^>]*>/, 'Contact: <sip:nowhere@127.0.0.1:9>'));
    await peer.next('488');
    call.hangup();
    expect(await peer.next('BYE')).toContain(`BYE sip:peer@127.0.0.1:${peer.port}`);
  });

  it('moves the target of a call of ours by UPDATE', async () => {
    const { call, invite } = await confirmedOut();
    peer.send(back(invite, 'UPDATE', { cseq: 1 }).replace(/Contact: <[^>]*>/, `Contact: <sip:moved@127.0.0.1:${peer.port}>`));
    await peer.next('200');
    call.hangup();
    expect(await peer.next('BYE')).toContain(`BYE sip:moved@127.0.0.1:${peer.port}`);
  });

  it('before the answer is 500 to an INVITE, and to an UPDATE whose turn it is not', async () => {
    const call = await called();
    call.ring();
    const toTag = toTagOf(await peer.next('180'));
    for (const method of ['INVITE', 'UPDATE']) {
      peer.send(peer.request(method, { toTag, cseq: method === 'INVITE' ? 2 : 3, body: 'again' }));
      const refusal = await peer.next('500');
      expect(Number(headerOf(refusal, 'Retry-After'))).toBeGreaterThan(0);
    }
    expect(call.state).toBe('early');
  });
});
