import { describe, expect, it } from 'vitest';
import { silentLog } from '../base/log.ts';
import type { PhoneSrtpPolicy } from '../sdp/phone-security.ts';
import { FakeMediaPlane } from '../testing/fake-media.ts';
import { OfferMemory } from './offer-memory.ts';
import { OutboundLeg } from './outbound-leg.ts';
import { FakeOutgoingCall, sdpBody } from './testing/fake-sip.ts';

// What a called phone is offered, and what comes of its answer.

const KEY = `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${'C'.repeat(40)}`;
const ICE = ['a=ice-ufrag:them', 'a=ice-pwd:abcdefghijklmnopqrstuv'];

function answer(protocol: string, ...more: string[]): ReturnType<typeof sdpBody> {
  return sdpBody(['v=0', 'o=- 1 1 IN IP4 198.51.100.7', 's=-', 'c=IN IP4 198.51.100.7', 't=0 0', `m=audio 4000 ${protocol} 0`, ...more, ''].join('\r\n'));
}

class Calling {
  readonly media = new FakeMediaPlane();
  readonly placed: FakeOutgoingCall[] = [];
  readonly told: string[] = [];
  readonly leg: OutboundLeg;

  constructor(srtp: PhoneSrtpPolicy, offers = new OfferMemory()) {
    const call = (options: FakeOutgoingCall['options']): FakeOutgoingCall => {
      const sip = new FakeOutgoingCall(options);
      this.placed.push(sip);
      return sip;
    };
    this.leg = new OutboundLeg({ call }, { media: this.media, mediaAddressFor: () => '192.0.2.1', log: silentLog, srtp, offers });
    this.leg.on('answered', () => this.told.push('answered'));
    this.leg.on('ended', ({ reason }) => this.told.push(reason));
  }

  dial(to = 'sip:bob@198.51.100.7'): Promise<void> {
    return this.leg.dial({ to, from: 'sip:us@192.0.2.1' });
  }

  get latest(): FakeOutgoingCall {
    return this.placed.at(-1) as FakeOutgoingCall;
  }

  /** Of each INVITE: the transport, and what else is offered. */
  get offers(): string[] {
    return this.placed.map(({ options }) => {
      const text = Buffer.from(options.body).toString();
      const marks = [['keys', 'a=crypto:'], ['print', 'a=fingerprint:'], ['ice', 'a=ice-ufrag:']].filter(([, mark = '']) => text.includes(mark)).map(([name]) => name);
      return [/^m=audio \d+ (\S+)/m.exec(text)?.[1], ...marks].join(' ');
    });
  }

  refuseAll(): void {
    for (let n = 0; n < this.placed.length && n < 10; n++) (this.placed[n] as FakeOutgoingCall).refuses(488);
  }
}

const SAVP = 'RTP/SAVP keys print ice';
const SAVPF = 'RTP/SAVPF keys print ice';
const DTLS = 'UDP/TLS/RTP/SAVPF print ice';

describe('a phone that takes no offer', () => {
  it.each<[PhoneSrtpPolicy, string, string[]]>([
    ['allow', 'sip:bob@198.51.100.7', ['RTP/AVP', SAVP, DTLS, SAVPF]],
    ['allow', 'sip:bob@198.51.100.7;transport=tls', ['RTP/AVP keys', SAVP, DTLS, SAVPF]],
    ['require', 'sip:bob@198.51.100.7', [SAVP, DTLS, SAVPF]],
    ['off', 'sip:bob@198.51.100.7', ['RTP/AVP']],
    ['allow', 'sip:bob@198.51.100.7;transport=ws', [DTLS]],
  ])('under %s at %s is made these', async (policy, to, offers) => {
    const calling = new Calling(policy);
    await calling.dial(to);
    calling.refuseAll();
    expect(calling.offers).toEqual(offers);
    expect(calling.told).toEqual(['refused']);
  });

  it('is not asked again when it declines the call itself', async () => {
    const calling = new Calling('allow');
    await calling.dial();
    calling.latest.refuses(603);
    expect(calling.offers).toEqual(['RTP/AVP']);
  });
});

