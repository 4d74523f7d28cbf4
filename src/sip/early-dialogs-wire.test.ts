import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FakeClock } from '../testing/fake-clock.ts';
import type { OutgoingSipCall, SipEnding, SipUserAgent } from './contract.ts';
import { TextBench } from './testing/text-bench.ts';
import { bodyTextOf, endingsOf, headerOf, sdp, textOf, toTagOf, type TextPeer } from './transport/testing/text-peer.ts';

// What happens before a call is answered: provisional answers that must arrive, forks, offers, races with CANCEL and BYE.

let bench: TextBench;
let clock: FakeClock;
let ua: SipUserAgent;
let peer: TextPeer;

beforeEach(async () => {
  bench = await TextBench.open();
  ({ clock, ua, peer } = bench);
});

afterEach(() => bench.close());

/** Nothing stays once the transactions have run out. */
const expectNothingLeft = async (): Promise<void> => expect(await bench.leftovers()).toEqual({ dialogs: 0, transactions: 0, timers: 0 });

const called: TextBench['called'] = (parts) => bench.called(parts);

const prack = (to: string, cseq: number, parts: { rseq?: number; body?: string } = {}): string =>
  peer.request('PRACK', { toTag: toTagOf(to), cseq, extra: [`RAck: ${parts.rseq ?? headerOf(to, 'RSeq')} 1 INVITE`], ...(parts.body !== undefined && { body: parts.body }) });

const KNOWS = ['Supported: 100rel'];
const INSISTS = ['Require: 100rel'];

