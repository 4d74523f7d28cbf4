import type { TortureMessage } from './rfc4475.ts';

const register = (uri: string, via: string, contact: string): string => `REGISTER ${uri} SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: ${via}
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
Contact: "Caller" <${contact}>
CSeq: 98176 REGISTER
Content-Length: 0

`;

const bye = (via: string): string => `BYE sip:[2001:db8::10] SIP/2.0
To: sip:user@example.com;tag=bd76ya
From: sip:user@example.com;tag=81x2
Via: ${via}
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
CSeq: 321 BYE
Content-Length: 0

`;

const options = (uri: string, to: string, via: string): string => `OPTIONS ${uri} SIP/2.0
To: ${to}
From: sip:user@example.com;tag=810x2
Via: ${via}
Call-ID: G9559905523997077@hlau_4100
Max-Forwards: 70
CSeq: 689 OPTIONS
Content-Length: 0

`;

const invite = (sdp: string): string => `INVITE sip:user@[2001:db8::10] SIP/2.0
To: sip:user@[2001:db8::10]
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::20];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "Caller" <sip:caller@[2001:db8::20]>
CSeq: 8612 INVITE
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: @len@

${sdp}`;

/** The messages of RFC 5118, torture for IPv6, in the same form. None of its domains is ours: a sound REGISTER gets 403. */
export const RFC_5118: TortureMessage[] = [
  { section: '4.1', name: 'ipv6-good', what: 'a Request-URI that is an IPv6 reference', expected: '403', text: register('sip:[2001:db8::10]', 'SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111', 'sip:caller@[2001:db8::1]') },
  { section: '4.2', name: 'ipv6-bad', what: 'an IPv6 address without brackets', expected: '400', text: register('sip:2001:db8::10', 'SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111', 'sip:caller@[2001:db8::1]') },
  { section: '4.3', name: 'port-ambiguous', what: 'a port that became part of the address', expected: '403', text: register('sip:[2001:db8::10:5070]', 'SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111', 'sip:caller@[2001:db8::1]') },
  { section: '4.4', name: 'port-unambiguous', what: 'a port behind the brackets', expected: '403', text: register('sip:[2001:db8::10]:5070', 'SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111', 'sip:caller@[2001:db8::1]') },
  { section: '4.5', name: 'via-received-param-with-delim', what: 'received in brackets', expected: '481', text: bye('SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111') },
  { section: '4.5', name: 'via-received-param-no-delim', what: 'received without them', expected: '200', text: options('sip:[2001:db8::10]', 'sip:user@example.com', 'SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3') },
  { section: '4.6', name: 'ipv6-in-sdp', what: 'IPv6 in a body, which is not ours to read', expected: 'call', text: invite('v=0\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\ns=-\nc=IN IP6 2001:db8::20\nt=3338481189 3370017201\nm=audio 6000 RTP/AVP 2\n') },
  { section: '4.7', name: 'mult-ip-in-header', what: 'Vias of both families', expected: '481', text: bye('SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144\nVia: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200') },
  { section: '4.8', name: 'mult-ip-in-sdp', what: 'a line of each family in one body', expected: 'call', text: invite('v=0\no=bob 280744730 28977631 IN IP4 host.example.com\ns=-\nt=0 0\nm=audio 22334 RTP/AVP 0\nc=IN IP4 192.0.2.1\nm=video 6024 RTP/AVP 107\nc=IN IP6 2001:db8::1\na=rtpmap:107 H263-1998/90000\n') },
  { section: '4.9', name: 'ipv4-mapped-ipv6', what: 'IPv4 mapped into IPv6', expected: 'call', text: invite('v=0\no=bob 280744730 28977631 IN IP6 ::ffff:192.0.2.2\ns=-\nc=IN IP6 ::ffff:192.0.2.2\nt=0 0\nm=audio 6000 RTP/AVP 0\n').replaceAll('[2001:db8::20]', '[::ffff:192.0.2.2]:5060') },
  { section: '4.10', name: 'ipv6-bug-abnf-3-colons', what: 'three colons, which the old grammar let pass: both forms must be borne', expected: '200', text: options('sip:user@[2001:db8:::192.0.2.1]', 'sip:user@[2001:db8:::192.0.2.1]', 'SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111') },
  { section: '4.10', name: 'ipv6-correct-abnf-2-colons', what: 'two colons, as it should be', expected: '200', text: options('sip:user@[2001:db8::192.0.2.1]', 'sip:user@[2001:db8::192.0.2.1]', 'SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111') },
];
