import { beforeEach, describe, expect, it } from 'vitest';
import { newSid, type CallSid } from '../../base/sid.ts';
import { ConferenceState, type ConferenceStep, type MemberSettings } from './conference-state.ts';

const [a, b, c] = [newSid('CA'), newSid('CA'), newSid('CA')];
let state: ConferenceState;
beforeEach(() => {
  state = new ConferenceState();
});

const settings = (over: Partial<MemberSettings> = {}): MemberSettings => ({ label: null, muted: false, startOnEnter: true, endOnExit: false, beepOnEnter: true, beepOnExit: true, maxParticipants: 250, callSidToCoach: null, ...over });
const join = (sid: CallSid, over: Partial<MemberSettings> = {}): string[] => words(state.join(sid, settings(over), 0));

/** `left a moderator_ended_conference`, `ended last-participant-left by a` */
function words(steps: readonly ConferenceStep[]): string[] {
  const name = (sid: CallSid | undefined): string => (sid === a ? 'a' : sid === b ? 'b' : sid === c ? 'c' : '-');
  return steps.map((step) => {
    if (step.step === 'started') return 'started';
    if (step.step === 'ended') return `ended ${step.reason} by ${name(step.ending?.callSid)}`;
    return [step.step, name(step.member.callSid), ...('reason' in step ? [step.reason] : [])].join(' ');
  });
}

describe('a conference starts', () => {
  it('with the second member', () => {
    expect(join(a)).toEqual(['joined a']);
    expect(state.status).toBe('init');
    expect(join(b)).toEqual(['started', 'joined b']);
    expect(join(c)).toEqual(['joined c']);
  });

  it('with nobody before one comes who may start it', () => {
    join(a, { startOnEnter: false });
    expect(join(b, { startOnEnter: false })).toEqual(['joined b']);
    expect(join(c)).toEqual(['started', 'joined c']);
  });

  it('when one who may start it waits and any second comes', () => {
    join(a);
    expect(join(b, { startOnEnter: false })).toEqual(['started', 'joined b']);
  });
});

describe('a conference ends', () => {
  it('with the last member', () => {
    join(a);
    join(b);
    expect(words(state.leave(a, 'participant_hung_up'))).toEqual(['left a participant_hung_up']);
    expect(words(state.leave(b, 'participant_updated_via_api'))).toEqual(['left b participant_updated_via_api', 'ended last-participant-kicked by b']);
    expect(words(state.leave(b, 'participant_hung_up'))).toEqual([]);
  });

  it('for all when a moderator goes, before it started as well', () => {
    join(a, { endOnExit: true });
    join(b);
    join(c);
    expect(words(state.leave(a, 'participant_hung_up'))).toEqual(['left a participant_hung_up', 'left b moderator_ended_conference', 'left c moderator_ended_conference', 'ended participant-with-end-conference-on-exit-left by a']);
    expect(state.refusal(settings(), a)).toMatchObject({ errorCode: 13236 });
  });

  it('by REST', () => {
    join(a);
    expect(words(state.end('conference-ended-via-api'))).toEqual(['left a conference_ended_via_api', 'ended conference-ended-via-api by -']);
    expect(state.end('conference-ended-via-api')).toEqual([]);
  });
});

describe('a newcomer is refused', () => {
  it('when the conference is full by its own count', () => {
    join(a);
    join(b);
    expect(state.refusal(settings({ maxParticipants: 2 }), c)).toMatchObject({ errorCode: 16020 });
    expect(state.refusal(settings(), c)).toBeNull();
  });

  it('with a label in use, or as the coach of nobody', () => {
    join(a, { label: 'agent' });
    expect(state.refusal(settings({ label: 'agent' }), b)).toMatchObject({ errorCode: 16025 });
    expect(state.refusal(settings({ callSidToCoach: c }), b)).toMatchObject({ errorCode: 13240 });
  });
});

describe('a change', () => {
  beforeEach(() => {
    join(a);
    join(b);
  });

  it('is told once for each thing that differs', () => {
    expect(words(state.change(a, { muted: true, held: true, endOnExit: true }, 5))).toEqual(['muted a', 'held a', 'modified a']);
    expect(state.change(a, { muted: true, held: true, endOnExit: true }, 9)).toEqual([]);
    expect(words(state.change(a, { muted: false, held: false }, 9))).toEqual(['unmuted a', 'unheld a']);
    expect(state.member(a)).toMatchObject({ muted: false, held: false, endOnExit: true, updatedAtMs: 9 });
  });

  it('makes a coach and takes it back', () => {
    expect(words(state.change(a, { callSidToCoach: b }, 1))).toEqual(['modified a']);
    expect(state.member(a)).toMatchObject({ coaching: true, callSidToCoach: b });
    expect(words(state.change(a, { coaching: false }, 1))).toEqual(['modified a']);
    expect(state.member(a)?.coaching).toBe(false);
  });
});
