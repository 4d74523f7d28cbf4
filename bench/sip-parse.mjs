// How long the SIP stack needs for one INVITE: read it, read what routing needs, write it, answer it.
// Run after `npm run build`:  node bench/sip-parse.mjs
import { buildResponse } from '../dist/sip/message/build.js';
import { parseMessage } from '../dist/sip/message/parse.js';
import { readCore, requestDefect } from '../dist/sip/message/request-core.js';
import { serializeMessage } from '../dist/sip/message/serialize.js';

const body = 'v=0\r\no=- 20518 0 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\nm=audio 54400 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n';
const invite = Buffer.from(
  [
    'INVITE sip:+15550100@198.51.100.7:5060;transport=udp SIP/2.0',
    'Via: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bK87asdks7;rport',
    'Via: SIP/2.0/UDP 203.0.113.1:5060;branch=z9hG4bKnashds8;received=203.0.113.1;rport=5060',
    'Record-Route: <sip:203.0.113.9;lr;ftag=1928301774>',
    'Max-Forwards: 69',
    'From: "Alice Example" <sip:+15557001@carrier.example;user=phone>;tag=1928301774',
    'To: <sip:+15550100@198.51.100.7>',
    'Call-ID: a84b4c76e66710@pc33.carrier.example',
    'CSeq: 314159 INVITE',
    'Contact: <sip:+15557001@203.0.113.1:5060>',
    'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK',
    'Supported: timer, replaces',
    'User-Agent: Carrier/4.2',
    'P-Asserted-Identity: <sip:+15557001@carrier.example>',
    'X-Account: 42',
    'Content-Type: application/sdp',
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n'),
);

/** Best of five runs, microseconds for one. */
function measure(work, rounds = 50_000) {
  let bestUs = Infinity;
  for (let run = 0; run < 5; run++) {
    const start = performance.now();
    for (let i = 0; i < rounds; i++) work();
    bestUs = Math.min(bestUs, ((performance.now() - start) * 1000) / rounds);
  }
  return bestUs;
}

function understand() {
  const { message } = parseMessage(invite);
  const core = readCore(message);
  if (!core || requestDefect(message, core)) throw new Error('the INVITE of this bench is not sound');
  return message;
}

const message = understand();
const rows = [
  ['parse', () => parseMessage(invite)],
  ['parse, five headers, checks', understand],
  ['serialize', () => serializeMessage(message)],
  ['parse + serialize', () => serializeMessage(parseMessage(invite).message)],
  ['parse, check, answer 200', () => serializeMessage(buildResponse(understand(), 200, { toTag: 'abc' }))],
];
console.log(`INVITE of ${invite.length} bytes, 16 headers, node ${process.version}`);
for (const [what, work] of rows) console.log(`${what.padEnd(30)} ${measure(work).toFixed(1).padStart(6)} µs`);
