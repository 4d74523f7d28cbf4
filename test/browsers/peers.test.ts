import { expect, it } from 'vitest';
import { startPhone } from '../peers/baresip.ts';
import { Browser } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { runSipp } from '../peers/sipp.ts';

// The peers among themselves, without a server: when this fails, the test bench is at fault.

const cast = new Cast();

it('two phones hear each other and not themselves', async () => {
  const alice = await cast.add('alice', startPhone({ user: '+15550001', toneHz: 440 }));
  const bob = await cast.add('bob', startPhone({ user: '+15550002', toneHz: 1000 }));
  await alice.dial(bob.uri);
  await alice.waitEstablished();
  const [heardByAlice, heardByBob] = await Promise.all([alice.listen(1500, [440, 1000]), bob.listen(1500, [440, 1000])]);
  expect(heardByAlice[1000]!.share).toBeGreaterThan(0.9);
  expect(heardByBob[440]!.share).toBeGreaterThan(0.9);
  expect(heardByAlice[440]!.share).toBe(0);
  expect(heardByBob[1000]!.share).toBe(0);
  await alice.hangUp();
  await bob.waitClosed();
});

it.each(['udp', 'tcp'] as const)('sipp calls a phone over %s and is heard', async (transport) => {
  const phone = await cast.add(`carol ${transport}`, startPhone({ user: '+15550003', toneHz: 810, transport }));
  const call = runSipp({ scenario: 'call-stream-bye', remote: `127.0.0.1:${phone.sipPort}`, service: '+15550003', transport });
  await phone.waitEstablished();
  const heard = await phone.listen(1500, [440]);
  const { code, log } = await call;
  expect(code, log).toBe(0);
  expect(heard[440]!.share).toBeGreaterThan(0.9);
});

it('a page hears a tone and sees a picture that came over WebRTC', async () => {
  const browser = await cast.add('browser', Browser.start());
  const page = await browser.party('page');
  const { tones, rtp } = await page.selfTest(620, [440, 620]);
  expect(tones[620]!.share).toBeGreaterThan(0.8);
  expect(tones[440]!.share).toBe(0);
  expect(rtp.find((row) => row.kind === 'audio')?.totalAudioEnergy).toBeGreaterThan(0.01);
  expect(rtp.find((row) => row.kind === 'video')?.framesDecoded).toBeGreaterThan(10);
});
