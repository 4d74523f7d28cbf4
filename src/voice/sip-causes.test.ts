import { describe, expect, it } from 'vitest';
import { reasonHeader } from './ending-words.ts';
import { answeredElsewhere, meaningOf, readReasons } from './sip-causes.ts';
import { finalStatus, terminationOf } from './termination.ts';

describe('a Reason header', () => {
  it('is read with all its values, quotes and commas in them', () => {
    expect(readReasons('Q.850;cause=17;text="User, \\"busy\\"" , sip ; cause=486')).toEqual([
      { protocol: 'Q.850', cause: 17, text: 'User, "busy"' },
      { protocol: 'SIP', cause: 486, text: '' },
    ]);
  });

  it.each([[undefined], [''], ['Q.850'], ['Q.850;cause=abc'], [';cause=17'], ['"'], [`x;${'y'.repeat(9000)}`]])('that is malformed says nothing: %j', (header) => expect(readReasons(header)).toEqual([]));

  it('tells that another phone took the call', () => {
    expect(answeredElsewhere(readReasons('SIP;cause=200;text="Call completed elsewhere"'))).toBe(true);
    expect(answeredElsewhere(readReasons('Q.850;cause=200'))).toBe(false);
  });

  it('of ours can be read again', () => {
    expect(readReasons(reasonHeader('rejected-busy'))).toEqual([
      { protocol: 'SIP', cause: 486, text: 'rejected busy' },
      { protocol: 'Q.850', cause: 17, text: 'rejected busy' },
    ]);
    expect(readReasons(reasonHeader('hangup-verb')).map(({ cause }) => cause)).toEqual([16]);
  });
});

describe('a refusal with a cause of Q.850', () => {
  const status = (statusCode: number, reason?: string) => finalStatus(terminationOf({ cause: 'rejected', statusCode, ...(reason === undefined ? {} : { reason }) }, 'outbound'), false);

  it.each([
    [503, 'Q.850;cause=17', 'busy'],
    [480, 'Q.850;cause=21', 'busy'],
    [500, 'Q.850;cause=19;text="No answer"', 'no-answer'],
    [404, 'Q.850;cause=18', 'no-answer'],
    [480, 'Q.850;cause=1', 'failed'],
    [480, 'Q.850;cause=34', 'failed'],
    [503, 'Q.850;cause=41', 'failed'],
    [480, 'Q.850;cause=16', 'no-answer'],
    [480, 'Q.850;cause=31', 'no-answer'],
    [486, 'SIP;cause=503', 'busy'],
    [486, 'Q.850;cause=41', 'busy'],
    [603, undefined, 'busy'],
    [404, undefined, 'failed'],
  ])('%i %s is %s', (statusCode, reason, expected) => expect(status(statusCode, reason)).toBe(expected));

  it('keeps the SIP answer for the status callback', () => {
    expect(terminationOf({ cause: 'rejected', statusCode: 503, reason: 'Q.850;cause=17' }, 'outbound')).toMatchObject({ reason: 'busy', sipStatusCode: 503, detail: 'Q.850;cause=17' });
  });

  it('knows what nobody reads', () => expect(meaningOf(readReasons('Q.850;cause=99'))).toBeNull());
});
