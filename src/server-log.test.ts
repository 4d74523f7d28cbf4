import { describe, expect, it } from 'vitest';
import { terminalLine } from './server-log.ts';

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
