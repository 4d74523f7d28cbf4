import { describe, expect, it } from 'vitest';
import { AssociationLatch, type Admission } from './association-latch.ts';

const PHONE = { address: '203.0.113.9', port: 4000 };
const STRANGER = { address: '198.51.100.1', port: 9999 };
const ELSEWHERE = { address: '192.0.2.77', port: 5000 };

/** A DTLS record of epoch 0. */
function handshake(message: number): Buffer {
  const record = Buffer.alloc(60);
  record.writeUInt8(22, 0);
  record.writeUInt16BE(0xfefd, 1);
  record.writeUInt8(message, 13);
  return record;
}
const HELLO = handshake(1);
const SERVER_HELLO = handshake(2);
const MEDIA = Buffer.alloc(40, 0x80);

function latched(role: 'active' | 'passive' = 'passive'): AssociationLatch {
  const latch = new AssociationLatch();
  latch.associationBegan(role);
  latch.targetGiven(PHONE);
  return latch;
}

/** With an association that stands with the phone. */
function secured(): AssociationLatch {
  const latch = latched();
  latch.admits(HELLO, PHONE, 0);
  latch.connected(100);
  return latch;
}

const target = ({ address, port }: AssociationLatch): string => `${address}:${port}`;
const at = ({ address, port }: typeof PHONE): string => `${address}:${port}`;

describe('a DTLS handshake without ICE', () => {
  it('begins with a ClientHello and with nothing else', () => {
    const latch = latched();
    const nothing: Admission[] = [MEDIA, SERVER_HELLO, Buffer.alloc(0), Buffer.alloc(20, 22)].map((packet) => latch.admits(packet, STRANGER, 0));
    expect(nothing).toEqual(['drop', 'drop', 'drop', 'drop']);
    expect(target(latch)).toBe(at(PHONE));
    expect(latch.admits(HELLO, PHONE, 10)).toBe('take');
  });

  it('begins anew for the phone when a stranger was faster, and the stranger does not get it back', () => {
    const latch = latched();
    expect(latch.admits(HELLO, STRANGER, 0)).toBe('take');
    expect(latch.isExpected).toBe(false);
    expect(latch.admits(HELLO, PHONE, 20)).toBe('anew');
    for (let nowMs = 20; nowMs < 20_000; nowMs += 100) expect(latch.admits(HELLO, STRANGER, nowMs)).toBe('drop');
    expect(latch.admits(handshake(16), PHONE, 20_000)).toBe('take');
    expect([target(latch), latch.isExpected]).toEqual([at(PHONE), true]);
  });

  it('gives one who is nowhere near a turn of five seconds, and few of them in all', () => {
    const latch = latched();
    latch.admits(HELLO, STRANGER, 0);
    expect(latch.admits(HELLO, ELSEWHERE, 4000)).toBe('drop');
    expect(latch.admits(HELLO, ELSEWHERE, 5000)).toBe('anew');
    const turns = Array.from({ length: 20 }, (_, n) => latch.admits(HELLO, n % 2 === 0 ? STRANGER : ELSEWHERE, 10_000 + n * 5000));
    expect(turns.filter((admission) => admission === 'anew')).toHaveLength(7);
    expect(turns.at(-1)).toBe('drop');
  });

  it('begins for the phone though strangers have used up their turns', () => {
    const latch = latched();
    while (latch.failed());
    expect(latch.admits(HELLO, STRANGER, 0)).toBe('drop');
    expect(latch.admits(HELLO, PHONE, 10)).toBe('anew');
    expect([target(latch), latch.isExpected]).toEqual([at(PHONE), true]);
  });

  it('that we begin is answered from where signaling lets expect it', () => {
    const latch = latched('active');
    expect(latch.admits(SERVER_HELLO, STRANGER, 0)).toBe('drop');
    expect(latch.admits(SERVER_HELLO, { ...PHONE, port: 4002 }, 10)).toBe('take');
    expect(target(latch)).toBe('203.0.113.9:4002');
  });
});

describe('a DTLS association without ICE', () => {
  it('is not moved or spoken to by strangers, whatever they send and however long the phone is silent', () => {
    const latch = secured();
    for (let nowMs = 120; nowMs < 60_000; nowMs += 200) {
      expect(latch.admits(HELLO, STRANGER, nowMs)).toBe('drop');
      latch.admits(MEDIA, STRANGER, nowMs);
      expect(target(latch)).toBe(at(PHONE));
    }
    expect(latch.admits(MEDIA, PHONE, 60_000)).toBe('take');
    latch.opened(60_001);
    expect(target(latch)).toBe(at(PHONE));
  });

  it('moves to where a packet came from that it could open, once the old place is silent', () => {
    const latch = secured();
    expect(latch.admits(MEDIA, ELSEWHERE, 1000)).toBe('drop');
    expect(latch.admits(MEDIA, ELSEWHERE, 2100)).toBe('take');
    expect(target(latch)).toBe(at(PHONE));
    latch.opened(2101);
    expect(target(latch)).toBe(at(ELSEWHERE));
    expect(latch.admits(MEDIA, PHONE, 2200)).toBe('drop');
  });

  it('moves at once to where signaling says, and to a port beside it that it could open something of', () => {
    const latch = secured();
    latch.opened(1000);
    latch.targetGiven(ELSEWHERE);
    expect(target(latch)).toBe(at(ELSEWHERE));
    expect(latch.admits(MEDIA, PHONE, 1010)).toBe('take');
    expect(latch.admits(MEDIA, STRANGER, 1015)).toBe('drop');
    expect(latch.admits(MEDIA, { ...ELSEWHERE, port: 5002 }, 1020)).toBe('take');
    latch.opened(1021);
    expect(target(latch)).toBe('192.0.2.77:5002');
  });

  it('goes on where it was when its phone only said that it would move', () => {
    const latch = secured();
    latch.targetGiven(ELSEWHERE);
    for (let nowMs = 1000; nowMs < 2980; nowMs += 20) {
      expect(latch.admits(MEDIA, PHONE, nowMs)).toBe('take');
      latch.opened(nowMs);
      expect(target(latch)).toBe(at(ELSEWHERE));
    }
    latch.opened(3000);
    expect(target(latch)).toBe(at(PHONE));
  });

  it('goes on where it was when the new address of its phone says nothing to us', () => {
    const latch = secured();
    latch.targetGiven({ address: '10.0.0.5', port: 4000, awaited: true, signalingAddress: PHONE.address });
    expect(latch.port).toBe(0);
    expect(latch.admits(MEDIA, PHONE, 1000)).toBe('take');
    latch.opened(1001);
    expect(target(latch)).toBe(at(PHONE));
  });

  it('of a phone behind a NAT is nowhere until its handshake begins', () => {
    const latch = new AssociationLatch();
    latch.associationBegan('passive');
    latch.targetGiven({ address: '10.0.0.5', port: 4000, awaited: true, signalingAddress: PHONE.address });
    expect(latch.port).toBe(0);
    expect(latch.admits(HELLO, { ...PHONE, port: 61_000 }, 0)).toBe('take');
    expect([target(latch), latch.isExpected]).toEqual(['203.0.113.9:61000', true]);
  });
});
