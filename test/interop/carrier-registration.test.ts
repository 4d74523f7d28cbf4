import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startPhone } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { temporaryFolder } from '../peers/child.ts';
import { startKamailio } from '../peers/kamailio.ts';
import { freePort } from '../peers/ports.ts';
import { Stage } from '../peers/stage.ts';
import { waitUntil } from '../peers/wait.ts';

// A trunk that registers at its carrier, Kamailio, which is killed and started again.

const cast = new Cast();

it('a registration brings calls, survives the restart of its registrar, and is taken away at the end', async () => {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const file = join(temporaryFolder('trunks'), 'trunks.json');
  writeFileSync(file, JSON.stringify({ trunks: [] }));
  const stage = await Stage.open(cast, { env: { PARTYLINE_TRUNKS_FILE: file, PARTYLINE_METRICS_PORT: String(metricsPort) } });
  stage.app.on('/carrier', () => '<Response><Say>Hello.</Say><Pause length="20"/></Response>');
  const phone = await cast.add('phone of the carrier', startPhone({ user: 'caller', toneHz: 440 }));

  const inState = (state: string) => async (): Promise<boolean> => (await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()).includes(`partyline_sip_registrations{state="${state}"} 1`);
  const comesTo = (state: string, timeoutMs: number): Promise<unknown> => waitUntil(inState(state), { timeoutMs, everyMs: 100, what: () => `the registration to be ${state}\n${stage.server.log().slice(-2000)}` });
  const calledThroughCarrier = async (nth: number): Promise<void> => {
    await phone.dial(`sip:trunk@127.0.0.1:${port}`);
    const asked = await stage.app.waitFor({ path: '/carrier' }, { nth });
    expect(asked.valid).toBe(true);
    await phone.waitEstablished({ nth });
    await phone.hangUp();
    await phone.waitClosed({ nth });
  };

  const first = await cast.add('kamailio', startKamailio({ port, maxExpiresS: 4 }));
  const trunk = { name: 'Kamailio', voiceUrl: `${stage.app.url}/carrier`, targets: [{ uri: `sip:127.0.0.1:${port}` }], register: { registrar: `sip:127.0.0.1:${port}`, username: 'trunk', password: 'secret' } };
  writeFileSync(file, JSON.stringify({ trunks: [trunk] }));
  process.kill(stage.server.pid, 'SIGHUP');
  await comesTo('registered', 10_000);
  await calledThroughCarrier(1);
  const [byTrunk] = await stage.server.client.voice.v1.byocTrunks.list();
  await stage.number('+15550100', '/carrier');
  const nobody = await stage.server.client.calls.create({ to: '+15557000', from: '+15550100', byoc: byTrunk?.sid ?? '', twiml: '<Response/>' });
  await stage.waitCallStatus(nobody.sid, 'failed');
  // Its Service-Route was taken.
  expect(first.log()).toContain('INVITE by its route');
  await waitUntil(() => (first.log().match(/REGISTER keeps/g) ?? []).length >= 3, { timeoutMs: 15_000, what: () => `renewals\n${first.log()}` });

  await first.stop();
  await comesTo('failed', 20_000);
  const second = await cast.add('kamailio again', startKamailio({ port, maxExpiresS: 4 }));
  const backAtMs = Date.now();
  await comesTo('registered', 30_000);
  // Its pauses are 5 s, then 10 s, shortened by up to a half; a REGISTER without an answer takes 8 s.
  expect(Date.now() - backAtMs).toBeLessThan(20_000);
  await calledThroughCarrier(2);

  await stage.server.stop();
  await waitUntil(() => second.log().includes('REGISTER took away'), { timeoutMs: 5_000, what: () => `the registration to be taken away\n${second.log()}` });
}, 120_000);
