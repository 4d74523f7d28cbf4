import { expect, it, vi } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { DtlsSessionOptions } from './dtls-session.ts';
import { createDtlsIdentity } from './dtls-identity.ts';
import { PathComponent } from './path-component.ts';

const begun = vi.hoisted((): DtlsSessionOptions[] => []);
vi.mock('./dtls-session.ts', () => ({
  DtlsSession: class {
    constructor(options: DtlsSessionOptions) {
      begun.push(options);
    }
    received(): void {}
    close(): void {}
  },
}));

it('begins no association for strangers any more after their turns, whatever they send', () => {
  const identity = createDtlsIdentity(Date.now());
  const component = new PathComponent('phone-rtp', { identity, clock: new FakeClock(), log: silentLog }, { received: () => {}, failed: () => {}, send: () => {} });
  component.configure({ address: '203.0.113.9', dtls: { fingerprint: identity.fingerprint, role: 'passive' } }, 4000);
  const stranger = { address: '198.51.100.1', port: 9999, family: 'IPv4' as const, size: 60 };
  const hello = Buffer.alloc(60);
  hello.set([22, 0xfe, 0xfd]);
  hello.writeUInt8(1, 13);
  const stun = Buffer.alloc(20);
  stun.writeUInt16BE(1, 0);
  stun.writeUInt32BE(0x2112_a442, 4);
  for (let n = 0; n < 30; n++) {
    component.received(stun, stranger);
    component.received(hello, stranger);
    begun.at(-1)?.events.failed('another certificate');
  }
  expect(begun.length).toBe(9);
});
