import { describe, expect, it } from 'vitest';
import { callCommand, deviceInWords, duration, errorInWords, initials, readable } from './words.ts';

describe('errors in words', () => {
  it('tells why a stay ended, by the code of the SDK', () => {
    expect(errorInWords(Object.assign(new Error('Room completed'), { code: 53118 }))).toBe('The room was closed.');
    expect(errorInWords(Object.assign(new Error('Odd'), { code: 53999 }))).toBe('Odd (53999)');
  });

  it('tells a server that is away from one that refused', () => {
    expect(errorInWords(new TypeError('Failed to fetch'))).toMatch(/cannot be reached/);
    expect(errorInWords(new Error('Give a name of 1 to 60 characters.'))).toBe('Give a name of 1 to 60 characters.');
    expect(errorInWords(undefined)).toMatch(/went wrong/);
  });

  it('tells a forbidden device from a missing one', () => {
    expect(deviceInWords({ name: 'NotAllowedError' }, 'camera')).toMatch(/not allowed.*camera/);
    expect(deviceInWords({ name: 'NotFoundError' }, 'microphone')).toBe('No microphone was found.');
  });
});

describe('names and numbers', () => {
  it('groups numbers and leaves names alone', () => {
    expect(readable('+15551234567')).toBe('+1 555 123 4567');
    expect(readable('+15550100')).toBe('+1 555 0100');
    expect(readable('+4930123456')).toBe('+4930123456');
    expect(readable('Anna')).toBe('Anna');
    expect(readable('d70de7230760d46f8fb181e919f75eb5')).toBe('Caller d70de7');
  });

  it('makes initials of any writing', () => {
    expect(initials('anna bell')).toBe('AB');
    expect(initials('Ödön')).toBe('Ö');
    expect(initials(' ')).toBe('?');
  });

  it('counts time', () => {
    expect([duration(5), duration(75), duration(3675)]).toEqual(['0:05', '1:15', '1:01:15']);
  });
});

describe('the command to call', () => {
  it('names the server only when it is not the usual one', () => {
    expect(callCommand('+15550100', 'sip:+15550100@127.0.0.1:5060')).toBe('npx partyline call +15550100');
    expect(callCommand('+15550100', 'sip:+15550100@127.0.0.1')).toBe('npx partyline call +15550100');
    expect(callCommand('+15550100', 'sip:+15550100@10.0.0.4:5070')).toBe('npx partyline call +15550100 --server 10.0.0.4:5070');
  });
});
