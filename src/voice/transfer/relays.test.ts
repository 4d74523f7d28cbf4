import { expect, it } from 'vitest';
import { Emitter } from '../../base/emitter.ts';
import type { Relay } from '../dialling/dialler.ts';
import type { LegEvents } from '../leg.ts';
import { terminated } from '../termination.ts';
import { firstToAnswer } from './relays.ts';

class FakeLeg extends Emitter<LegEvents> {
  readonly said: string[] = [];
  hangup = (): void => void this.said.push('hangup');
  close = (): Promise<void> => Promise.resolve(void this.said.push('close'));
}

it('a phone that answered with nothing usable is hung up on at once, while another one rings on', async () => {
  const [unusable, rings] = [new FakeLeg(), new FakeLeg()];
  const relays = [unusable, rings].map((leg) => ({ leg, to: '', dial: () => Promise.resolve() }) as unknown as Relay);
  const first = firstToAnswer(relays, new AbortController().signal);
  unusable.emit('ended', terminated('no-common-codec'));
  expect([unusable.said, rings.said]).toEqual([['hangup'], []]);
  rings.emit('answered');
  expect(await first).toBe(relays[1]);
  expect([unusable.said.at(-1), rings.said]).toEqual(['close', []]);
});