describe('a provisional answer of ours', () => {
  it('goes without ceremony when it carries nothing, or the caller knows no better', async () => {
    const call = await called({ extra: KNOWS });
    call.ring();
    expect(headerOf(await peer.next('180'), 'RSeq')).toBe('');
    const plain = await called({ callId: 'c2', branch: 'z9hG4bK-2' });
    plain.ring({ statusCode: 183, body: sdp('early') });
    const progress = await peer.next('183');
    expect([headerOf(progress, 'RSeq'), bodyTextOf(progress)]).toEqual(['', 'early']);
  });

  it('with our answer is repeated after 0.5, 1, 2, 4, 8 s until its PRACK, and the 200 waits for that', async () => {
    const call = await called({ extra: KNOWS });
    call.ring({ statusCode: 183, body: sdp('early') });
    const first = await peer.next('183');
    expect(headerOf(first, 'Require')).toBe('100rel');
    expect(bodyTextOf(first)).toBe('early');
    call.accept({ body: sdp('early') });
    for (const waitMs of [500, 1000, 2000, 4000, 8000]) {
      clock.advance(waitMs - 1);
      expect((await peer.settle()).filter((m) => m.startsWith('SIP/2.0'))).toEqual([]);
      clock.advance(1);
      expect(await peer.next('183')).toBe(first);
    }
    expect(call.state).toBe('early');
    peer.send(prack(first, 2));
    expect(headerOf(await peer.next('200'), 'CSeq')).toBe('2 PRACK');
    const ok = await peer.next('200');
    // What the 183 said is not said again.
    expect([headerOf(ok, 'CSeq'), bodyTextOf(ok)]).toEqual(['1 INVITE', '']);
    peer.send(peer.request('ACK', { toTag: toTagOf(ok), branch: 'z9hG4bK-ack' }));
    await expect.poll(() => call.state).toBe('confirmed');
    call.hangup();
    peer.send(peer.answer(await peer.next('BYE'), '200 OK'));
    await expectNothingLeft();
  });

  it('that nobody acknowledges ends the call after 32 s with 504', async () => {
    const call = await called({ extra: INSISTS });
    const endings = endingsOf(call);
    call.ring();
    expect(headerOf(await peer.next('180'), 'RSeq')).not.toBe('');
    clock.advance(31_999);
    expect(endings).toEqual([]);
    clock.advance(1);
    expect(endings).toEqual([{ cause: 'ack-timeout' }]);
    const refusal = await peer.next('504');
    peer.send(peer.request('ACK', { toTag: toTagOf(refusal), branch: 'z9hG4bK-INVITE-1' }));
    await peer.settle();
    await expectNothingLeft();
  });

  it('waits for the PRACK of the one before, and is counted on', async () => {
    const call = await called({ extra: INSISTS });
    call.ring();
    const first = await peer.next('180');
    call.ring({ statusCode: 183, body: sdp('early') });
    expect((await peer.settle()).filter((m) => m.includes(' 183 '))).toEqual([]);
    peer.send(prack(first, 2));
    const second = await peer.next('183');
    expect(Number(headerOf(second, 'RSeq'))).toBe(Number(headerOf(first, 'RSeq')) + 1);
    peer.send(prack(second, 3));
    expect(headerOf(await peer.next('200'), 'CSeq')).toBe('3 PRACK');
  });

  it('with our answer, in line behind another, holds the 200 back too', async () => {
    const call = await called({ extra: INSISTS });
    call.ring();
    const ringing = await peer.next('180');
    call.ring({ statusCode: 183, body: sdp('early') });
    call.accept({ body: sdp('early') });
    peer.send(prack(ringing, 2));
    const progress = await peer.next('183');
    expect(bodyTextOf(progress)).toBe('early');
    expect((await peer.settle()).filter((m) => m.includes(' 200 '))).toEqual([]);
    peer.send(prack(progress, 3));
    expect(headerOf(await peer.next('200'), 'CSeq')).toBe('3 PRACK');
    expect(headerOf(await peer.next('200'), 'CSeq')).toBe('1 INVITE');
  });

  it('without our answer holds no 200 back, and is repeated no more after it', async () => {
    const call = await called({ extra: INSISTS });
    call.ring();
    const ringing = await peer.next('180');
    call.accept({ body: sdp('answer') });
    const ok = await peer.next('200');
    expect(bodyTextOf(ok)).toBe('answer');
    peer.send(peer.request('ACK', { toTag: toTagOf(ok), branch: 'z9hG4bK-ack' }));
    await expect.poll(() => call.state).toBe('confirmed');
    clock.advance(10_000);
    expect(await peer.settle()).toEqual([]);
    // Its PRACK comes too late to mean anything.
    peer.send(prack(ringing, 2));
    await peer.next('481');
  });

  it('is not taken for acknowledged by a PRACK that means another', async () => {
    const call = await called({ extra: INSISTS });
    call.ring();
    const ringing = await peer.next('180');
    peer.send(prack(ringing, 2, { rseq: 7 }));
    await peer.next('481');
    peer.send(peer.request('PRACK', { toTag: toTagOf(ringing), cseq: 3, extra: ['RAck: nonsense'] }));
    await peer.next('481');
    clock.advance(500);
    await peer.next('180');
  });

  it('is not given at all where an offer of ours would have to be in it', async () => {
    const call = await called({ extra: INSISTS, body: '' });
    call.ring();
    call.ring({ statusCode: 183, body: sdp('ours') });
    expect((await peer.settle()).filter((m) => / 18\d /.test(m))).toEqual([]);
    call.accept({ body: sdp('ours') });
    expect(bodyTextOf(await peer.next('200'))).toBe('ours');
  });

  it('is followed by CANCEL, or a refusal: nothing is repeated', async () => {
    const call = await called({ extra: INSISTS });
    const endings = endingsOf(call);
    call.ring({ statusCode: 183, body: sdp('early') });
    await peer.next('183');
    call.accept({ body: sdp('early') });
    peer.send(peer.request('CANCEL', { branch: 'z9hG4bK-INVITE-1' }));
    const refusal = await peer.next('487');
    peer.send(peer.request('ACK', { toTag: toTagOf(refusal), branch: 'z9hG4bK-INVITE-1' }));
    await peer.settle();
    expect(endings).toEqual([{ cause: 'remote-cancel' }]);
    await expectNothingLeft();
    expect((await peer.settle()).filter((m) => m.includes(' 183 '))).toEqual([]);
  });

  it('with our answer opens the way for offers in PRACK and UPDATE', async () => {
    const call = await called({ extra: KNOWS });
    call.on('reoffered', (body, respond) => respond({ statusCode: 200, body: sdp(`to ${textOf(body) ?? ''}`) }));
    call.ring({ statusCode: 183, body: sdp('early') });
    const progress = await peer.next('183');
    peer.send(prack(progress, 2, { body: 'second' }));
    expect(bodyTextOf(await peer.next('200'))).toBe('to second');
    peer.send(peer.request('UPDATE', { toTag: toTagOf(progress), cseq: 3, body: 'third' }));
    expect(bodyTextOf(await peer.next('200'))).toBe('to third');
  });

  it('with our answer lets us offer anew by UPDATE', async () => {
    const call = await called({ extra: [...KNOWS, 'Allow: INVITE, UPDATE'] });
    call.ring({ statusCode: 183, body: sdp('early') });
    peer.send(prack(await peer.next('183'), 2));
    await peer.next('200');
    const answers: (string | null)[] = [];
    call.reoffer(sdp('other port'), (_status, body) => answers.push(textOf(body)));
    const update = await peer.next('UPDATE');
    expect(bodyTextOf(update)).toBe('other port');
    peer.send(peer.answer(update, '200 OK', { body: 'fine' }));
    await expect.poll(() => answers).toEqual(['fine']);
  });

  it('with our answer: no offer of ours goes before its PRACK (RFC 3311 §5.1)', async () => {
    const call = await called({ extra: [...KNOWS, 'Allow: INVITE, UPDATE'] });
    call.ring({ statusCode: 183, body: sdp('early') });
    const progress = await peer.next('183');
    call.reoffer(sdp('ours'), () => {});
    expect((await peer.settle()).filter((m) => m.startsWith('UPDATE'))).toEqual([]);
    peer.send(prack(progress, 2));
    await peer.next('200');
    clock.advance(2_000);
    expect(bodyTextOf(await peer.next('UPDATE'))).toBe('ours');
  });

  it('has arrived with a PRACK whose offer crosses one of ours; that offer gets 491', async () => {
    const call = await called({ extra: [...INSISTS, 'Allow: INVITE, UPDATE'] });
    call.ring({ statusCode: 183, body: sdp('early') });
    peer.send(prack(await peer.next('183'), 2));
    await peer.next('200');
    call.ring();
    const ringing = await peer.next('180');
    call.reoffer(sdp('ours'), () => {});
    const update = await peer.next('UPDATE');
    peer.send(prack(ringing, 3, { body: 'theirs' }));
    expect(headerOf(await peer.next('491'), 'CSeq')).toBe('3 PRACK');
    peer.send(peer.answer(update, '200 OK', { body: 'fine' }));
    clock.advance(500);
    expect((await peer.settle()).filter((m) => m.startsWith('SIP/2.0 180'))).toEqual([]);
    call.accept({ body: sdp('early') });
    expect(headerOf(await peer.next('200'), 'CSeq')).toBe('1 INVITE');
  });

  it('with our answer: an UPDATE that finds no dialog refuses the call, and nothing stays', async () => {
    const call = await called({ extra: [...KNOWS, 'Allow: INVITE, UPDATE'] });
    const endings = endingsOf(call);
    call.ring({ statusCode: 183, body: sdp('early') });
    peer.send(prack(await peer.next('183'), 2));
    await peer.next('200');
    call.reoffer(sdp('ours'), () => {});
    peer.send(peer.answer(await peer.next('UPDATE'), '481 What'));
    const refusal = await peer.next('500');
    expect([headerOf(refusal, 'CSeq'), endings]).toEqual(['1 INVITE', [{ cause: 'dialog-lost', statusCode: 481 }]]);
    peer.send(peer.request('ACK', { toTag: toTagOf(refusal), branch: 'z9hG4bK-INVITE-1' }));
    await peer.settle();
    await expectNothingLeft();
  });
});

