import { expect, it } from 'vitest';
import { describeCall, describeQuality } from './told-call.ts';

const quality = { codec: 'G722', scale: 'wide-band', rating: 110.04, mos: 4.2, packetsReceived: 990, packetsLost: 10, jitterMs: 1.25, roundTripMs: 42.4, remoteLost: 0 };

it('a phone is told in one line, with its own reports where it sent some', () => {
  expect(describeQuality(quality)).toBe('G722, MOS 4.20 (R 110.0, wide-band), 1.0 % of 1000 packets lost, jitter 1.3 ms, round trip 42 ms, the phone missed 0');
  expect(describeQuality({ ...quality, roundTripMs: null, remoteLost: null, mos: null })).toBe('G722, 1.0 % of 1000 packets lost, jitter 1.3 ms');
});

it('a call is told with why it ended; nothing plays with the terminal', () => {
  const told = { sid: 'CA1', direction: 'inbound', from: 'sip:\u001b[31m', to: '+1', createdAt: 'then', answeredAt: null, endedAt: 'now', status: 'completed', terminationReason: 'hung-up', quality: null };
  expect(describeCall(told)).toBe('call      CA1, inbound, from sip:?[31m to +1\nbegan     then, answered –, ended now\nstatus    completed (hung-up)\nsound     not known: the call is not over, or nothing was heard of its phone\n');
  expect(describeCall({ ...told, quality })).toContain('sound     G722, MOS 4.20');
});
