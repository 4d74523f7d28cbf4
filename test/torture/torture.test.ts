import { describe, expect, it } from 'vitest';
import { parseMessage } from '../../src/sip/message/parse.ts';
import { StreamParser } from '../../src/sip/message/stream-parser.ts';
import { serializeMessage } from '../../src/sip/message/serialize.ts';
import { PlayedUserAgent } from './carrier.ts';
import { RFC_4475, type TortureMessage } from './rfc4475.ts';
import { RFC_5118 } from './rfc5118.ts';

/** As it goes over the wire. `@len@` is filled in by the body behind the last blank line. */
function wire(message: TortureMessage): Buffer {
  const text = message.text.replace(/\r?\n/g, '\r\n');
  const encoding = message.latin1 ? 'latin1' : 'utf8';
  const at = text.indexOf('@len@');
  const bodyAt = text.indexOf('\r\n\r\n', at) + 4;
  return Buffer.from(at < 0 ? text : text.replace('@len@', String(Buffer.byteLength(text.slice(bodyAt), encoding))), encoding);
}

/** What becomes of each message that a connection holds, as the transport hands them on; the answer to a broken frame is the last. */
function overStream(bytes: Buffer): string {
  const played = new PlayedUserAgent();
  const parser = new StreamParser();
  const verdicts: string[] = [];
  for (let at = 0; at < bytes.length; at += 50) {
    for (const item of parser.push(bytes.subarray(at, at + 50))) {
      played.sent.length = 0;
      played.calls.length = 0;
      const source = { transport: 'tcp', address: '192.0.2.1', port: 5060 } as const;
      if (item.kind === 'message') played.receive(item.bytes, source);
      else if (item.kind === 'broken' && item.head) played.receive(item.head.bytes, source, item.head.defect);
      else continue;
      verdicts.push(played.verdict());
    }
  }
  expect(played.errors).toEqual([]);
  return verdicts.join(', ') || 'dropped';
}

describe.each([['RFC 4475', RFC_4475], ['RFC 5118', RFC_5118]] as const)('torture messages of %s', (_rfc, messages) => {
  it.each(messages.map((message) => [message.section, message.name, message.what, message] as const))('%s %s: %s', (_section, _name, _what, message) => {
    const played = new PlayedUserAgent();
    played.receive(wire(message));
    expect(played.verdict()).toBe(message.expected);
    expect(played.errors).toEqual([]);
  });

  it.each(messages.map((message) => [message.name, message] as const))('%s on a stream, in crumbs', (_name, message) => {
    expect(overStream(wire(message))).toBe(message.stream ?? message.expected);
  });

  it.each(messages.map((message) => [message.name, message] as const))('%s: repeated, and after all timers, nothing stays', (_name, message) => {
    const played = new PlayedUserAgent();
    for (let i = 0; i < 3; i++) played.receive(wire(message));
    expect(played.calls.length).toBe(message.expected === 'call' ? 1 : 0);
    for (const call of played.calls) call.reject(480);
    played.clock.advance(120_000);
    expect(played.ua.counts()).toEqual({ dialogs: 0, transactions: 0, connections: 0 });
    expect(played.clock.pending).toBe(0);
  });

  it.each(messages.map((message) => [message.name, message] as const))('%s: what can be read can be written and read again', (_name, message) => {
    const parsed = parseMessage(wire(message));
    if (!parsed || parsed.defect) return expect(['400', '505', '416', 'dropped']).toContain(message.expected);
    const again = parseMessage(serializeMessage(parsed.message));
    expect(again?.defect).toBeNull();
    expect(Buffer.from(again?.message.body ?? []).equals(Buffer.from(parsed.message.body))).toBe(true);
    const values = (headers: typeof parsed.message.headers): string[] => headers.entries().filter(([name]) => !/^(l|content-length)$/i.test(name)).map(([, value]) => value);
    expect(values(again!.message.headers)).toEqual(values(parsed.message.headers));
  });
});

describe('folded and odd values are understood, not only survived', () => {
  const parsed = (name: string) => parseMessage(wire(RFC_4475.find((message) => message.name === name)!))!.message;

  it('wsinv: three Vias in two headers, an escaped quote in the name', () => {
    const { headers } = parsed('wsinv');
    expect(headers.list('via')).toHaveLength(3);
    expect(headers.get('subject')).toBe('');
    expect(headers.get('newfangledheader')).toBe('newfangled value continued newfangled value');
  });

  it('esc01: the user keeps its escaped @', () => {
    const played = new PlayedUserAgent();
    played.receive(wire(RFC_4475.find((message) => message.name === 'esc01')!));
    expect(played.calls[0]).toMatchObject({ requestUriUser: 'sips:user@example.com', requestUriHost: 'example.net' });
    expect(played.calls[0]!.to.user).toBe('user');
    expect(played.calls[0]!.from.user).toBe('I have spaces');
  });

  it('unreason and noreason: reason phrases as they came', () => {
    expect(parsed('unreason')).toMatchObject({ statusCode: 200, reasonPhrase: '= 2**3 * 5**2 но сто девяносто девять - простое' });
    expect(parsed('noreason')).toMatchObject({ statusCode: 100, reasonPhrase: '' });
  });

  it('insuf: the answer holds the Via and the CSeq, which its sender knows it by', () => {
    const played = new PlayedUserAgent();
    played.receive(wire(RFC_4475.find((message) => message.name === 'insuf')!));
    const { headers } = parseMessage(played.sent[0]!)!.message;
    expect([headers.get('via'), headers.get('cseq'), headers.has('from'), headers.has('to')]).toEqual([expect.stringContaining('z9hG4bKkdj.insuf'), '193942 INVITE', false, false]);
  });

  it('bext01: only what Require says is told back, Proxy-Require is not for us', () => {
    const played = new PlayedUserAgent();
    played.receive(wire(RFC_4475.find((message) => message.name === 'bext01')!));
    expect(parseMessage(played.sent[0]!)!.message.headers.list('unsupported')).toEqual(['nothingSupportsThis', 'nothingSupportsThisEither']);
  });

  it.each([
    // A parameter behind a URI without brackets is the Contact's; behind one in brackets, the URI's (§3.3.12, §3.3.13).
    ['cparam01', ['sip:+19725552222@gw1.example.net']],
    ['cparam02', ['sip:+19725552222@gw1.example.net;unknownparam']],
    // §3.1.1.4: not cut at its NULs, and two of them are another user than one.
    ['escnull', ['sip:%00@host5.example.com', 'sip:%00%00@host5.example.com']],
  ])('%s: a registrar keeps the Contacts as they are', (name, uris) => {
    const played = new PlayedUserAgent();
    played.ua.on('registering', (register) => register.accept('aor'));
    played.receive(wire(RFC_4475.find((message) => message.name === name)!));
    expect(played.verdict()).toBe('200');
    expect(played.ua.contactsOf('aor').map(({ uri }) => uri)).toEqual(uris);
  });

  it('regescrt: the header is read as one of the URI, and a registrar keeps none: our calls would carry it', () => {
    const played = new PlayedUserAgent();
    played.ua.on('registering', (register) => register.accept('aor'));
    played.receive(wire(RFC_4475.find((message) => message.name === 'regescrt')!));
    expect(played.verdict()).toBe('400');
  });
});
