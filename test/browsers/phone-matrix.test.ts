import { readFileSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import twilio from 'twilio';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate, removeCertificates } from '../../src/sip/testing/certificates.ts';
import { startPhone, type Phone, type PhoneOptions } from '../peers/baresip.ts';
import { Browser, type Party } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { temporaryFolder } from '../peers/child.ts';
import { freePorts } from '../peers/ports.ts';
import { Stage } from '../peers/stage.ts';
import { waitUntil } from '../peers/wait.ts';

// Codecs, transports, encryption, ICE and families of address, as real phones bring them: each row calls into a room with a browser and is
// called into it, and both hear each other's tone.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const ROOM = 'Matrix';
const ANNA_HZ = 440;
const PHONE_HZ = 1000;
const OUTER = Object.values(networkInterfaces()).flat().find((found) => found?.family === 'IPv4' && !found.internal)?.address;

type Row = Omit<PhoneOptions, 'user' | 'toneHz'> & {
  name: string;
  /** What the phone's log of SIP must show of both calls. */
  shows?: RegExp;
};

const ROWS: Row[] = [
  { name: 'UDP, PCMU', shows: /PCMU/ },
  { name: 'UDP, PCMA', codecs: 'PCMA/8000/1' },
  { name: 'UDP, G.722', codecs: 'G722/16000/1', rateHz: 16_000 },
  { name: 'UDP, Opus', codecs: 'opus/48000/1', rateHz: 48_000 },
  { name: 'TCP, PCMU', transport: 'tcp' },
  { name: 'TLS, PCMU', transport: 'tls' },
  { name: 'UDP, SRTP if it can be', encryption: 'srtp', shows: /RTP\/AVP[\s\S]*a=crypto:/ },
  { name: 'UDP, SRTP', encryption: 'srtp-mand', shows: /RTP\/SAVP / },
  { name: 'UDP, SRTP with feedback', encryption: 'srtp-mandf', shows: /RTP\/SAVPF/ },
  { name: 'UDP, DTLS-SRTP', encryption: 'dtls_srtp', shows: /a=fingerprint/ },
  { name: 'TLS, SRTP, Opus', transport: 'tls', encryption: 'srtp-mand', codecs: 'opus/48000/1', rateHz: 48_000, shows: /RTP\/SAVP / },
  { name: 'TLS, DTLS-SRTP, ICE, G.722', transport: 'tls', encryption: 'dtls_srtp', ice: true, codecs: 'G722/16000/1', rateHz: 16_000, ...(OUTER !== undefined && { address: OUTER }), shows: /a=ice-lite/ },
  { name: 'UDP, ICE', ice: true, ...(OUTER !== undefined && { address: OUTER }), shows: /a=ice-lite/ },
  { name: 'IPv6, UDP', address: '::1', shows: /IN IP6 ::1/ },
];

let stage: Stage;
let anna: Party;
let tlsPort: number;
let certificate: string;
let caFile: string;

beforeAll(async () => {
  const files = makeCertificate(['127.0.0.1', 'localhost', '::1', ...(OUTER === undefined ? [] : [OUTER])]);
  caFile = files.certFile;
  certificate = `${temporaryFolder('certificate')}/both.pem`;
  writeFileSync(certificate, `${readFileSync(files.keyFile, 'utf8')}${readFileSync(files.certFile, 'utf8')}`);
  tlsPort = await freePorts(1);
  stage = await Stage.open(cast, {
    env: {
      PARTYLINE_SIP_BIND_ADDRESS: ['127.0.0.1', '::1', ...(OUTER === undefined ? [] : [OUTER])].join(','),
      PARTYLINE_MEDIA_BIND_ADDRESS: '::',
      PARTYLINE_SIP_TLS_PORT: String(tlsPort),
      PARTYLINE_SIP_TLS_CERT: files.certFile,
      PARTYLINE_SIP_TLS_KEY: files.keyFile,
      PARTYLINE_SIP_TLS_VERIFY: 'off',
    },
  });
  const browser = await cast.add('browser', Browser.start());
  stage.app.on('/voice', () => {
    const response = new VoiceResponse();
    response.connect().room(ROOM);
    return response;
  });
  await stage.number('+15550100', '/voice');
  await stage.room(ROOM);
  anna = await browser.party('anna');
  await anna.join({ token: stage.server.token('anna'), wsServer: stage.server.wsUrl, roomName: ROOM, toneHz: ANNA_HZ });
}, 90_000);

afterAll(removeCertificates);

/** Who is in the room with the browser hears it and is heard. */
async function expectTonesBothWays(phone: Phone): Promise<void> {
  const other = (await stage.waitParticipants(ROOM, 2)).find((participant) => participant.identity !== 'anna');
  await anna.waitHears(other?.identity ?? '', PHONE_HZ);
  // On a busy machine the other way may begin later.
  await waitUntil(async () => (await phone.listen(300, [ANNA_HZ]))[ANNA_HZ]?.share === 1, { timeoutMs: 5000, what: () => `the phone to hear the browser\n${phone.log().slice(-3000)}` });
  const heard = await phone.listen(1500, [ANNA_HZ, PHONE_HZ]);
  expect(heard[ANNA_HZ]?.share, JSON.stringify(heard)).toBeGreaterThan(0.85);
}

describe.each(ROWS)('$name', ({ shows, ...row }) => {
  let phone: Phone;
  beforeAll(async () => {
    phone = await startPhone({ user: '+15557001', toneHz: PHONE_HZ, caFile, certificate, ...row });
  });
  // Of a test that failed: the next one finds the room as it expects it.
  afterEach(async () => {
    if (phone.count('CALL_CLOSED') < phone.count('CALL_ESTABLISHED')) await phone.hangUp();
  });
  afterAll(async () => {
    await phone.stop();
  });

  it('calls in', async () => {
    const host = row.address?.includes(':') ? `[${row.address}]` : (row.address ?? '127.0.0.1');
    const port = row.transport === 'tls' ? tlsPort : stage.server.sipPort;
    await phone.dial(`sip:+15550100@${host}:${port}`);
    await phone.waitEstablished();
    await expectTonesBothWays(phone);
    if (shows) expect(phone.log()).toMatch(shows);
    await phone.hangUp();
    await stage.waitParticipants(ROOM, 1);
  });

  it('is called', async () => {
    await stage.server.client.calls.create({ to: phone.uri, from: '+15550100', url: `${stage.app.url}/voice` });
    await phone.waitEstablished({ nth: 2 });
    await expectTonesBothWays(phone);
    await phone.hangUp();
    await stage.waitParticipants(ROOM, 1);
  });
});
