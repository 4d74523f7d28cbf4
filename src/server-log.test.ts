import { describe, expect, it } from 'vitest';
import { jsonLine, terminalLine } from './server-log.ts';

describe('terminal log lines', () => {
  it('are short lines for people', () => {
    expect(terminalLine('{"level":30,"time":0,"msg":"call answered","callSid":"CA1","ms":12}')).toMatch(/^\d\d:\d\d:\d\d info {2}call answered callSid=CA1 ms=12\n$/);
  });

  it('never carry control characters of a stranger to the terminal', () => {
    const line = terminalLine(JSON.stringify({ level: 40, time: 0, msg: 'refused', uri: 'sip:\u001b[2J\r\nfake@x\u0007' }));
    expect(line).toContain('uri=sip: [2J fake@x ');
    expect(line.trimEnd()).not.toMatch(/[\u0000-\u001f]/);
  });
});

it('a JSON line holds no control character of a stranger either, C1 and DEL included', () => {
  const from = '"\u001b[2J\u009b31m\u007f\u0085" <sip:a@b>\r\n{"level":50}';
  const line = jsonLine(`${JSON.stringify({ level: 'info', from })}\n`);
  expect(line.trimEnd()).not.toMatch(/\p{Cc}/u);
  expect(JSON.parse(line)).toEqual({ level: 'info', from });
});
