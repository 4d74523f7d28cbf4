import { describe, expect, it } from 'vitest';
import { SipError } from '../../src/sip/errors.ts';
import { Headers } from '../../src/sip/message/headers.ts';
import type { SipMessage } from '../../src/sip/message/message.ts';
import { oneLine, serializeMessage } from '../../src/sip/message/serialize.ts';
import { mutate, randomFrom } from './mutate.ts';

// Whatever stands in the parts of a message, its bytes hold one start line and the header lines it was given.

/** `č` and `ഊ` end in the bytes of a line end when written as latin1. */
const NASTY = ['\r\nX-Evil: 1', '\nX-Evil: 1', '\rX-Evil: 1', '\r\n\r\nINVITE sip:x@y SIP/2.0', '\0', '\t', '\u0085', '\u2028', '\u2029', 'č', 'ഊ', '\u{1F4DE}', '\ud83d', ' SIP/2.0', '%0d%0a', '"', '>', ';tag=x', '\x1b[2J'];

const random = randomFrom(7);
const word = (): string => Array.from({ length: 1 + random(4) }, () => (random(3) === 0 ? (NASTY[random(NASTY.length)] ?? '') : 'abc')).join('');
const nameOf = (): string => (random(4) === 0 ? `X-${word()}` : `X-Name-${random(9)}`);

function anyMessage(headers: [string, string][]): SipMessage {
  const all = new Headers();
  for (const [name, value] of headers) all.add(name, value);
  const rest = { headers: all, body: Buffer.from('v=0\r\nX-Body: 1\r\n') };
  return random(2) === 0 ? { kind: 'response', statusCode: 200, reasonPhrase: word(), ...rest } : { kind: 'request', method: random(9) === 0 ? word() : 'INVITE', uri: `sip:${word()}@example.com`, ...rest };
}

/** Lines of the head as the most lenient reader cuts them. */
const linesOf = (bytes: Buffer): string[] => bytes.subarray(0, bytes.indexOf('\r\n\r\n')).toString('latin1').split(/\r\n|\r|\n/);

describe('a message on the wire', () => {
  it('has no line more than it was given headers, or is not written at all', () => {
    let written = 0;
    let refused = 0;
    for (let n = 0; n < 3000; n++) {
      const headers = Array.from({ length: random(6) }, (): [string, string] => [nameOf(), word()]);
      const message = anyMessage(headers);
      try {
        const lines = linesOf(serializeMessage(message));
        written++;
        expect(lines.slice(1).map((line) => line.split(':', 1)[0])).toEqual([...headers.map(([name]) => name), 'Content-Length']);
        if (message.kind === 'request') expect(lines[0]?.split(' ')).toHaveLength(3);
      } catch (error) {
        if (!(error instanceof SipError)) throw error;
        refused++;
      }
    }
    expect(written).toBeGreaterThan(300);
    expect(refused).toBeGreaterThan(300);
  });

  it('is refused for values made by mutation as well', () => {
    const seed = Buffer.from('"Alice" <sip:alice@example.com;transport=tcp>;tag=1');
    for (let n = 0; n < 1000; n++) {
      const value = mutate(seed, seed, random).toString('utf8');
      const message: SipMessage = { kind: 'response', statusCode: 200, reasonPhrase: 'OK', headers: new Headers().add('From', value), body: Buffer.alloc(0) };
      if (/[\r\n]/.test(value)) expect(() => serializeMessage(message)).toThrow(SipError);
      else expect(linesOf(serializeMessage(message))).toHaveLength(3);
    }
  });

  it('says reasons of others on one line', () => {
    expect(oneLine('a\r\nX-Evil: 1\0\x1b[2J\u0085b')).toBe('a X-Evil: 1 [2J b');
  });
});
