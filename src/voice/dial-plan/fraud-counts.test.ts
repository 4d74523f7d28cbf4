import { expect, it } from 'vitest';
import { FakeIncomingCall, FakeRefer, type FakeOutgoingCall } from '../testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from '../testing/fake-world.ts';

const MAX_CALLS = 1000;

/** How many calls to numbers the guard holds for standing: so many fewer than allowed may be planned. */
function standing(world: FakeWorld): number {
  const may = (planned: number): boolean => world.live.mayDial({ accountSid: world.accountSid, to: '+15557000', planned }) === null;
  let free = 0;
  while (free < MAX_CALLS && may(free)) free++;
  return MAX_CALLS - free;
}

/** Whole numbers below `max`, the same for the same seed. */
function randomOf(seed: number): (max: number) => number {
  let state = seed;
  return (max) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * max);
  };
}

it.each([2])('calls to numbers, transferred and redirected ones too, count once each and are given back however they end (%i)', async (seed) => {
  const random = randomOf(seed);
  const world = fakeWorld({ carrier: 'sip:10.0.0.9:5070', outbound: { prefixes: 'all', maxCalls: MAX_CALLS, callsPerMinute: null } });
  world.app.on('/voice', '<Response><Dial timeLimit="300"><Number>+15557001000</Number></Dial></Response>');
  const callers: FakeIncomingCall[] = [];
  const later = async (ms = 0): Promise<void> => {
    await settle();
    await world.clock.advanceAsync(ms + 1);
    await settle();
  };
  const oneOf = <T extends { state: string }>(list: readonly T[]): T | undefined => {
    const alive = list.filter(({ state }) => state !== 'ended');
    return alive[random(alive.length)];
  };
  const placed = (): readonly FakeOutgoingCall[] => world.sip.placed;
  const ringing = (): FakeOutgoingCall | undefined => oneOf(placed().filter(({ state }) => state === 'early'));
  const redirect = (call: FakeOutgoingCall | undefined): void => {
    if (!call) return;
    call.answerHeaders = [['Contact', `<tel:+1555800${random(9000) + 1000}>`]];
    call.refuses(302);
  };
  const steps: (() => unknown)[] = [
    () => world.live.create(world.accountSid, { to: '+15557005000', from: '+15550100', twiml: '<Response><Pause length="60"/></Response>', other: {} }),
    () => callers.push(world.arrive(new FakeIncomingCall())),
    () => ringing()?.answers(),
    () => ringing()?.answers(),
    () => ringing()?.refuses([486, 404, 503, 603][random(4)] ?? 486),
    () => ringing()?.fails('unreachable'),
    () => redirect(ringing()),
    () => oneOf(placed().filter(({ state }) => state === 'confirmed'))?.emit('referReceived', new FakeRefer('tel:+15557002000')),
    () => oneOf(callers.filter(({ state }) => state === 'confirmed'))?.emit('referReceived', new FakeRefer('tel:+15557003000')),
    () => oneOf(callers)?.remoteEnds('remote-bye'),
    () => oneOf(placed().filter(({ state }) => state === 'confirmed'))?.emit('ended', { cause: 'remote-bye' }),
    async () => {
      const live = [...world.calls.calls.values()].filter(({ sid }) => world.live.live(sid) !== null);
      const one = live[random(live.length)];
      if (one) await world.live.update(world.accountSid, one.sid, { status: 'completed' });
    },
  ];
  const outbound = (): number => [...world.calls.calls.values()].filter(({ sid, direction }) => direction !== 'inbound' && world.live.live(sid) !== null).length;
  /** Phones that were called to take over a call: they are no Calls, and count beside them. */
  const successors = (): number =>
    placed().filter(({ state, options: { headers = [] } }) => {
      const named = new Map(headers);
      return state !== 'ended' && named.has('Referred-By') && [...world.calls.calls.values()].some(({ sid, direction }) => sid === named.get('X-Twilio-CallSid') && direction !== 'outbound-dial');
    }).length;
  let most = 0;
  for (let n = 0; n < 30; n++) {
    await steps[random(3) === 0 ? random(2) : random(steps.length)]?.();
    await later(random(2000));
    expect(standing(world)).toBe(outbound() + successors());
    most = Math.max(most, outbound());
  }
  expect(most).toBeGreaterThan(1);
  await later(400_000);
  for (const caller of callers) if (caller.state !== 'ended') caller.remoteEnds('remote-bye');
  await world.live.stop(0);
  await later();
  expect([standing(world), world.live.liveCount]).toEqual([0, 0]);
});
