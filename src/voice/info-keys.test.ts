import { describe, expect, it } from 'vitest';
import { keyOfInfo } from './info-keys.ts';

const read = (contentType: string, text: string) => keyOfInfo({ contentType, bytes: Buffer.from(text) });

describe('a key in INFO', () => {
  it.each([
    ['application/dtmf-relay', 'Signal=5\r\nDuration=160\r\n', '5', 160],
    ['application/dtmf-relay', 'Signal= #\nDuration= 250', '#', 250],
    ['Application/DTMF-Relay; charset=utf-8', 'signal=d', 'D', 0],
    ['application/dtmf-relay', 'Signal=11\r\nDuration=99999', '#', 10_000],
    ['application/dtmf', '*', '*', 0],
    ['application/dtmf', '7\r\n', '7', 0],
  ])('%s %j', (type, text, digit, durationMs) => expect(read(type, text)).toEqual({ digit, durationMs }));

  it.each([
    ['application/dtmf-relay', 'Signal=!\r\nDuration=100'],
    ['application/dtmf-relay', 'Duration=100'],
    ['application/dtmf', '55'],
    ['application/dtmf', ''],
    ['application/dtmf', '5'.repeat(300)],
    ['application/sdp', '5'],
    ['text/plain', 'Signal=5'],
  ])('is none in %s %j', (type, text) => expect(read(type, text)).toBeNull());

  it('is none without a body', () => expect(keyOfInfo(null)).toBeNull());
});
