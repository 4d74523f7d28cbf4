import { describe, expect, it } from 'vitest';
import { silentLog } from '../base/log.ts';
import { FakeMediaPlane } from '../testing/fake-media.ts';
import { InboundLeg } from './inbound-leg.ts';
import { OutboundLeg } from './outbound-leg.ts';
import { FakeIncomingCall, FakeOutgoingCall, sdpBody } from './testing/fake-sip.ts';

const S80 = 'AES_CM_128_HMAC_SHA1_80';
const S32 = 'AES_CM_128_HMAC_SHA1_32';
const sdp = (port: number, ...more: string[]): string => ['v=0', 'o=- 1 1 IN IP4 198.51.100.7', 's=-', 'c=IN IP4 198.51.100.7', 't=0 0', `m=audio ${port} ${more.length > 0 ? 'RTP/SAVP' : 'RTP/AVP'} 0`, ...more, ''].join('\r\n');
const crypto = (tag: number, suite: string, letter: string): string => `a=crypto:${tag} ${suite} inline:${letter.repeat(40)}`;

function deps(media: FakeMediaPlane): ConstructorParameters<typeof InboundLeg>[1] {
  return { media, mediaAddressFor: () => '192.0.2.1', log: silentLog };
}

/** The status of our answer. */
function moves(sip: Pick<FakeIncomingCall, 'emit'>, text: string): Promise<number> {
  return new Promise((resolve) => sip.emit('reoffered', sdpBody(text), (answer) => resolve(answer.statusCode)));
}

describe('a phone that moves its media before the call is answered (UPDATE)', () => {
  it('keeps what it said last when we answer its call', async () => {
    const media = new FakeMediaPlane();
    const sip = new FakeIncomingCall();
    sip.body = sdpBody(sdp(4000, crypto(1, S80, 'C')));
    const leg = new InboundLeg(sip, deps(media));
    await leg.soundEarly();
    expect(await moves(sip, sdp(4002, crypto(1, S80, 'D')))).toBe(200);
    await leg.answer();
    expect(media.phones[0]?.remotes.at(-1)).toMatchObject({ port: 4002, receive: true, srtp: { receive: { key: 'D'.repeat(40) } } });
  });

  it('keeps what it said while we answered, and after that until our 200 is out', async () => {
    const media = new FakeMediaPlane();
    const sip = new FakeIncomingCall();
    sip.body = sdpBody(sdp(4000));
    sip.acknowledges = false;
    // Our 200 waits for the PRACK of the 183: the call is early still.
    sip.accept = () => void sip.said.push('200');
    const leg = new InboundLeg(sip, deps(media));
    const phone = await leg.soundEarly();
    const connect = media.phones[0]?.connect.bind(media.phones[0]);
    if (!phone || !connect) throw new TypeError('no media');
    let moving: Promise<number> | null = null;
    phone.connect = async (remote) => {
      await connect(remote);
      if (moving) return;
      phone.connect = connect;
      moving = moves(sip, sdp(4002));
    };
    void leg.answer();
    await expect.poll(() => sip.said).toEqual(['183', '200']);
    expect(await moving).toBe(200);
    expect(media.phones[0]?.remotes.at(-1)).toMatchObject({ port: 4002, receive: true });
    expect(await moves(sip, sdp(4004))).toBe(200);
    expect(media.phones[0]?.remotes.at(-1)).toMatchObject({ port: 4004, receive: true });
  });

  it('keeps what it said last when it answers, in lines that we never offered', async () => {
    const media = new FakeMediaPlane();
    const placed: FakeOutgoingCall[] = [];
    const leg = new OutboundLeg({ call: (options) => placed[placed.push(new FakeOutgoingCall(options)) - 1] as FakeOutgoingCall }, { ...deps(media), srtp: 'require' });
    const told: string[] = [];
    leg.on('answered', () => told.push('answered'));
    leg.on('ended', ({ reason }) => told.push(reason));
    await leg.dial({ to: 'sip:bob@198.51.100.7', from: 'sip:us@192.0.2.1' });
    const [sip] = placed as [FakeOutgoingCall];
    sip.emit('progressed', 183, sdpBody(sdp(4000, crypto(1, S80, 'C'))));
    expect(await moves(sip, sdp(4002, crypto(1, S32, 'D')))).toBe(200);
    // The user agent tells the description that is in force.
    sip.answers(sdpBody(sdp(4002, crypto(1, S32, 'D'))));
    await expect.poll(() => told).toEqual(['answered']);
    expect(media.phones[0]?.remotes.at(-1)).toMatchObject({ port: 4002, receive: true, srtp: { receive: { suite: S32, key: 'D'.repeat(40) } } });
  });
});