describe('a phone that took another offer than the usual one', () => {
  it('is made that one first the next time, and the others when it has changed its mind', async () => {
    const memory = new OfferMemory();
    const first = new Calling('allow', memory);
    await first.dial();
    for (let n = 0; n < 3; n++) first.latest.refuses(488);
    first.latest.answers(answer('RTP/SAVPF', KEY));
    await expect.poll(() => first.told).toEqual(['answered']);
    expect(first.media.phones[0]?.remotes.at(-1)).toMatchObject({ srtp: { receive: { key: 'C'.repeat(40) } } });

    const second = new Calling('allow', memory);
    await second.dial();
    expect(second.offers).toEqual([SAVPF]);
    second.refuseAll();
    expect(second.offers).toEqual([SAVPF, 'RTP/AVP', SAVP, DTLS]);

    const off = new Calling('off', memory);
    await off.dial();
    expect(off.offers).toEqual(['RTP/AVP']);

    const other = new Calling('allow', memory);
    await other.dial('sip:carol@198.51.100.7');
    expect(other.offers).toEqual(['RTP/AVP']);
  });

  it('is offered the usual one again once it took that', async () => {
    const memory = new OfferMemory();
    memory.took('sip:bob@198.51.100.7', { kind: 'dtls', ice: true });
    const calling = new Calling('allow', memory);
    await calling.dial();
    calling.latest.refuses(488);
    calling.latest.answers(answer('RTP/AVP'));
    expect(memory.of('sip:bob@198.51.100.7')).toBeNull();
  });

  it('is one of 2,000 that are remembered', () => {
    const memory = new OfferMemory();
    for (let n = 0; n <= 2000; n++) memory.took(`sip:${n}@198.51.100.7`, { kind: 'sdes', ice: false });
    expect([memory.of('sip:0@198.51.100.7'), memory.of('sip:1@198.51.100.7')?.kind, memory.of('sip:2000@198.51.100.7')?.kind]).toEqual([null, 'sdes', 'sdes']);
  });
});

describe('a phone that answers with ICE', () => {
  it('without being asked is asked at once, and from the start the next time', async () => {
    const memory = new OfferMemory();
    const calling = new Calling('allow', memory);
    await calling.dial();
    expect(calling.offers).toEqual(['RTP/AVP']);
    calling.latest.answers(answer('RTP/AVP', ...ICE));
    expect(calling.media.phones[0]?.remotes.at(-1)?.ice).toBeUndefined();
    expect(calling.latest.said).toEqual(['INVITE', 're-INVITE']);
    const offer = Buffer.from(calling.latest.reoffered?.offer.bytes ?? []).toString();
    expect(offer).toMatch(/^a=ice-lite\r$[^]*^a=candidate:1 1 UDP \d+ 192\.0\.2\.1 \d+ typ host\r$/m);
    calling.latest.reoffered?.answered(200, answer('RTP/AVP', ...ICE));
    await expect.poll(() => calling.media.phones[0]?.remotes.at(-1)?.ice).toMatchObject({ remoteUfrag: 'them' });
    expect(calling.told).toEqual(['answered']);

    const again = new Calling('allow', memory);
    await again.dial();
    expect(again.offers).toEqual(['RTP/AVP ice']);
    again.latest.answers(answer('RTP/AVP', ...ICE));
    expect(again.latest.said).toEqual(['INVITE']);
  });

  it('and then takes none of it talks on as before', async () => {
    const calling = new Calling('allow');
    await calling.dial();
    calling.latest.answers(answer('RTP/AVP', ...ICE));
    calling.latest.reoffered?.answered(488, null);
    await expect.poll(() => calling.told).toEqual(['answered']);
    expect(calling.media.phones[0]?.remotes).toHaveLength(1);
    expect(calling.latest.said).toEqual(['INVITE', 're-INVITE']);
  });

  it('that is offered and not taken leaves the addresses of the SDP in force', async () => {
    const calling = new Calling('require');
    await calling.dial();
    calling.latest.answers(answer('RTP/SAVP', KEY));
    await expect.poll(() => calling.told).toEqual(['answered']);
    expect(calling.media.phones[0]?.remotes.at(-1)).toMatchObject({ address: '198.51.100.7', port: 4000 });
    expect(calling.media.phones[0]?.remotes.at(-1)?.ice).toBeUndefined();
    expect(calling.latest.said).toEqual(['INVITE']);
  });
});
