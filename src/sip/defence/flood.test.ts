import { beforeEach, expect, it } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { IncomingSipCall, SipServer, SipSource } from '../contract.ts';
import { digestHash } from '../digest/answer.ts';
import { makeDigestSecret } from '../digest/secret.ts';
import { createSipUserAgentOver } from '../user-agent.ts';

// A user agent whose strangers are held to 10 messages a second; what it answers is kept by the address it goes to.

const SCANNER = '203.0.113.9';
const FRIEND = '192.0.2.7';
const PHONE = '192.0.2.8';
let clock: FakeClock;
let ua: SipServer;
let receive: (bytes: Buffer, source: SipSource) => void;
let answers: { to: string | null; text: string }[];
let calls: IncomingSipCall[];
let serial = 0;

beforeEach(() => {
  clock = new FakeClock();
  answers = [];
  calls = [];
  ua = createSipUserAgentOver(
    ({ received }) => {
      receive = received;
      return { ports: { udp: 5060, tcp: 5060, tls: null }, connectionCount: 0, start: async () => {}, stop: async () => {}, hasConnection: () => false, send: (bytes, to) => void answers.push({ to: to.address, text: bytes.toString() }) };
    },
    { bindAddress: '192.0.2.99', port: 5060, product: 'Test/1', door: { strangerRatePerS: 10 } },
    { clock, log: silentLog },
  );
  ua.on('incomingCall', (call) => void calls.push(call));
});

function send(method: string, address: string, { callId = `c${++serial}`, extra = [] as string[], toTag = '' } = {}): void {
  const cseq = `${method === 'ACK' ? 1 : method === 'BYE' ? 2 : 1} ${method}`;
  const head = [`${method} sip:100@192.0.2.99 SIP/2.0`, `Via: SIP/2.0/UDP ${address}:5060;branch=z9hG4bK${++serial}`, `From: <sip:a@${address}>;tag=f${callId}`, `To: <sip:100@192.0.2.99>${toTag === '' ? '' : `;tag=${toTag}`}`];
  const lines = [...head, `Call-ID: ${callId}`, `CSeq: ${cseq}`, `Contact: <sip:a@${address}>`, 'Max-Forwards: 70', ...extra, 'Content-Length: 0', '', ''];
  receive(Buffer.from(lines.join('\r\n')), { transport: 'udp', address, port: 5060 });
}
const answersTo = (address: string): string[] => answers.filter(({ to }) => to === address).map(({ text }) => text);

it('a scanner gets answers at the rate of strangers and silence above it; a call that stands is not touched by it', () => {
  send('INVITE', FRIEND, { callId: 'friend' });
  calls[0]?.accept({ body: { contentType: 'application/sdp', bytes: Buffer.from('v=0') } });
  const toTag = /^To:.*tag=(\S+)/m.exec(answersTo(FRIEND).at(-1) ?? '')?.[1] ?? '';
  send('ACK', FRIEND, { callId: 'friend', toTag });
  for (let n = 0; n < 1000; n++) send('OPTIONS', SCANNER);
  expect(answersTo(SCANNER)).toHaveLength(20);
  expect(ua.refusedAtDoor.rate).toBe(980);
  // Its caller is as much of a stranger as the scanner, but in a call.
  answers = [];
  for (let n = 0; n < 100; n++) send('OPTIONS', FRIEND);
  expect(answersTo(FRIEND)).toHaveLength(100);
  send('BYE', FRIEND, { callId: 'friend', toTag });
  expect(answersTo(FRIEND).at(-1)).toMatch(/^SIP\/2.0 200/);
  expect(ua.counts().dialogs).toBe(0);
});

const secretsOf = (username: string) => (username === 'alice' ? [makeDigestSecret({ username: 'alice', password: 'right' })] : []);
const nonce = (): string => /nonce="([^"]+)"/.exec(answersTo(PHONE).at(-1) ?? '')?.[1] ?? '';
function authorization(password: string, { nc = 1 } = {}): string {
  const realm = /realm="([^"]+)"/.exec(answersTo(PHONE).find((text) => text.includes('realm=')) ?? '')?.[1] ?? '';
  const uri = 'sip:100@192.0.2.99';
  const count = String(nc).padStart(8, '0');
  const response = digestHash('MD5', `${digestHash('MD5', `alice:${realm}:${password}`)}:${challenged}:${count}:c:auth:${digestHash('MD5', `REGISTER:${uri}`)}`);
  return `Authorization: Digest username="alice", realm="${realm}", nonce="${challenged}", uri="${uri}", response="${response}", algorithm=MD5, qop=auth, nc=${count}, cnonce="c"`;
}
let challenged = '';
const statusTo = (address: string): string => /^SIP\/2.0 (\d+)/.exec(answersTo(address).at(-1) ?? '')?.[1] ?? '';

function ask(): void {
  ua.on('registering', (register) => void (register.authenticate(secretsOf).verified && register.accept('alice')));
  send('REGISTER', PHONE);
  challenged = nonce();
}

it('an answer to a challenge serves once: played again, it is asked anew', () => {
  ask();
  expect(statusTo(PHONE)).toBe('401');
  const once = authorization('right');
  send('REGISTER', PHONE, { extra: [once] });
  expect(statusTo(PHONE)).toBe('200');
  send('REGISTER', PHONE, { extra: [once] });
  expect(statusTo(PHONE)).toBe('401');
  expect(answersTo(PHONE).at(-1)).toContain('stale=true');
  send('REGISTER', PHONE, { extra: [authorization('right', { nc: 2 })] });
  expect(statusTo(PHONE)).toBe('200');
  expect(ua.contactsOf('alice')).toHaveLength(1);
});

it('who guesses passwords is not heard for a minute', () => {
  ask();
  for (let n = 0; n < 20; n++) {
    clock.advance(1000);
    send('REGISTER', PHONE, { extra: [authorization('wrong', { nc: n + 1 })] });
  }
  answers = answers.slice(0, 1);
  send('OPTIONS', PHONE);
  expect(answersTo(PHONE)).toHaveLength(1);
  expect(ua.refusedAtDoor.banned).toBe(1);
  clock.advance(60_000);
  send('OPTIONS', PHONE);
  expect(statusTo(PHONE)).toBe('200');
});