const dial = (): OutgoingSipCall => ua.call({ to: `sip:bob@127.0.0.1:${peer.port}`, from: 'sip:alice@127.0.0.1', body: Buffer.from('offer'), contentType: 'application/sdp' });

/** An outgoing call and what it tells. */
async function dialing(): Promise<{ call: OutgoingSipCall; invite: string; heard: string[]; endings: SipEnding[] }> {
  const call = dial();
  const heard: string[] = [];
  call.on('progressed', (statusCode, body) => heard.push(`${statusCode} ${textOf(body) ?? ''}`));
  call.on('accepted', (body) => heard.push(`accepted ${textOf(body) ?? ''}`));
  return { call, invite: await peer.next('INVITE'), heard, endings: endingsOf(call) };
}

const reliable = (invite: string, rseq: number, parts: { status?: string; tag?: string; body?: string; extra?: string[] } = {}): string =>
  peer.answer(invite, parts.status ?? '183 Session Progress', { tag: parts.tag ?? 't', extra: ['Require: 100rel', `RSeq: ${rseq}`, ...(parts.extra ?? [])], ...(parts.body !== undefined && { body: parts.body }) });

describe('a reliable provisional answer to us', () => {
  it('gets its PRACK on the recorded route, once, and is heard once', async () => {
    const { invite, heard } = await dialing();
    expect(headerOf(invite, 'Supported')).toContain('100rel');
    const first = reliable(invite, 41, { body: 'answer', extra: [`Record-Route: <sip:127.0.0.1:${peer.port};lr>`] });
    peer.send(first);
    const ack = await peer.next('PRACK');
    expect([headerOf(ack, 'RAck'), headerOf(ack, 'CSeq'), toTagOf(ack)]).toEqual(['41 1 INVITE', '2 PRACK', 't']);
    expect(headerOf(ack, 'Route')).toBe(`<sip:127.0.0.1:${peer.port};lr>`);
    peer.send(peer.answer(ack, '200 OK'));
    peer.send(first);
    expect(await peer.settle()).toEqual([]);
    expect(heard).toEqual(['183 answer']);
  });

  it('out of its order is neither heard nor acknowledged before its turn', async () => {
    const { invite, heard } = await dialing();
    peer.send(reliable(invite, 5, { body: 'answer' }));
    await peer.next('PRACK');
    peer.send(reliable(invite, 7, { status: '181 Forwarded' }));
    expect((await peer.settle()).filter((m) => m.startsWith('PRACK'))).toEqual([]);
    peer.send(reliable(invite, 6, { status: '180 Ringing' }));
    expect(headerOf(await peer.next('PRACK'), 'RAck')).toBe('6 1 INVITE');
    peer.send(reliable(invite, 7, { status: '181 Forwarded' }));
    expect(headerOf(await peer.next('PRACK'), 'RAck')).toBe('7 1 INVITE');
    expect(heard).toEqual(['183 answer', '180 ', '181 ']);
  });

  it('holds the answer: the 200 need not say it again, and cannot change it', async () => {
    const { call, invite, heard } = await dialing();
    peer.send(reliable(invite, 1, { body: 'answer' }));
    peer.send(peer.answer(await peer.next('PRACK'), '200 OK'));
    peer.send(peer.answer(invite, '200 OK', { tag: 't', body: 'another' }));
    await peer.next('ACK');
    expect(heard).toEqual(['183 answer', 'accepted answer']);
    call.hangup();
    const bye = await peer.next('BYE');
    expect(headerOf(bye, 'CSeq')).toBe('3 BYE');
    peer.send(peer.answer(bye, '200 OK'));
    await expectNothingLeft();
  });

  it('of several branches is the answer of the one that takes the call', async () => {
    const { invite, heard } = await dialing();
    peer.send(reliable(invite, 1, { tag: 'one', body: 'of one' }));
    expect(toTagOf(await peer.next('PRACK'))).toBe('one');
    peer.send(reliable(invite, 1, { tag: 'two', body: 'of two' }));
    expect(toTagOf(await peer.next('PRACK'))).toBe('two');
    peer.send(peer.answer(invite, '200 OK', { tag: 'one' }));
    await peer.next('ACK');
    expect(heard).toEqual(['183 of one', '183 of two', 'accepted of one']);
    expect(ua.counts().dialogs).toBe(1);
  });

  it('may be followed by an UPDATE before the call is taken; its words hold', async () => {
    const { call, invite, heard } = await dialing();
    call.on('reoffered', (_body, respond) => respond({ statusCode: 200, body: sdp('ours') }));
    const ours = /tag=([^;>\s]+)/.exec(headerOf(invite, 'From'))?.[1] ?? '';
    const update = (cseq: number): string => peer.request('UPDATE', { callId: headerOf(invite, 'Call-ID'), fromTag: 't', toTag: ours, cseq, body: 'moved' });
    peer.send(peer.answer(invite, '180 Ringing', { tag: 't' }));
    peer.send(update(1));
    // Our offer has no answer yet.
    await peer.next('491');
    peer.send(reliable(invite, 1, { body: 'answer' }));
    peer.send(peer.answer(await peer.next('PRACK'), '200 OK'));
    peer.send(update(2));
    expect(bodyTextOf(await peer.next('200'))).toBe('ours');
    peer.send(peer.answer(invite, '200 OK', { tag: 't' }));
    await peer.next('ACK');
    expect(heard).toEqual(['180 ', '183 answer', 'accepted moved']);
  });

  it('lets us offer anew by UPDATE: one that finds no dialog cancels the call, and nothing stays', async () => {
    const { call, invite, endings } = await dialing();
    peer.send(reliable(invite, 1, { body: 'answer', extra: ['Allow: INVITE, UPDATE'] }));
    peer.send(peer.answer(await peer.next('PRACK'), '200 OK'));
    await peer.settle();
    call.reoffer(sdp('ours'), () => {});
    peer.send(peer.answer(await peer.next('UPDATE'), '404 Nobody'));
    const cancel = await peer.next('CANCEL');
    expect(endings).toEqual([{ cause: 'dialog-lost', statusCode: 404 }]);
    peer.send(peer.answer(cancel, '200 OK'));
    // Which crosses the CANCEL.
    peer.send(peer.answer(invite, '200 OK', { tag: 't' }));
    await peer.next('ACK');
    peer.send(peer.answer(await peer.next('BYE'), '200 OK'));
    await expectNothingLeft();
  });

  it('whose PRACK is refused, or lost, stops nothing', async () => {
    const { call, invite, endings } = await dialing();
    peer.send(reliable(invite, 1));
    const first = await peer.next('PRACK');
    clock.advance(500);
    expect(await peer.next('PRACK')).toBe(first);
    peer.send(peer.answer(first, '481 What'));
    await peer.settle();
    peer.send(peer.answer(invite, '200 OK', { tag: 't', body: 'answer' }));
    await peer.next('ACK');
    expect([call.state, endings]).toEqual(['confirmed', []]);
  });
});

