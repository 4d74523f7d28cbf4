import { describe, expect, it } from 'vitest';
import { DtmfReceiver, DtmfSender } from './dtmf.ts';

interface Event {
  event: number;
  ended?: boolean;
  duration: number;
  timestamp: number;
}

function payloadOf({ event, ended = false, duration }: Event): Buffer {
  return Buffer.from([event, ended ? 0x8a : 0x0a, duration >> 8, duration & 0xff]);
}

function keysOf(events: Event[]): string {
  const receiver = new DtmfReceiver();
  return events.map((e) => receiver.packetReceived(payloadOf(e), 0, { length: 4, timestamp: e.timestamp >>> 0 }) ?? '').join('');
}

/** A press as phones send it: grows every 20 ms, its end three times. */
function press(event: number, timestamp: number): Event[] {
  const growing = [160, 320, 480].map((duration) => ({ event, duration, timestamp }));
  const end = { event, duration: 640, timestamp, ended: true };
  return [...growing, end, end, end];
}

describe('keys that are received', () => {
  it('count once each, the same one twice when it is pressed twice', () => {
    expect(keysOf([...press(1, 1000), ...press(1, 3000), ...press(10, 5000), ...press(11, 7000), ...press(15, 9000)])).toBe('11*#D');
  });

  it('count when the beginning was lost, and when the end was', () => {
    expect(keysOf(press(5, 1000).slice(3))).toBe('5');
    expect(keysOf([...press(5, 1000).slice(0, 3), ...press(5, 9000)])).toBe('55');
    expect(keysOf([...press(5, 1000).slice(0, 1), ...press(6, 1800)])).toBe('56');
  });

  it('count once when packets come late or twice', () => {
    const [a, b] = [press(2, 1000), press(3, 3000)];
    expect(keysOf([...a, ...b, ...a, ...b.slice(0, 2)])).toBe('23');
  });

  it('count once however long they are held', () => {
    // RFC 4733 §2.5.1.3: after 65,535 units the next segment begins.
    const first = [160, 30_000, 65_535].map((duration) => ({ event: 7, duration, timestamp: 500 }));
    const second = [160, 640].map((duration) => ({ event: 7, duration, timestamp: 500 + 65_535 }));
    expect(keysOf([...first, ...second, { ...second[1]!, ended: true }])).toBe('7');
  });

  it('count across the end of the timestamp', () => {
    expect(keysOf([...press(1, 0xffff_ff00), ...press(2, 0x0000_0400)])).toBe('12');
  });

  it('are none: events that are no keys, packets cut short', () => {
    expect(keysOf([{ event: 16, duration: 160, timestamp: 1 }, { event: 200, duration: 160, timestamp: 999 }])).toBe('');
    expect(new DtmfReceiver().packetReceived(Buffer.from([1, 2, 3]), 0, { length: 3, timestamp: 0 })).toBeNull();
  });
});

/** Steps until the sender is done: one letter per 20 ms, `.` for voice, the key's event in hex, upper case once ended. */
function stepsOf(keys: string): { line: string; packets: { first: boolean; duration: number; ended: boolean }[] } {
  const sender = new DtmfSender(keys);
  let line = '';
  const packets = [];
  for (let n = 0; !sender.done && n < 2000; n++) {
    const packet = sender.step();
    line += packet === null ? '.' : packet.event.toString(16);
    if (packet) packets.push({ first: packet.first, duration: packet.duration, ended: packet.ended });
  }
  return { line, packets };
}

describe('keys that are sent', () => {
  it('last long enough, end three times and stand apart', () => {
    const { line, packets } = stepsOf('1#');
    expect(line).toBe('11111111....bbbbbbbb....');
    expect(packets.slice(0, 8).map(({ duration }) => duration)).toEqual([160, 320, 480, 640, 800, 960, 960, 960]);
    expect(packets.slice(0, 8).map(({ first }) => first)).toEqual([true, ...Array<boolean>(7).fill(false)]);
    expect(packets.slice(0, 8).map(({ ended }) => ended)).toEqual([false, false, false, false, false, true, true, true]);
  });

  it('wait half a second for w and a second for W', () => {
    expect(stepsOf('w1').line.indexOf('1')).toBe(25);
    expect(stepsOf('W1').line.indexOf('1')).toBe(50);
  });

  it('leave out what is no key, and end at once without any', () => {
    expect(stepsOf('x-d!').line).toMatch(/^f{8}\.{4,5}$/);
    expect(stepsOf('')).toEqual({ line: '', packets: [] });
    expect(stepsOf('?? ').packets).toEqual([]);
  });

  it('are understood by the receiver', () => {
    const keys = '0123456789*#ABCD';
    const sender = new DtmfSender(keys);
    const receiver = new DtmfReceiver();
    let heard = '';
    let timestamp = 0;
    for (let now = 0; !sender.done; now += 160) {
      const packet = sender.step();
      if (!packet) continue;
      if (packet.first) timestamp = now;
      heard += receiver.packetReceived(payloadOf({ ...packet, timestamp }), 0, { length: 4, timestamp }) ?? '';
    }
    expect(heard).toBe(keys);
  });
});
