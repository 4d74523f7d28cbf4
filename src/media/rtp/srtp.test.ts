import { describe, expect, it } from 'vitest';
import { derive, SrtpReceiver, SrtpSender, type SrtpKeying } from './srtp.ts';

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');
const masterKey = hex('E1F97A0D3E018BE0D64FA32C06DE4139');
const masterSalt = hex('0EC675AD498AFEEBB6960B3AABE6');
const keying = (over: Partial<SrtpKeying> = {}): SrtpKeying => ({ suite: 'AES_CM_128_HMAC_SHA1_80', key: Buffer.concat([masterKey, masterSalt]).toString('base64'), ...over });

function rtp(sequence: number, payload: Buffer, ssrc = 0xcafebabe): Buffer {
  const header = hex('800f0000decafbad00000000');
  header.writeUInt16BE(sequence & 0xffff, 2);
  header.writeUInt32BE(ssrc, 8);
  return Buffer.concat([header, payload]);
}
const report = (): Buffer => hex('80c80006 cafebabe 11111111 22222222 33333333 00000001 00000002');

describe('SRTP', () => {
  it('derives session keys as RFC 3711 appendix B.3 does', () => {
    const master = { masterKey, masterSalt };
    expect(derive(master, 0, 16)).toEqual(hex('C61E7A93744F39EE10734AFE3FF7A087'));
    expect(derive(master, 2, 14)).toEqual(hex('30CBBC08863D8C85D49DB34A9AE1'));
    expect(derive(master, 1, 20)).toEqual(hex('CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4'));
  });

  it('protects a packet as other implementations do', () => {
    const plain = rtp(0x1234, Buffer.alloc(16, 0xab));
    const wire = hex('800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb');
    expect(new SrtpSender(keying()).protect(plain)).toEqual(wire);
    expect(new SrtpReceiver(keying()).unprotect(Buffer.from(wire))).toEqual(plain);
    expect(new SrtpSender(keying({ suite: 'AES_CM_128_HMAC_SHA1_32' })).protect(plain)).toEqual(wire.subarray(0, 32));
  });

  it.each(['AES_CM_128_HMAC_SHA1_80', 'AES_CM_128_HMAC_SHA1_32'] as const)('%s goes there and back over roll-overs, losses and another order', (suite) => {
    const [out, back] = [new SrtpSender(keying({ suite })), new SrtpReceiver(keying({ suite }))];
    const wire = Array.from({ length: 400 }, (_, n) => [rtp(0xff00 + n, Buffer.from(`frame ${n}`)), n] as const)
      .map(([plain, n]) => ({ plain, n, packet: Buffer.from(out.protect(plain)) }))
      .filter(({ n }) => n % 7 !== 3);
    const shuffled = wire.flatMap((_, n) => (n % 2 === 0 ? [wire[n + 1], wire[n]] : [])).filter((each) => each !== undefined);
    for (const { plain, packet } of shuffled) expect(back.unprotect(packet)).toEqual(plain);
  });

  it('leaves header extensions and contributing sources in clear', () => {
    const plain = Buffer.concat([hex('91 00 0001 00000000 cafebabe 01020304 bede0001 10ff0000'), Buffer.from('payload')]);
    const wire = Buffer.from(new SrtpSender(keying()).protect(plain));
    expect(wire.subarray(0, 24)).toEqual(plain.subarray(0, 24));
    expect(new SrtpReceiver(keying()).unprotect(wire)).toEqual(plain);
  });

  it('refuses what was changed, repeated, cut, of another key or too old', () => {
    const [out, back] = [new SrtpSender(keying()), new SrtpReceiver(keying())];
    const wire = Array.from({ length: 300 }, (_, n) => Buffer.from(out.protect(rtp(n, Buffer.alloc(20, n)))));
    const [first = Buffer.alloc(0)] = wire;
    for (let at = 0; at < first.length; at++) {
      const changed = Buffer.from(first);
      changed[at] = (changed[at] as number) ^ 1;
      expect(back.unprotect(changed)).toBeNull();
    }
    expect(back.unprotect(Buffer.from(first.subarray(0, 15)))).toBeNull();
    expect(new SrtpReceiver(keying({ key: 'A'.repeat(40) })).unprotect(Buffer.from(first))).toBeNull();
    expect(back.unprotect(Buffer.from(first))).not.toBeNull();
    expect(back.unprotect(Buffer.from(first))).toBeNull();
    for (const packet of wire.slice(2)) expect(back.unprotect(Buffer.from(packet))).not.toBeNull();
    expect(back.unprotect(Buffer.from(wire[1] as Buffer))).toBeNull();
  });

  it('keeps sources apart, and forgets the oldest of many', () => {
    const back = new SrtpReceiver(keying());
    const send = (ssrc: number): Buffer | null => back.unprotect(Buffer.from(new SrtpSender(keying()).protect(rtp(5, Buffer.from('x'), ssrc))));
    for (const ssrc of [1, 2, 3, 4, 5]) expect(send(ssrc)).not.toBeNull();
    expect(send(5)).toBeNull();
  });
});

describe('SRTCP', () => {
  it('goes there and back, once, and not when it was changed', () => {
    const [out, back] = [new SrtpSender(keying({ suite: 'AES_CM_128_HMAC_SHA1_32' })), new SrtpReceiver(keying({ suite: 'AES_CM_128_HMAC_SHA1_32' }))];
    const wire = Buffer.from(out.protectRtcp(report()));
    expect(wire).toHaveLength(report().length + 14);
    expect(wire.subarray(0, 8)).toEqual(report().subarray(0, 8));
    expect(wire.subarray(8, 28)).not.toEqual(report().subarray(8));
    const changed = Buffer.from(wire);
    changed[12] = (changed[12] as number) ^ 1;
    expect(back.unprotectRtcp(changed)).toBeNull();
    expect(back.unprotectRtcp(Buffer.from(wire))).toEqual(report());
    expect(back.unprotectRtcp(Buffer.from(wire))).toBeNull();
    expect(back.unprotectRtcp(Buffer.from(out.protectRtcp(report())))).toEqual(report());
    for (const length of [0, 3, 8, 20]) expect(back.unprotectRtcp(Buffer.alloc(length))).toBeNull();
  });

  it('that comes before the first RTP of its source does not keep that out, wherever its numbers begin', () => {
    const [out, back] = [new SrtpSender(keying()), new SrtpReceiver(keying())];
    expect(back.unprotectRtcp(Buffer.from(out.protectRtcp(report())))).toEqual(report());
    for (const sequence of [0xfffe, 0xffff, 0x1_0000]) {
      const plain = rtp(sequence, Buffer.from('voice'));
      expect(back.unprotect(Buffer.from(out.protect(plain)))).toEqual(plain);
    }
  });
});
