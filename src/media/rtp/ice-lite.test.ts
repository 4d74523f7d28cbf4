import { describe, expect, it } from 'vitest';
import { IceLite } from './ice-lite.ts';
import { isBindingSuccess, isStun, readBindingRequest, writeBindingSuccess, writeNomination } from './stun.ts';

const CREDENTIALS = { localUfrag: 'ours', localPwd: 'our password of 22 characters', remoteUfrag: 'them' };
const HOME = { address: '192.0.2.1', port: 40_000 };
const MOBILE = { address: '2001:db8::7', port: 50_000 };
const ID = Buffer.from('0123456789ab');

function check(over: { username?: string; password?: string } = {}): Buffer {
  return writeNomination(ID, over.username ?? 'ours:them', over.password ?? CREDENTIALS.localPwd);
}

describe('STUN of ICE', () => {
  // RFC 5769 §2.1: the sample request, its password and what it says.
  const SAMPLE = Buffer.from(
    '000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36' +
      '00060009657674 6a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf'.replace(/ /g, ''),
    'hex',
  );

  it('reads the sample request of RFC 5769', () => {
    expect(isStun(SAMPLE)).toBe(true);
    expect(readBindingRequest(SAMPLE, 'VOkJxbRl1RmTxUk/WvJxBt')).toMatchObject({ username: 'evtj:h6vY', priority: 0x6e00_01ff, useCandidate: false });
  });

  it('believes nobody who does not know the password, and no torn or changed packet', () => {
    expect(readBindingRequest(SAMPLE, 'VOkJxbRl1RmTxUk/WvJxBu')).toBeNull();
    const changed = Buffer.from(SAMPLE);
    changed.writeUInt8(0x7e, 48);
    expect(readBindingRequest(changed, 'VOkJxbRl1RmTxUk/WvJxBt')).toBeNull();
    for (let length = 0; length < SAMPLE.length; length++) expect(readBindingRequest(SAMPLE.subarray(0, length), 'VOkJxbRl1RmTxUk/WvJxBt')).toBeNull();
  });

  it('tells a phone the address that it was seen at, of either family', () => {
    const answer4 = writeBindingSuccess(ID, { address: '192.0.2.1', port: 32_853 }, 'x');
    expect(answer4.subarray(28, 32).map((byte, n) => byte ^ ([0x21, 0x12, 0xa4, 0x42][n] ?? 0))).toEqual(Buffer.from([192, 0, 2, 1]));
    expect(answer4.readUInt16BE(26) ^ 0x2112).toBe(32_853);
    const mask = Buffer.concat([Buffer.from('2112a442', 'hex'), ID]);
    const answer6 = writeBindingSuccess(ID, MOBILE, 'x');
    expect(Buffer.from(answer6.subarray(28, 44).map((byte, n) => byte ^ (mask[n] ?? 0))).toString('hex')).toBe('20010db8000000000000000000000007');
  });
});

describe('ICE lite', () => {
  it('answers checks, and sends where the phone nominated', () => {
    const ice = new IceLite(CREDENTIALS);
    expect(ice.target).toBeNull();
    const answer = ice.checkReceived(check(), HOME, 0);
    expect(answer && isBindingSuccess(answer)).toBe(true);
    expect(ice.target).toMatchObject(HOME);
    expect([ice.knows(HOME), ice.knows(MOBILE)]).toEqual([true, false]);
  });

  it('follows a phone that moves, and no stranger', () => {
    const ice = new IceLite(CREDENTIALS);
    ice.checkReceived(check(), HOME, 0);
    expect(ice.checkReceived(check({ password: 'guessed' }), MOBILE, 10)).toBeNull();
    expect(ice.checkReceived(check({ username: 'ours:other' }), MOBILE, 20)).toBeNull();
    expect(ice.target).toMatchObject(HOME);
    expect(ice.knows(MOBILE)).toBe(false);
    ice.checkReceived(check(), MOBILE, 30);
    expect(ice.target).toMatchObject(MOBILE);
  });
});
