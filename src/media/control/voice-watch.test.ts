import { afterEach, expect, it, vi } from 'vitest';
import { MediaCallers, until } from '../../testing/media-callers.ts';

const cast = new MediaCallers();
afterEach(() => cast.close());

it('a watched phone tells that it speaks, that it ceased, and that it beeped; an unwatched one nothing', async () => {
  const plane = await cast.plane();
  const [watched, other] = [await plane.createPhone({}), await plane.createPhone({})];
  const told: string[] = [];
  const quiet: string[] = [];
  for (const [phone, list] of [[watched, told], [other, quiet]] as const) {
    phone.on('voiceChanged', (speaking) => list.push(speaking ? 'speaks' : 'ceased'));
    phone.on('beepHeard', () => list.push('beep'));
  }
  await watched.watchVoice(true);
  const [ann, bob] = [await cast.call(watched, 1000), await cast.call(other, 1000)];
  await until(() => told.includes('speaks') && ann.ageMs > 600);
  ann.stopHumming();
  bob.stopHumming();
  await until(() => told.length === 3);
  expect(told[0]).toBe('speaks');
  expect(told.slice(1).sort()).toEqual(['beep', 'ceased']);
  await watched.watchVoice(false);
  ann.start(watched.localPort);
  const { packetsReceived: before } = await watched.stats();
  await vi.waitFor(async () => expect((await watched.stats()).packetsReceived).toBeGreaterThan(before + 20), { timeout: 5000 });
  expect(told).toHaveLength(3);
  expect(quiet).toEqual([]);
});
