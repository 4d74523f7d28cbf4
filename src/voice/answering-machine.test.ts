import { describe, expect, it } from 'vitest';
import { AnsweringMachineDetector } from './answering-machine.ts';

const SETTINGS = { mode: 'enable' as const, timeoutMs: 30_000, speechThresholdMs: 2400, speechEndThresholdMs: 1200, silenceTimeoutMs: 5000 };

/** `on`/`off` are what the voice detector says, 100 ms late at the end; all in ms. */
type Heard = [atMs: number, what: 'on' | 'off' | 'beep'];

/** Who answered and when it was clear, as a driver would find out. */
function verdict(heard: Heard[], more: { mode?: 'enable' | 'message-end'; timeoutMs?: number; speechThresholdMs?: number } = {}): [who: string, atMs: number] {
  const detector = new AnsweringMachineDetector({ ...SETTINGS, ...more }, 0);
  const events = [...heard];
  for (;;) {
    const next = events[0];
    const dueMs = detector.nextDueMs;
    if (next && next[0] <= dueMs) {
      events.shift();
      const [atMs, what] = next;
      const answeredBy = what === 'beep' ? detector.beep(atMs) : detector.voice(what === 'on', atMs);
      if (answeredBy) return [answeredBy, atMs];
    } else {
      const answeredBy = detector.due(dueMs);
      if (answeredBy) return [answeredBy, dueMs];
      expect(detector.nextDueMs).toBeGreaterThan(dueMs);
    }
  }
}

const HELLO: Heard[] = [[800, 'on'], [1400, 'off']];
/** Three sentences with breath between, 6 s. */
const GREETING: Heard[] = [[500, 'on'], [2100, 'off'], [2500, 'on'], [4600, 'off'], [4900, 'on'], [6500, 'off']];

describe('who answered', () => {
  it('a word, then silence: a person', () => {
    expect(verdict(HELLO)).toEqual(['human', 1300 + 1200]);
    expect(verdict(HELLO, { mode: 'message-end' })).toEqual(['human', 2500]);
  });

  it('two words with a short pause are one stretch', () => {
    expect(verdict([[500, 'on'], [900, 'off'], [1500, 'on'], [2000, 'off']])).toEqual(['human', 1900 + 1200]);
  });

  it('a recitation: a machine, as soon as it is too long for a person', () => {
    expect(verdict([[500, 'on']])).toEqual(['machine_start', 2900]);
    // In a breath at the threshold, so with the next word.
    expect(verdict(GREETING, { speechThresholdMs: 1800 })).toEqual(['machine_start', 2500]);
  });

  it('its greeting to the end: by the beep, by silence, or not at all', () => {
    expect(verdict([...GREETING, [7000, 'on'], [7400, 'beep']], { mode: 'message-end' })).toEqual(['machine_end_beep', 7400]);
    expect(verdict(GREETING, { mode: 'message-end' })).toEqual(['machine_end_silence', 6400 + 1200]);
    expect(verdict([[500, 'on']], { mode: 'message-end' })).toEqual(['machine_end_other', 30_000]);
  });

  it('a short greeting with a beep is a machine in any mode', () => {
    expect(verdict([...HELLO, [1800, 'on'], [2200, 'beep']], { mode: 'message-end' })).toEqual(['machine_end_beep', 2200]);
    expect(verdict([...HELLO, [1800, 'on'], [2200, 'beep']])).toEqual(['machine_start', 2200]);
  });

  it('one long tone and nothing else: a fax', () => {
    expect(verdict([[300, 'on'], [3200, 'beep']], { mode: 'message-end' })).toEqual(['fax', 3200]);
    expect(verdict([[300, 'on'], [2500, 'beep']])).toEqual(['fax', 2500]);
  });

  it('silence, or no end of short words: nobody knows', () => {
    expect(verdict([])).toEqual(['unknown', 5000]);
    expect(verdict([], { timeoutMs: 3000 })).toEqual(['unknown', 3000]);
    expect(verdict([[2500, 'on']], { timeoutMs: 3000 })).toEqual(['unknown', 3000]);
  });
});
