import type { DataChannel } from 'node-datachannel';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../testing/fake-clock.ts';
import { TextChannel } from './text-channel.ts';

/** What node-datachannel gives, as far as a channel uses it. */
class Wire {
  sent: string[] = [];
  open = true;
  buffered = 0;
  opened = (): void => {};
  says: (message: unknown) => void = () => {};
  drained = (): void => {};
  onOpen(fn: () => void): void {
    this.opened = fn;
  }
  onMessage(fn: (message: unknown) => void): void {
    this.says = fn;
  }
  setBufferedAmountLowThreshold(): void {}
  onBufferedAmountLow(fn: () => void): void {
    this.drained = fn;
  }
  isOpen = (): boolean => this.open;
  bufferedAmount = (): number => this.buffered;
  getId = (): number => 5;
  sendMessage(text: string): boolean {
    if (!this.open) throw new TypeError('closed');
    this.sent.push(text);
    return false;
  }
}

let clock: FakeClock;
let heard: string[];
let overruns: string[];
let channel: TextChannel;
const plug = (): Wire => {
  const wire = new Wire();
  channel.attach(wire as unknown as DataChannel, (fn) => (...args) => void fn(...args));
  return wire;
};

beforeEach(() => {
  clock = new FakeClock();
  heard = [];
  overruns = [];
  channel = new TextChannel('l', { clock, events: { received: (text) => heard.push(text), overrun: (reason) => overruns.push(reason) } });
});

describe('a text channel', () => {
  it('holds everything back until the browser speaks, then keeps the order, the latest state last', () => {
    const wire = plug();
    wire.opened();
    channel.send('a');
    channel.show('old');
    channel.show('new');
    channel.send('b');
    expect(wire.sent).toEqual([]);
    wire.says('ready');
    expect([wire.sent, heard]).toEqual([['a', 'b', 'new'], ['ready']]);
  });

  it('goes on over another transport under the same stream, and waits while the browser does not read', () => {
    const first = plug();
    expect(channel.init).toEqual({});
    first.opened();
    first.says('ready');
    first.open = false;
    channel.send('while nothing is open');
    expect(channel.init).toEqual({ negotiated: true, id: 5 });
    const second = plug();
    second.buffered = 100_000;
    second.opened();
    first.says('from the old one');
    expect([second.sent, heard]).toEqual([[], ['ready']]);
    second.buffered = 0;
    second.drained();
    expect(second.sent).toEqual(['while nothing is open']);
  });

  it('is full at 256 messages or 256 kB', () => {
    for (let i = 0; i < 256; i++) expect(channel.send('x')).toBe(true);
    expect(channel.send('x')).toBe(false);
    const other = new TextChannel('m', { clock, events: { received: () => {}, overrun: () => {} } });
    expect(other.send('x'.repeat(256 * 1024))).toBe(true);
    expect(other.send('x')).toBe(false);
  });

  it('leaves out what is too long, too much or binary, and says so once', () => {
    const wire = plug();
    wire.says('x'.repeat(16 * 1024 + 1));
    wire.says(Buffer.from('x'));
    for (let i = 0; i < 150; i++) wire.says(String(i));
    expect([heard.length, overruns]).toEqual([100, ['size']]);
    clock.advance(500);
    for (let i = 0; i < 20; i++) wire.says('later');
    expect(heard.length).toBe(110);
  });
});
