import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IncomingSipCall, IncomingSipRefer, SipUserAgent } from './contract.ts';
import { TextBench } from './testing/text-bench.ts';
import { headerOf as header, sdp, toTagOf, type RequestParts, type TextPeer } from './transport/testing/text-peer.ts';

// Transfers on the wire: REFER, its NOTIFYs, and Replaces.

let bench: TextBench;
let ua: SipUserAgent;
let peer: TextPeer;

beforeEach(async () => {
  bench = await TextBench.open();
  ({ ua, peer } = bench);
  // Without anybody who takes calls they are 503.
  ua.on('incomingCall', () => undefined);
});

afterEach(() => bench.close());

const called: TextBench['called'] = (parts) => bench.called(parts);

async function confirmed(): Promise<{ call: IncomingSipCall; toTag: string }> {
  const call = await called();
  call.accept({ body: sdp('answer') });
  const toTag = toTagOf(await peer.next('200'));
  peer.send(peer.request('ACK', { toTag, branch: 'z9hG4bK-ack' }));
  await expect.poll(() => call.state).toBe('confirmed');
  return { call, toTag };
}

describe('a REFER within a call', () => {
  it('gets 202 and is told how the new call goes, until that is final', async () => {
    const { call, toTag } = await confirmed();
    const refers: IncomingSipRefer[] = [];
    call.on('referReceived', (refer) => {
      refers.push(refer);
      refer.accept();
    });
    peer.send(peer.request('REFER', { toTag, cseq: 2, extra: ['Refer-To: "C" <sip:+1555@pbx.example;user=phone?Replaces=abc%40h%3Bto-tag%3D1%3Bfrom-tag%3D2&X-No=1>', 'Referred-By: <sip:b@pbx.example>'] }));
    expect(header(await peer.next('202'), 'Contact')).toContain('<sip:127.0.0.1:');
    const trying = await peer.next('NOTIFY');
    expect([header(trying, 'Event'), header(trying, 'Subscription-State'), header(trying, 'Content-Type')]).toEqual(['refer', 'active;expires=300', 'message/sipfrag;version=2.0']);
    expect(trying).toMatch(/\r\n\r\nSIP\/2\.0 100 Trying\r\n$/);
    peer.send(peer.answer(trying, '200 OK'));
    expect(refers).toMatchObject([{ target: 'sip:+1555@pbx.example;user=phone', replaces: { callId: 'abc@h', toTag: '1', fromTag: '2', earlyOnly: false }, referredBy: '<sip:b@pbx.example>' }]);
    refers[0]?.progress(486);
    const over = await peer.next('NOTIFY');
    expect(header(over, 'Subscription-State')).toBe('terminated;reason=noresource');
    expect(over).toContain('SIP/2.0 486 Busy Here');
    peer.send(peer.answer(over, '200 OK'));
    refers[0]?.progress(200);
    expect((await peer.settle()).filter((message) => message.startsWith('NOTIFY'))).toEqual([]);
  });

  it('that wants no NOTIFY gets none, and says so', async () => {
    const { call, toTag } = await confirmed();
    call.on('referReceived', (refer) => {
      refer.accept();
      refer.progress(200);
    });
    peer.send(peer.request('REFER', { toTag, cseq: 2, extra: ['Refer-To: <tel:+1555>', 'Refer-Sub: false', 'Require: norefersub'] }));
    expect(header(await peer.next('202'), 'Refer-Sub')).toBe('false');
    expect(await peer.settle()).toEqual([]);
  });

  it.each([
    [['X-Nothing: 1'], '400'],
    [['Refer-To: <sip:a@b>', 'Refer-To: <sip:c@d>'], '400'],
    [['Refer-To: <sip:a@b;method=BYE>'], '501'],
    [['Refer-To: <http://a.example/>'], '400'],
    [['Refer-To: <sip:a@b?Replaces=broken>'], '400'],
    [['Refer-To: <sip:a@b>'], '603'],
  ])('%j that nobody can or will do gets %s', async (extra, statusCode) => {
    const { toTag } = await confirmed();
    peer.send(peer.request('REFER', { toTag, cseq: 2, extra }));
    expect(await peer.next('SIP/2.0')).toContain(`SIP/2.0 ${statusCode} `);
  });

  it('outside of one gets 403', async () => {
    peer.send(peer.request('REFER', { extra: ['Refer-To: <sip:a@b>'] }));
    await peer.next('403');
  });
});

describe('an INVITE with Replaces', () => {
  const replacing = (tags: string): RequestParts => ({ callId: 'other', branch: 'z9hG4bK-other', extra: [`Replaces: ${tags}`, 'Require: replaces'] });

  it('names the call whose place it wants', async () => {
    const { call, toTag } = await confirmed();
    const fromTag = /tag=([^;\s]+)/.exec(header(peer.request('INVITE'), 'From') ?? '')?.[1] ?? '';
    expect((await called(replacing(`${call.callId};to-tag=${toTag};from-tag=${fromTag}`))).replaces).toBe(call);
    peer.send(peer.request('INVITE', { ...replacing(`${call.callId};to-tag=${toTag};from-tag=${fromTag};early-only`), callId: 'late', branch: 'z9hG4bK-late', body: 'offer' }));
    await peer.next('486');
  });

  it.each([
    ['nobody;to-tag=1;from-tag=2', '481'],
    ['nobody;to-tag=1', '400'],
  ])('of %s gets %s', async (tags, statusCode) => {
    peer.send(peer.request('INVITE', { ...replacing(tags), body: 'offer' }));
    await peer.next(statusCode);
  });
});
