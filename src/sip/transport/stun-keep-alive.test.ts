import { describe, expect, it } from 'vitest';
import { answerToStun } from './stun-keep-alive.ts';

/** Type, length, cookie and the transaction id of the examples in RFC 5769. */
const request = Buffer.from('00010000' + '2112a442' + 'b7e7a701bc34d686fa87dfae', 'hex');

describe('a STUN request on the SIP port', () => {
  // The addresses of RFC 5769 §2.2 and §2.3, and how they are written there.
  it.each([
    ['192.0.2.1', '0101000c2112a442b7e7a701bc34d686fa87dfae' + '002000080001a147e112a643'],
    ['2001:db8:1234:5678:11:2233:4455:6677', '010100182112a442b7e7a701bc34d686fa87dfae' + '002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9'],
  ])('of %s is answered with that address', (address, expected) => {
    expect(answerToStun(request, { address, port: 32_853 })?.toString('hex')).toBe(expected);
  });

  it.each([['::1', '00000000000000000000000000000001'], ['2001:db8::192.0.2.1', '20010db80000000000000000c0000201'], ['fe80::5%eth0', 'fe800000000000000000000000000005']])('knows %s', (address, expected) => {
    const answer = answerToStun(request, { address, port: 5060 });
    const mask = request.subarray(4);
    expect(Buffer.from((answer ?? Buffer.alloc(0)).subarray(28).map((byte, i) => byte ^ (mask[i] ?? 0))).toString('hex')).toBe(expected);
  });

  it.each([
    ['SIP', Buffer.from('OPTIONS sip:a SIP/2.0\r\n\r\n')],
    ['a keep-alive', Buffer.from('\r\n\r\n')],
    ['another cookie', Buffer.from(request.toString('hex').replace('2112a442', '2112a443'), 'hex')],
    ['a length that is wrong', Buffer.concat([request, Buffer.alloc(4)])],
    ['an answer', Buffer.concat([Buffer.from('0101', 'hex'), request.subarray(2)])],
  ])('is not %s', (_what, bytes) => expect(answerToStun(bytes, { address: '192.0.2.1', port: 1 })).toBeNull());
});
