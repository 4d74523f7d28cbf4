import { describe, expect, it } from 'vitest';
import type { FlowQuality } from '../../media/protocol.ts';
import { scoreBrowser, scoreFlow, scorePhone, type BrowserReport, type Flow } from './quality-score.ts';

const unknown: Flow = { actualBps: null, availableBps: null, rttMs: null, jitterMs: null, fractionLost: null };
const level = (kind: 'audio' | 'video', flow: Partial<Flow>): number => scoreFlow(kind, { ...unknown, ...flow }).level;

describe('the level of a flow', () => {
  it.each([
    [{ fractionLost: 0.01 }, 5],
    [{ fractionLost: 0.02 }, 4],
    [{ fractionLost: 0.05 }, 3],
    [{ fractionLost: 0.1 }, 2],
    [{ fractionLost: 0.2 }, 1],
    [{ rttMs: 20 }, 5],
    [{ rttMs: 200 }, 4],
    [{ rttMs: 1000 }, 1],
    [{ jitterMs: 60 }, 3],
    [{ rttMs: 20, jitterMs: 200, fractionLost: 0 }, 1],
    [{}, 5],
  ])('of audio with %j is %i', (flow, expected) => expect(level('audio', flow)).toBe(expected));

  it('of video allows for the jitter that frames make, and wants more bandwidth', () => {
    expect([level('video', { jitterMs: 60 }), level('audio', { jitterMs: 60 })]).toEqual([5, 3]);
    expect([level('video', { availableBps: 64_000, actualBps: 64_000 }), level('audio', { availableBps: 64_000, actualBps: 64_000 })]).toEqual([2, 5]);
  });

  it('is not lowered by a narrow path that has room for the little that is sent', () => {
    expect([300_000, 500_000].map((availableBps) => level('video', { availableBps, actualBps: 190_000 }))).toEqual([5, 5]);
    expect(level('video', { availableBps: 200_000, actualBps: 190_000 })).toBe(2);
  });
});

const flow: FlowQuality = { actualBps: 40_000, availableBps: 1_000_000, rttMs: 10, jitterMs: 2, fractionLost: 0 };
const report: BrowserReport = {
  availableSendBps: 900_000,
  rttMs: 30,
  send: { audio: { bitrateBps: 39_000 }, video: { bitrateBps: 0 } },
  recv: { audio: { bitrateBps: 38_000, jitterMs: 5, fractionLost: 0.05 }, video: { bitrateBps: 0, jitterMs: null, fractionLost: 0 } },
};

describe('the quality of a participant', () => {
  it('takes the worst of what both ends saw, and its worst direction for the whole', () => {
    const measured = { send: { audio: flow, video: null }, receive: { audio: flow, video: null } };
    const quality = scoreBrowser(measured, report);
    expect(quality).toMatchObject({ level: 3, audio: { send: { level: 5 }, recv: { level: 3, flow: { rttMs: 30, jitterMs: 5, fractionLost: 0.05, actualBps: 38_000 } } }, video: { send: { level: 5 }, recv: { level: 5 } } });
    expect(quality.audio?.send.flow.availableBps, 'its own estimate of its uplink').toBe(900_000);
    expect(scoreBrowser(measured, null).level).toBe(5);
    expect(scoreBrowser(null, report).audio?.send.flow.actualBps, 'before anything is measured').toBe(39_000);
  });

  it('of a phone has no video', () => {
    expect(scorePhone({ actualBps: null, jitterMs: 10, fractionLost: 0.04 })).toMatchObject({ level: 3, audio: { send: { level: 3 }, recv: { level: 3 } }, video: null });
  });
});
