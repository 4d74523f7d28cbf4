import { describe, expect, it } from 'vitest';
import { readCallOptions } from './call-options.ts';

describe('partyline call', () => {
  it('calls a number at the server of this machine and hums', () => {
    expect(readCallOptions(['+1 (555) 010-0'])).toMatchObject({ to: 'sip:+15550100@127.0.0.1:5060', transport: 'udp', sound: { kind: 'tone', frequencyHz: 440 }, forMs: null });
  });

  it('calls elsewhere over TCP', () => {
    expect(readCallOptions(['100', '--server', 'pbx.example.com:5070', '--transport', 'tcp'])).toMatchObject({ to: 'sip:100@pbx.example.com:5070;transport=tcp', transport: 'tcp' });
    expect(readCallOptions(['sip:bob@192.0.2.1;transport=tcp'])).toMatchObject({ to: 'sip:bob@192.0.2.1;transport=tcp', transport: 'tcp' });
  });

  it.each([
    ['10s', 10_000],
    ['2m', 120_000],
    ['500ms', 500],
    ['7', 7000],
  ])('--for %s is %d ms', (text, ms) => {
    expect(readCallOptions(['100', '--for', text])?.forMs).toBe(ms);
  });

  it.each([
    [[], 'exactly one number'],
    [['100', '200'], 'exactly one number'],
    [['bob'], 'neither a number nor a SIP URI'],
    [['100', '--for', 'soon'], 'a time like 10s'],
    [['100', '--tone', '9000'], '50 to 3800 Hz'],
    [['100', '--tone', '440', '--silent'], 'exclude each other'],
    [['100', '--play', '/nowhere.wav'], '/nowhere.wav'],
    [['100', '--digits', '12x'], '--digits are'],
    [['100', '--transport', 'tls'], 'udp or tcp'],
    [['100', '--server', 'a b'], 'host:port'],
    [['100', '--loud'], '--loud'],
  ])('%j is refused in words', (argv, words) => {
    expect(() => readCallOptions(argv)).toThrow(words);
  });

  it('helps', () => {
    expect(readCallOptions(['--help'])).toBeNull();
  });
});
