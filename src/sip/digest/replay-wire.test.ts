import { afterEach, beforeEach, expect, it } from 'vitest';
import type { IncomingSipCall } from '../contract.ts';
import { TextBench } from '../testing/text-bench.ts';
import { headerOf as header, toTagOf, type TextPeer } from '../transport/testing/text-peer.ts';
import { answerChallenge, parseChallenge } from './answer.ts';
import { makeDigestSecret } from './secret.ts';

// What somebody who has listened can do with the proof of another's INVITE.

const URI = 'sip:+15550100@127.0.0.1';
let bench: TextBench;
let peer: TextPeer;
let calls: IncomingSipCall[];

beforeEach(async () => {
  bench = await TextBench.open();
  calls = [];
  bench.ua.on('incomingCall', (call) => {
    if (!call.authenticate((name) => (name === 'alice' ? [makeDigestSecret({ username: 'alice', password: 's3cret' })] : [])).verified) return;
    calls.push(call);
    call.accept({ body: { contentType: 'application/sdp', bytes: Buffer.from('answer') } });
  });
  peer = bench.peer;
});

afterEach(() => bench.close());

/** A call of alice that stands; its proof, as it went over the wire. */
async function provenCall(): Promise<{ toTag: string; proof: string }> {
  peer.send(peer.request('INVITE', { body: 'offer' }));
  const asked = await peer.next('407');
  peer.send(peer.request('ACK', { toTag: toTagOf(asked), branch: 'z9hG4bK-INVITE-1' }));
  const challenge = parseChallenge(header(asked, 'Proxy-Authenticate'));
  if (!challenge) throw new TypeError('no challenge');
  const proof = `Proxy-Authorization: ${answerChallenge({ challenge, credentials: { username: 'alice', password: 's3cret' }, method: 'INVITE', uri: URI, cnonce: 'c', nonceCount: 1 })}`;
  peer.send(peer.request('INVITE', { cseq: 2, body: 'offer', extra: [proof] }));
  const toTag = toTagOf(await peer.next('200'));
  peer.send(peer.request('ACK', { cseq: 2, toTag, branch: 'z9hG4bK-ack' }));
  await expect.poll(() => calls[0]?.state).toBe('confirmed');
  return { toTag, proof };
}

it('a replayed proof opens no second call: it is asked again, as stale', async () => {
  const { proof } = await provenCall();
  peer.send(peer.request('INVITE', { callId: 'thief', branch: 'z9hG4bK-thief', body: 'offer', extra: [proof] }));
  expect(header(await peer.next('407'), 'Proxy-Authenticate')).toContain('stale=true');
  expect(calls).toHaveLength(1);
});

it.each(['BYE', 'INVITE', 'INFO'])('nor does it let a %s into the dialog without its tags', async (method) => {
  const { toTag, proof } = await provenCall();
  for (const [n, tags] of [{ toTag: 'guess' }, { fromTag: 'guess' }, { callId: 'guess' }].entries()) {
    peer.send(peer.request(method, { cseq: 3 + n, branch: `z9hG4bK-thief${n}`, toTag, ...tags, extra: [proof, proof.replace('Proxy-', '')] }));
    await peer.next('481');
  }
  expect(calls[0]?.state).toBe('confirmed');
});

it('nor does an old CSeq come in again with it', async () => {
  const { toTag, proof } = await provenCall();
  peer.send(peer.request('BYE', { cseq: 1, toTag, branch: 'z9hG4bK-thief', extra: [proof] }));
  await peer.next('500');
  expect(calls[0]?.state).toBe('confirmed');
});

it('within the dialog a proof that was used before is no reason to refuse: phones send it along', async () => {
  const { toTag, proof } = await provenCall();
  peer.send(peer.request('BYE', { cseq: 3, toTag, extra: [proof] }));
  await peer.next('200');
  await expect.poll(() => calls[0]?.state).toBe('ended');
});
