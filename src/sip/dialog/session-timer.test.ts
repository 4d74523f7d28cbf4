import { describe, expect, it } from 'vitest';
import { Headers } from '../message/headers.ts';
import { NO_BODY, type SipRequest, type SipResponse } from '../message/message.ts';
import { Descriptions } from './descriptions.ts';
import { glareWaitMs } from './our-offers.ts';
import { ProvisionalOrder, ReliableSequence } from './reliable-provisionals.ts';
import { isTooBrief, readMinSe, readSessionExpires, SessionTimer, termsFor, termsOf } from './session-timer.ts';

const headersOf = (lines: Record<string, string>): Headers => {
  const headers = new Headers();
  for (const [name, value] of Object.entries(lines)) headers.add(name, value);
  return headers;
};
const request = (lines: Record<string, string>): SipRequest => ({ kind: 'request', method: 'INVITE', uri: 'sip:x', headers: headersOf(lines), body: NO_BODY });
const response = (lines: Record<string, string>): SipResponse => ({ kind: 'response', statusCode: 200, reasonPhrase: '', headers: headersOf(lines), body: NO_BODY });

describe('Session-Expires', () => {
  it.each([
    ['1800', { intervalS: 1800, refresher: null }],
    [' 90 ; refresher=UAC', { intervalS: 90, refresher: 'uac' }],
    ['90;x=y;refresher=uas', { intervalS: 90, refresher: 'uas' }],
    ['90;refresher=nobody', { intervalS: 90, refresher: null }],
    ['-1', null],
    ['1e3', null],
    ['99999999999', null],
    ['90;refresher="uac', null],
    ['', null],
  ])('%j is %o', (text, expected) => {
    expect(readSessionExpires(headersOf({ 'Session-Expires': text }))).toEqual(expected);
  });

  it('has a compact form', () => {
    expect(readSessionExpires(headersOf({ x: '100' }))).toEqual({ intervalS: 100, refresher: null });
  });

  it('below 90 s is refused to whoever knows 422', () => {
    expect(isTooBrief(request({ Supported: 'timer', 'Session-Expires': '89' }))).toBe(true);
    expect(isTooBrief(request({ Require: 'Timer', 'Session-Expires': '0' }))).toBe(true);
    expect(isTooBrief(request({ 'Session-Expires': '89' }))).toBe(false);
    expect(isTooBrief(request({ Supported: 'timer', 'Session-Expires': '90' }))).toBe(false);
  });
});

describe('what is agreed', () => {
  const ours = { intervalS: 1800, refreshing: null };
  // RFC 4028 §9, table 2.
  it.each([
    [{}, null],
    [{ Supported: 'timer' }, { intervalS: 1800, refresher: 'uas' }],
    [{ Supported: 'timer', 'Min-SE': '3600' }, { intervalS: 3600, refresher: 'uas' }],
    [{ Supported: 'timer', 'Session-Expires': '600' }, { intervalS: 600, refresher: 'uas' }],
    [{ Supported: 'timer', 'Session-Expires': '600;refresher=uac' }, { intervalS: 600, refresher: 'uac' }],
    [{ Supported: 'timer', 'Session-Expires': '600;refresher=uas' }, { intervalS: 600, refresher: 'uas' }],
    [{ 'Session-Expires': '600' }, { intervalS: 600, refresher: 'uas' }],
    [{ 'Session-Expires': '60' }, { intervalS: 90, refresher: 'uas' }],
  ] as [Record<string, string>, unknown][])('%o: %o', (lines, expected) => {
    expect(termsFor(request(lines), ours)).toEqual(expected);
  });

  it('whoever refreshes goes on with it where nobody is named', () => {
    const refresh = request({ Supported: 'timer', 'Session-Expires': '600' });
    expect(termsFor(refresh, { intervalS: 1800, refreshing: false })?.refresher).toBe('uac');
    expect(termsFor(refresh, { intervalS: 1800, refreshing: true })?.refresher).toBe('uas');
  });

  it('when none is wanted, others are still kept to', () => {
    expect(termsFor(request({ Supported: 'timer' }), { intervalS: 0, refreshing: null })).toBeNull();
    expect(termsFor(request({ Supported: 'timer', 'Session-Expires': '600' }), { intervalS: 0, refreshing: null })?.intervalS).toBe(600);
  });

  it('an answer cannot make us refresh all the time', () => {
    expect(termsOf(response({ 'Session-Expires': '1;refresher=uac' }))).toEqual({ intervalS: 90, refresher: 'uac' });
    expect(termsOf(response({}))).toBeNull();
    expect(readMinSe(headersOf({ 'Min-SE': '5' }))).toBe(90);
  });
});

