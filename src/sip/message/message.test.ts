import { describe, expect, it } from 'vitest';
import { SipError } from '../errors.ts';
import { buildResponse } from './build.ts';
import { parseCSeq } from './cseq.ts';
import { percentDecode } from './grammar.ts';
import { Headers } from './headers.ts';
import { NO_BODY, type SipRequest } from './message.ts';
import { parseNameAddr, printNameAddr } from './name-addr.ts';
import { parseMessage } from './parse.ts';
import { serializeMessage } from './serialize.ts';
import { StreamParser } from './stream-parser.ts';
import { parseSipUri, requestUriOf } from './uri.ts';
import { parseVia, withSource } from './via.ts';

const parse = (text: string) => parseMessage(Buffer.from(text));

describe('a message', () => {
  it('keeps its headers in order, finds them by compact and folded forms, and comes out the same', () => {
    const text = 'INVITE sip:b@b SIP/2.0\r\nv: SIP/2.0/UDP a;branch=z9hG4bK1\r\nSubject: one\r\n  two\r\nm: <sip:a@a>, "x, y" <sip:c@c>\r\nl: 4\r\n\r\nbody';
    const parsed = parse(text);
    expect(parsed?.defect).toBeNull();
    const message = parsed!.message;
    expect(message.headers.get('via')).toBe('SIP/2.0/UDP a;branch=z9hG4bK1');
    expect(message.headers.get('subject')).toBe('one two');
    expect(message.headers.list('contact')).toEqual(['<sip:a@a>', '"x, y" <sip:c@c>']);
    const again = parseMessage(serializeMessage(message))!;
    expect(again.defect).toBeNull();
    expect(again.message.headers.get('via')).toBe('SIP/2.0/UDP a;branch=z9hG4bK1');
    expect(Buffer.from(again.message.body).toString()).toBe('body');
  });

  it('over UDP what follows the body is cut off, and a body too short is a defect', () => {
    expect(Buffer.from(parse('INFO sip:b SIP/2.0\r\nContent-Length: 2\r\n\r\nabcd')!.message.body).toString()).toBe('ab');
    expect(parse('INFO sip:b SIP/2.0\r\nContent-Length: 5\r\n\r\nabcd')!.defect?.statusCode).toBe(400);
  });

  it.each([
    ['nothing', ''],
    ['line ends', '\r\n\r\n'],
    ['HTTP', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['more than 256 headers', `INFO sip:b SIP/2.0\r\n${'X: y\r\n'.repeat(300)}\r\n`],
    ['a status that is no number', 'SIP/2.0 abc OK\r\n\r\n'],
  ])('%s is none', (_what, text) => expect(parse(text)).toBeNull());

  it.each([
    ['a header too long', `INFO sip:b SIP/2.0\r\nX: ${'y'.repeat(9000)}\r\n\r\n`],
    ['a header without colon', 'INFO sip:b SIP/2.0\r\nnonsense\r\n\r\n'],
    ['two Content-Lengths that differ', 'INFO sip:b SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\nab'],
    ['a bare line feed in a header', 'INFO sip:b SIP/2.0\r\nX: a\nEvil: b\r\n\r\n'],
  ])('%s is a 400', (_what, text) => expect(parse(text)?.defect?.statusCode).toBe(400));

  it('refuses to be sent with a line break anywhere', () => {
    const make = (change: (message: SipRequest) => void): SipRequest => {
      const message: SipRequest = { kind: 'request', method: 'INFO', uri: 'sip:b', headers: new Headers(), body: NO_BODY };
      change(message);
      return message;
    };
    expect(() => serializeMessage(make((m) => m.headers.add('X', 'a\r\nY: b')))).toThrow(SipError);
    expect(() => serializeMessage(make((m) => m.headers.add('X', 'a\nb')))).toThrow(SipError);
    expect(() => serializeMessage(make((m) => m.headers.add('X: y\r\nZ', 'b')))).toThrow(SipError);
    expect(() => serializeMessage(make((m) => (m.uri = 'sip:b SIP/2.0\r\nX: y')))).toThrow(SipError);
  });

  it('is answered with its Vias, its tags and its route', () => {
    const { message } = parse('INVITE sip:b SIP/2.0\r\nVia: 1\r\nVia: 2\r\nRecord-Route: <sip:p>\r\nf: <sip:a>;tag=x\r\nt: <sip:b>\r\ni: c\r\nCSeq: 1 INVITE\r\n\r\n')!;
    const response = buildResponse(message as SipRequest, 180, { toTag: 'mine' });
    expect(serializeMessage(response).toString()).toBe(
      'SIP/2.0 180 Ringing\r\nVia: 1\r\nVia: 2\r\nRecord-Route: <sip:p>\r\nFrom: <sip:a>;tag=x\r\nTo: <sip:b>;tag=mine\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n',
    );
  });
});

describe('URIs', () => {
  it.each([
    ['sip:alice@Example.COM:5070;transport=tcp;lr?X=1&Y=a%20b', { scheme: 'sip', user: 'alice', host: 'example.com', port: 5070, headers: [['X', '1'], ['Y', 'a b']] }],
    ['SIPS:+1555:secret@[2001:db8::1]', { scheme: 'sips', user: '+1555', host: '[2001:db8::1]', port: null }],
    ['sip:host', { user: '', host: 'host' }],
    ['sip:a;x=1@b;y=2', { user: 'a;x=1', host: 'b' }],
  ])('%s', (text, expected) => expect(parseSipUri(text)).toMatchObject(expected));

  it.each(['', 'sip:', 'sip:@host', 'sip:a@', 'sip:a@b:0', 'sip:a@b:99999', 'sip:a b@c', 'http://x', 'sip:a@b;', 'sip:a@[::1', 'sip:a%zz@b'])('%j is none', (text) => expect(parseSipUri(text)).toBeNull());

  it('a Request-URI carries neither headers nor method', () => expect(requestUriOf('sip:a@b;method=REFER;transport=tcp?X=1')).toBe('sip:a@b;transport=tcp'));
});

describe('header values', () => {
  it('addresses with and without brackets', () => {
    expect(parseNameAddr('"A \\"B\\", <c>" <sip:a@b;x=1>;tag=t')).toMatchObject({ displayName: 'A "B", <c>', uri: 'sip:a@b;x=1' });
    expect(parseNameAddr('sip:a@b;tag=t')?.params.get('tag')).toBe('t');
    for (const bad of ['"A <sip:a@b>', '<sip:a@b', 'nothing', '<>', 'sip:a@b?x=y', '<sip:a@b> trailing']) expect(parseNameAddr(bad)).toBeNull();
    expect(printNameAddr('A "B"', 'sip:a@b')).toBe('"A \\"B\\"" <sip:a@b>');
  });

  it('Via is noted with its source, once, whatever it claimed', () => {
    const note = (value: string): string => withSource(value, parseVia(value)!, { address: '10.0.0.1', port: 99 });
    expect(note('SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa')).toBe('SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa');
    expect(note('SIP/2.0/UDP pc;branch=z9hG4bKa')).toBe('SIP/2.0/UDP pc;branch=z9hG4bKa;received=10.0.0.1');
    expect(note('SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bKa')).toBe('SIP/2.0/UDP 10.0.0.1;rport=99;branch=z9hG4bKa;received=10.0.0.1');
    expect(note('SIP/2.0/UDP pc;received=6.6.6.6;rport=1;branch=b')).toBe('SIP/2.0/UDP pc;rport=99;branch=b;received=10.0.0.1');
    expect(parseVia('SIP/2.0/UDP')).toBeNull();
  });

  it('CSeq stays below 2^31', () => {
    expect(parseCSeq('2147483647 INVITE')).toEqual({ number: 2147483647, method: 'INVITE' });
    for (const bad of ['2147483648 INVITE', '-1 INVITE', '1', 'INVITE', '1 IN VITE', '1.5 ACK']) expect(parseCSeq(bad)).toBeNull();
  });
});

describe('a stream', () => {
  const one = 'INFO sip:b SIP/2.0\r\nContent-Length: 3\r\n\r\nabc';

  it('is cut into the same messages wherever it is torn', () => {
    const whole = Buffer.from(`${one}\r\n\r\n${one}\r\n${one}`);
    for (let tear = 1; tear < whole.length; tear++) {
      const parser = new StreamParser();
      const items = [...parser.push(whole.subarray(0, tear)), ...parser.push(whole.subarray(tear))];
      expect(items.map((item) => (item.kind === 'message' ? item.bytes.toString() : item.kind))).toEqual([one, 'ping', one, one]);
      expect(parser.halfMessage).toBe(false);
    }
  });

  it('comes in crumbs and is the same, and messages stay as they are while the next one comes', () => {
    const parser = new StreamParser();
    const second = one.replace('abc', 'xyz');
    const messages = [...Buffer.from(`${one}${second}\r\n\r\n${one}`)].flatMap((byte) => parser.push(Buffer.from([byte]))).flatMap((item) => (item.kind === 'message' ? [item.bytes] : []));
    expect(messages.map(String)).toEqual([one, second, one]);
  });

  it('of many keep-alives at once is one', () => {
    expect(new StreamParser().push(Buffer.from('\r\n\r\n'.repeat(1000)))).toEqual([{ kind: 'ping' }]);
  });

  it.each([['\r', false], ['\r\n\r', false], ['\rX', true], ['\r\nI', true]])('that stops after %j holds half a message: %s', (text, expected) => {
    const parser = new StreamParser();
    parser.push(Buffer.from(text));
    expect(parser.halfMessage).toBe(expected);
  });

  it.each([
    ['no Content-Length', 'INFO sip:b SIP/2.0\r\n\r\n'],
    ['a negative one', 'INFO sip:b SIP/2.0\r\nContent-Length: -1\r\n\r\n'],
    ['two that differ', 'INFO sip:b SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\nab'],
    ['one too large', 'INFO sip:b SIP/2.0\r\nContent-Length: 65536\r\n\r\n'],
    ['headers without end', 'X'.repeat(70_000)],
  ])('breaks at %s and takes nothing more', (_what, text) => {
    const parser = new StreamParser();
    expect(parser.push(Buffer.from(text)).map((item) => item.kind)).toEqual(['broken']);
    expect(parser.push(Buffer.from(one))).toEqual([]);
  });
});

describe('percent-decoding', () => {
  it.each([
    ['%41lice', 'Alice'],
    ['a%20b', 'a b'],
    ['50%', '50%'],
    ['a%00b', 'a%00b'],
    ['a%0D%0AVia: x', 'a%0D%0AVia: x'],
    ['%C2%85', '%C2%85'],
  ])('%s is %s', (text, plain) => {
    expect(percentDecode(text)).toBe(plain);
  });
});
