import { describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { ActiveSpeaker } from './active-speaker.ts';

const [ann, bob] = [newSid('MT'), newSid('MT')];

/** Who has the floor after each stretch of [ms, Ann's level, Bob's level]; also how often it changed. */
function floor(...stretches: [number, number, number][]): { after: string[]; changes: number } {
  const speaker = new ActiveSpeaker();
  const after: string[] = [];
  let changes = 0;
  let nowMs = 0;
  for (const [ms, annLevel, bobLevel] of stretches) {
    for (const endMs = nowMs + ms; nowMs < endMs; nowMs += 20) {
      speaker.level(ann, annLevel, nowMs);
      speaker.level(bob, bobLevel, nowMs);
      if (speaker.decide(nowMs)) changes++;
    }
    after.push(speaker.current === ann ? 'Ann' : speaker.current === bob ? 'Bob' : '-');
  }
  return { after, changes };
}

describe('the active speaker', () => {
  it('is the one who talks, and nobody when all have been silent', () => {
    expect(floor([1000, -20, -127], [1000, -127, -127], [2000, -127, -127], [500, -127, -25]).after).toEqual(['Ann', 'Ann', '-', 'Bob']);
  });

  it('is nobody in a room with line noise only', () => {
    expect(floor([5000, -65, -55])).toEqual({ after: ['-'], changes: 0 });
  });

  it('keeps the floor against one who is about as loud', () => {
    expect(floor([1000, -20, -127], [5000, -20, -16]).after).toEqual(['Ann', 'Ann']);
  });

  it('loses it to one who is clearly louder, or who talks while it is silent', () => {
    expect(floor([1000, -30, -127], [1000, -30, -15]).after).toEqual(['Ann', 'Bob']);
    expect(floor([1000, -20, -127], [1000, -127, -25]).after).toEqual(['Ann', 'Bob']);
  });

  it('changes at most every 300 ms', () => {
    const quarrel = Array.from({ length: 100 }, (_, i): [number, number, number] => (i % 2 ? [100, -10, -60] : [100, -60, -10]));
    expect(floor(...quarrel).changes).toBeLessThanOrEqual(34);
  });

  it('is nobody when the speaker has left', () => {
    const speaker = new ActiveSpeaker();
    for (let nowMs = 0; nowMs < 1000; nowMs += 20) {
      speaker.level(ann, -20, nowMs);
      speaker.decide(nowMs);
    }
    expect(speaker.current).toBe(ann);
    speaker.remove(ann);
    expect(speaker.decide(1400)).toBe(true);
    expect(speaker.current).toBeNull();
  });
});
