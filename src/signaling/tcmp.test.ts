import { describe, expect, it } from 'vitest';
import { TcmpServer } from './tcmp.ts';

const hello = (body?: unknown, timeout = 5000): string => JSON.stringify({ type: 'hello', id: 'x', version: 2, timeout, ...(body === undefined ? {} : { body }) });

describe('framing', () => {
  it('welcomes, hands a repeated hello up once', () => {
    const machine = new TcmpServer(0);
    expect(machine.textReceived(hello({ a: 1 }), 10)).toEqual({ frames: ['{"type":"welcome","negotiatedTimeout":5000}'], bodies: [{ a: 1 }], ended: null });
    expect(machine.textReceived(hello({ a: 1 }), 20).bodies).toEqual([]);
    expect(machine.textReceived('{"type":"msg","body":{"b":2}}', 30).bodies).toEqual([{ b: 2 }]);
  });

  it('beats within the time-out of silence, and gives up after three of them', () => {
    const machine = new TcmpServer(0);
    machine.textReceived(hello(), 0);
    expect(machine.dueMs).toBe(5000);
    expect(machine.timeReached(5000)).toMatchObject({ frames: ['{"type":"heartbeat"}'], ended: null });
    machine.textReceived('{"type":"heartbeat"}', 6000);
    machine.timeReached(10_000);
    machine.timeReached(15_000);
    expect(machine.timeReached(20_999).ended).toBeNull();
    expect(machine.timeReached(21_000).ended).toBe('silent');
  });

  it('turns away a browser that is not admitted, before its message is heard', () => {
    const asked: unknown[] = [];
    const machine = new TcmpServer(0, (about) => {
      asked.push(about);
      return { retryAfterMs: 1500, cookie: '1' };
    });
    const told = machine.textReceived(JSON.stringify({ type: 'hello', version: 2, cookie: '0', body: { a: 1 } }), 0);
    expect(asked).toEqual([{ cookie: '0', body: { a: 1 } }]);
    expect(told).toEqual({ frames: ['{"type":"busy","cookie":"1","keepAlive":false,"retryAfter":1500}'], bodies: [], ended: 'turned-away' });
    const terminal = new TcmpServer(0, () => ({ retryAfterMs: null, cookie: '6' }));
    expect(JSON.parse(terminal.textReceived(hello(), 0).frames[0]!)).toMatchObject({ type: 'busy', retryAfter: -1 });
  });

  it('ends without hello, with nonsense, with a flood', () => {
    expect(new TcmpServer(0).timeReached(15_000).ended).toBe('silent');
    expect(new TcmpServer(0).textReceived('{', 0).ended).toBe('broken');
    expect(new TcmpServer(0).textReceived('{"type":"msg","body":{}}', 0).ended).toBe('broken');
    const flooded = new TcmpServer(0);
    flooded.textReceived(hello(), 0);
    const ends = Array.from({ length: 400 }, () => flooded.textReceived('{"type":"heartbeat"}', 1).ended);
    expect(ends).toContain('broken');
  });

  it('hears goodbye', () => {
    const machine = new TcmpServer(0);
    machine.textReceived(hello(), 0);
    expect(machine.textReceived('{"type":"bye"}', 1).ended).toBe('left');
  });
});