describe('the time of a session', () => {
  it('whoever refreshes does so at half time, and ends 32 s before the whole', () => {
    const timer = new SessionTimer();
    timer.start({ intervalS: 1800, weRefresh: true }, 1_000);
    expect(timer.nextMs).toBe(901_000);
    expect(timer.expire(900_999)).toBeNull();
    expect(timer.expire(901_000)).toBe('refresh');
    expect(timer.nextMs).toBe(1_769_000);
    expect(timer.expire(1_769_000)).toBe('end');
    expect(timer.nextMs).toBeNull();
  });

  it('the other side ends a third before, where that is shorter', () => {
    const timer = new SessionTimer();
    timer.start({ intervalS: 90, weRefresh: false }, 0);
    expect(timer.nextMs).toBe(60_000);
    timer.start({ intervalS: 90, weRefresh: false }, 50_000);
    expect(timer.expire(60_000)).toBeNull();
    expect(timer.expire(110_000)).toBe('end');
  });

  it('what failed is tried again, ever sooner, but not to the last moment', () => {
    const timer = new SessionTimer();
    timer.start({ intervalS: 90, weRefresh: true }, 0);
    const tries: number[] = [];
    for (let what: string | null = null, next = timer.nextMs; what !== 'end' && next !== null; next = timer.nextMs) {
      what = timer.expire(next);
      tries.push(next);
      if (what === 'refresh') timer.refreshFailed(next);
    }
    expect(tries).toEqual([45_000, 52_500, 56_250, 58_125, 60_000]);
  });
});

describe('reliable provisional answers', () => {
  it('double their interval without bound until 64 T1', () => {
    const sequence = new ReliableSequence<string>(10);
    expect(sequence.push('a', 0)).toMatchObject({ rseq: 10, item: 'a' });
    const sent: number[] = [];
    let now = 0;
    for (;;) {
      now = sequence.nextMs ?? -1;
      const what = sequence.expire(now);
      if (what !== 'send') break;
      sent.push(now);
    }
    expect(sent).toEqual([500, 1500, 3500, 7500, 15_500, 31_500]);
    expect([now, sequence.expire(now)]).toEqual([32_000, 'give-up']);
  });

  it('wait in line', () => {
    const sequence = new ReliableSequence<string>(1);
    sequence.push('a', 0);
    expect(sequence.push('b', 0)).toBeNull();
    expect(sequence.push('c', 0)).toBeNull();
    expect(sequence.acknowledged(100)).toMatchObject({ rseq: 2, item: 'b' });
    expect(sequence.nextMs).toBe(600);
    expect(sequence.acknowledged(200)).toMatchObject({ rseq: 3, item: 'c' });
    expect(sequence.acknowledged(300)).toBeNull();
    expect(sequence.nextMs).toBeNull();
  });

  it('are new, old or early to the caller', () => {
    const order = new ProvisionalOrder();
    expect([7, 7, 9, 8, 9, 6].map((rseq) => order.take(rseq))).toEqual(['new', 'old', 'early', 'new', 'new', 'old']);
  });
});

describe('offers', () => {
  const body = (text: string) => ({ contentType: 'application/sdp', bytes: Buffer.from(text) });

  it('that cross are put off for longer by the side that owns the Call-ID', () => {
    const waits = (owns: boolean): number[] => Array.from({ length: 500 }, () => glareWaitMs(owns));
    for (const ms of waits(true)) expect(ms).toBeGreaterThanOrEqual(2_100);
    for (const ms of [...waits(true), ...waits(false)]) expect([ms <= 4_000, ms % 10]).toEqual([true, 0]);
    for (const ms of waits(false)) expect(ms).toBeLessThanOrEqual(2_000);
  });

  it('that say the same get the same answer, until something else was said', () => {
    const said = new Descriptions({ local: null, remote: body('offer') });
    said.answered(body('offer'), body('answer'));
    expect(said.answerAgain(body('offer'))).toEqual(body('answer'));
    expect(said.answerAgain(body('hold'))).toBeNull();
    expect(said.answerAgain(null)).toBeNull();
    said.answered(body('hold'), body('held'));
    expect(said.answerAgain(body('offer'))).toBeNull();
    expect(said.answerAgain(body('hold'))).toEqual(body('held'));
    expect(said.taken(body('ours'), body('theirs'))).toBe(true);
    expect(said.answerAgain(body('hold'))).toBeNull();
    expect(said.taken(body('ours'), body('theirs'))).toBe(false);
    expect([said.local, said.remote]).toEqual([body('ours'), body('theirs')]);
  });
});
