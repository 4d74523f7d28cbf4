import { describe, expect, it } from 'vitest';
import { TwimlError, isSound, readTwiml, textOf, type TwimlDocument } from './document.ts';

const xml = (text: string, contentType: string | null = 'text/xml'): TwimlDocument => readTwiml({ body: Buffer.from(text), contentType });
const names = (document: TwimlDocument): string[] => document.verbs.map((verb) => verb.name);

function failure(read: () => unknown): TwimlError {
  try {
    read();
  } catch (error) {
    if (error instanceof TwimlError) return error;
  }
  throw new TypeError('it was read');
}

describe('a TwiML document', () => {
  it('keeps verbs, nouns, attributes and text, entities decoded', () => {
    const document = xml('<?xml version="1.0" encoding="UTF-8"?>\n<!-- hello -->\n<Response>\n  <Connect action="/after"><Room participantIdentity="al&amp;ice">\n Réunion &amp; Co &#x1F600;</Room></Connect>\n  <Hangup/>\n</Response>');
    expect(document.warnings).toEqual([]);
    expect(names(document)).toEqual(['Connect', 'Hangup']);
    const room = document.verbs[0]?.children[0];
    expect(room).toMatchObject({ name: 'Room', attributes: { participantIdentity: 'al&ice' }, line: 4 });
    expect(typeof room === 'object' && textOf(room).trim()).toBe('Réunion & Co 😀');
  });

  it.each(['text/xml', 'application/xml; charset=utf-8', 'TEXT/HTML'])('is read from %s', (type) => {
    expect(names(xml('<Response><Hangup/></Response>', type))).toEqual(['Hangup']);
  });

  it('may be empty', () => {
    expect(xml('<Response/>')).toEqual({ verbs: [], warnings: [] });
  });

  it.each([
    ['<Connect/>', 12200],
    ['<Connect> </Connect>', 12200],
    ['<Dial timeout="3"/>', 12200],
    ['<Start/>', 14300],
    ['<Stop/>', 14300],
    ['<Say>\n</Say>', 13520],
    ['<Play/>', 12200],
  ])('with nothing to do in %s warns of it', (verb, code) => {
    const document = xml(`<Response>${verb}<Hangup/></Response>`);
    expect(document.warnings).toMatchObject([{ code, line: 1, column: 11 }]);
    expect(names(document)).toHaveLength(2);
  });

  it('with two nouns in <Connect> runs the first and warns of the other', () => {
    const document = xml('<Response><Connect><Room>one</Room><Room>two</Room></Connect><Play digits="1"/></Response>');
    expect(document.warnings).toEqual([{ code: 12200, message: '<Connect> has one noun: this <Room> was skipped', line: 1, column: 36 }]);
    expect(document.verbs[0]?.children).toHaveLength(1);
  });

  it('without a body is nothing to do, and a warning', () => {
    for (const empty of [xml(''), xml('', null)]) expect(empty).toMatchObject({ verbs: [], warnings: [{ code: 11770 }] });
  });

  it.each<[string, Buffer, string]>([
    ['a charset in the Content-Type', Buffer.from('<Response><Say>Réunion</Say></Response>', 'latin1'), 'text/xml; charset=ISO-8859-1'],
    ['a charset in quotes', Buffer.from('<Response><Say>Réunion</Say></Response>', 'latin1'), 'application/xml;charset="windows-1252"'],
    ['an encoding in the XML declaration', Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><Response><Say>Réunion</Say></Response>', 'latin1'), 'text/xml'],
    ['a charset that beats the declaration', Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><Response><Say>Réunion</Say></Response>'), 'text/xml; charset=utf-8'],
    ['UTF-16 with its mark', Buffer.from('\ufeff<?xml version="1.0" encoding="UTF-16"?><Response><Say>Réunion</Say></Response>', 'utf16le'), 'text/xml'],
    ['UTF-16 the other way round', Buffer.from('\ufeff<Response><Say>Réunion</Say></Response>', 'utf16le').swap16(), 'text/xml'],
    ['UTF-16 without a mark', Buffer.from('<Response><Say>Réunion</Say></Response>', 'utf16le'), 'text/xml'],
    ['UTF-8 with its mark', Buffer.from('\ufeff<Response><Say>Réunion</Say></Response>'), 'text/xml; charset=us-ascii'],
    ['UTF-8 that calls itself UTF-16', Buffer.from('<?xml version="1.0" encoding="UTF-16"?><Response><Say>Réunion</Say></Response>'), 'text/xml'],
  ])('is read by %s', (_what, body, contentType) => {
    const [say] = readTwiml({ body, contentType }).verbs;
    expect(say && textOf(say)).toBe('Réunion');
  });

  it('in a character set that it is not, or that nobody knows, is refused', () => {
    expect(failure(() => readTwiml({ body: Buffer.from('<Response><Say>Réunion</Say></Response>', 'latin1'), contentType: 'text/xml' })).code).toBe(12100);
    expect(failure(() => xml('<Response/>', 'text/xml; charset=klingon'))).toMatchObject({ code: 12100, message: "The character set 'klingon' is not known" });
  });

  it.each([
    ['a blank before the declaration', ' <?xml version="1.0"?><Response/>', 12100],
    ['no root', '<!-- nothing -->', 12100],
    ['an element left open', '<Response><Say>hi</Response>', 12100],
    ['a bare ampersand', '<Response><Say>a & b</Say></Response>', 12100],
    ['an entity of its own', '<!DOCTYPE r [<!ENTITY x "boo">]><Response><Say>&x;</Say></Response>', 12100],
    ['an external entity', '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><Response><Say>&x;</Say></Response>', 12100],
    ['another root', '<Reply/>', 12102],
    ['a root in lower case', '<response/>', 12102],
    ['an unknown version', '<Response version="7"/>', 12101],
    ['too many levels', `<Response><Say>${'<s>'.repeat(60)}${'</s>'.repeat(60)}</Say></Response>`, 12100],
  ])('is refused with %s', (_what, text, code) => {
    expect(failure(() => xml(text)).code).toBe(code);
  });

  it('tells where it is broken', () => {
    expect(failure(() => xml('<Response>\n  <Say>hi</Sey>\n</Response>'))).toMatchObject({ code: 12100, line: 2 });
  });

  it('is refused over 64 kB and in other types', () => {
    expect(failure(() => xml(`<Response><Say>${'x'.repeat(70_000)}</Say></Response>`)).code).toBe(11750);
    expect(failure(() => xml('<Response/>', null)).code).toBe(12300);
    expect(failure(() => xml('{}', 'application/json')).code).toBe(12300);
    expect(failure(() => readTwiml({ body: Buffer.from([0xff, 0xfe, 0x3c]), contentType: 'text/xml' })).code).toBe(12100);
  });

  it('of plain text runs when it is TwiML and is spoken when not', () => {
    expect(names(xml('<Response><Hangup/></Response>', 'text/plain'))).toEqual(['Hangup']);
    const spoken = xml('Hello & welcome', 'text/plain');
    expect(spoken.verbs).toMatchObject([{ name: 'Say', children: ['Hello & welcome'] }]);
  });

  it('may be sound', () => {
    expect([isSound({ contentType: 'Audio/X-WAV; rate=8000' }), isSound({ contentType: 'text/audio' }), isSound({ contentType: null })]).toEqual([true, false, false]);
  });
});

describe('what the schema does not know', () => {
  it('is skipped with a warning that tells the place, and the rest runs', () => {
    const document = xml('<Response>\n  <say>hi</say>\n  <Redirect>/n</Redirect>\n</Response>');
    expect(names(document)).toEqual(['Redirect']);
    expect(document.warnings).toMatchObject([{ code: 12200, line: 2, column: 3 }]);
    expect(document.warnings[0]?.message).toContain('<Say>');
  });

  it('is skipped inside a verb too', () => {
    const document = xml('<Response><Connect><Dial>+1555</Dial><Room statusCallback="https://x" mediaRegion="ie1">a</Room></Connect></Response>');
    expect(document.warnings.map((warning) => warning.code)).toEqual([12200, 12200, 12200]);
    expect(document.verbs[0]?.children).toMatchObject([{ name: 'Room', attributes: {}, children: ['a'] }]);
  });

  it.each([
    ['<Say loop="many">x</Say>', 13510],
    ['<Play loop="-1">x</Play>', 13410],
    ['<Play digits="12x"/>', 13430],
    ['<Pause length="soon"/>', 13910],
    ['<Redirect method="PUT">/x</Redirect>', 13710],
    ['<Reject reason="no"/>', 12200],
    ['<Connect method="PATCH"><Room>a</Room></Connect>', 12200],
  ])('%s counts as not given', (verb, code) => {
    const document = xml(`<Response>${verb}</Response>`);
    expect(document.warnings.map((warning) => warning.code)).toEqual([code]);
    expect(document.verbs[0]?.attributes).toEqual({});
  });

  it('names the verbs that are not built', () => {
    const document = xml('<Response><Pay/><constructor/><Hangup><Parameter/></Hangup></Response>');
    expect(names(document)).toEqual(['Hangup']);
    expect(document.warnings.map((warning) => /<\w+> [^:]*/.exec(warning.message)?.[0])).toEqual(['<Pay> is not supported here and was skipped', '<constructor> is not a verb and was skipped', '<Parameter> is not supported here and was skipped']);
  });
});