describe('races', () => {
  it('a call is refused after one branch rang: all early dialogs are gone', async () => {
    const { invite, endings } = await dialing();
    for (const tag of ['a', 'b', 'c']) peer.send(peer.answer(invite, '180 Ringing', { tag }));
    await peer.settle();
    expect(ua.counts().dialogs).toBe(3);
    peer.send(peer.answer(invite, '486 Busy', { tag: 'b' }));
    await peer.next('ACK');
    await peer.settle();
    expect(endings).toMatchObject([{ cause: 'rejected', statusCode: 486 }]);
    await expectNothingLeft();
  });

  it('the called side may not end a call by BYE before it took it', async () => {
    const { invite, endings } = await dialing();
    const ours = /tag=([^;>\s]+)/.exec(headerOf(invite, 'From'))?.[1] ?? '';
    peer.send(peer.answer(invite, '180 Ringing', { tag: 't' }));
    peer.send(peer.request('BYE', { callId: headerOf(invite, 'Call-ID'), fromTag: 't', toTag: ours }));
    await peer.next('481');
    expect(endings).toEqual([]);
  });

  it('a 200 of another branch that comes after our BYE is acknowledged and hung up too', async () => {
    const { call, invite } = await dialing();
    peer.send(peer.answer(invite, '200 OK', { tag: 'one', body: 'x' }));
    await peer.next('ACK');
    call.hangup();
    peer.send(peer.answer(await peer.next('BYE'), '200 OK'));
    peer.send(peer.answer(invite, '200 OK', { tag: 'two', body: 'x' }));
    expect(toTagOf(await peer.next('ACK'))).toBe('two');
    const bye = await peer.next('BYE');
    expect(toTagOf(bye)).toBe('two');
    peer.send(peer.answer(bye, '200 OK'));
    await expectNothingLeft();
  });

  it('a BYE that overtakes the ACK ends the call, and the ACK that follows means nothing', async () => {
    const call = await called();
    const endings = endingsOf(call);
    call.accept({ body: sdp('answer') });
    const toTag = toTagOf(await peer.next('200'));
    peer.send(peer.request('BYE', { toTag, cseq: 2 }));
    await peer.next('200');
    peer.send(peer.request('ACK', { toTag, branch: 'z9hG4bK-ack' }));
    expect(await peer.settle()).toEqual([]);
    expect(endings).toEqual([{ cause: 'remote-bye' }]);
    await expectNothingLeft();
  });

  it('a lost ACK: the 200 comes again, its second ACK does', async () => {
    const call = await called();
    call.accept({ body: sdp('answer') });
    const ok = await peer.next('200');
    peer.send(peer.request('INVITE', { toTag: toTagOf(ok), cseq: 2, body: 'again', branch: 'z9hG4bK-re' }));
    // They think the call stands, we know not yet.
    await peer.next('491');
    clock.advance(500);
    await peer.next('200');
    peer.send(peer.request('ACK', { toTag: toTagOf(ok), branch: 'z9hG4bK-ack2' }));
    await expect.poll(() => call.state).toBe('confirmed');
  });

  it('a called phone that rang is hung up: CANCEL, and the 200 that was on its way is undone', async () => {
    const { call, invite, endings } = await dialing();
    peer.send(reliable(invite, 9, { body: 'answer' }));
    peer.send(peer.answer(await peer.next('PRACK'), '200 OK'));
    await peer.settle();
    call.hangup({ reason: 'SIP;cause=200' });
    const cancel = await peer.next('CANCEL');
    expect(headerOf(cancel, 'Reason')).toBe('SIP;cause=200');
    peer.send(peer.answer(invite, '200 OK', { tag: 't' }));
    await peer.next('ACK');
    peer.send(peer.answer(cancel, '200 OK', { tag: 't' }));
    peer.send(peer.answer(await peer.next('BYE'), '200 OK'));
    expect(endings).toEqual([{ cause: 'local' }]);
    await expectNothingLeft();
  });
});
