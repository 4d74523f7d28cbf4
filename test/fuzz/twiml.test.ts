import { expect, it } from 'vitest';
import { TwimlError, readTwiml, textOf, type TwimlElement } from '../../src/voice/twiml/document.ts';
import { VERBS } from '../../src/voice/twiml/schema.ts';
import { BROKEN_INPUTS, mutate, randomFrom } from './mutate.ts';

// Broken documents: only TwimlError may escape, and what is read holds nothing the schema does not know.

const RUNS = BROKEN_INPUTS;
const SEEDS = [
  '<?xml version="1.0" encoding="UTF-8"?>\r\n<Response>\r\n  <Connect action="/after" method="GET">\r\n    <Room participantIdentity="al&amp;ice">DailyStandup</Room>\r\n  </Connect>\r\n</Response>',
  '<Response><Say voice="alice" language="en-GB" loop="2">Hi <break time="1s"/><prosody rate="slow">there <emphasis level="strong">you</emphasis></prosody></Say><Play digits="12w#" loop="0">https://a.example/a.wav</Play><Pause length="3"/><Redirect method="GET">../x?a=1&amp;b=2</Redirect></Response>',
  '<!DOCTYPE r [<!ENTITY a "b">]><Response version="1.0" xmlns:x="y"><!-- c --><Gather numDigits="1"><Say>&#x41;</Say></Gather><Reject reason="busy"/><Hangup/><![CDATA[ text ]]></Response>',
].map((text) => Buffer.from(text));
const TYPES = ['text/xml', 'application/xml; charset=utf-8', 'text/plain', 'text/html', 'audio/wav', '', null, 'TEXT/XML;;;'];

function everyElement(elements: readonly (TwimlElement | string)[]): TwimlElement[] {
  return elements.flatMap((element) => (typeof element === 'string' ? [] : [element, ...everyElement(element.children)]));
}

it(`${RUNS} mutated documents: TwimlError is the worst that happens`, () => {
  const random = randomFrom(0x7716);
  const met = { read: 0, refused: 0, verbs: 0 };
  for (let run = 0; run < RUNS; run++) {
    const body = mutate(SEEDS[random(SEEDS.length)]!, SEEDS[random(SEEDS.length)]!, random);
    try {
      const { verbs, warnings } = readTwiml({ body, contentType: TYPES[random(random(4) === 0 ? TYPES.length : 2)] ?? null });
      met.read++;
      met.verbs += verbs.length;
      for (const verb of verbs) {
        expect(VERBS[verb.name]?.support).toBe('works');
        textOf(verb);
      }
      for (const element of everyElement(verbs)) expect(element.line).toBeGreaterThan(0);
      for (const warning of warnings) expect(warning.message.length).toBeLessThan(400 + body.length);
    } catch (error) {
      if (!(error instanceof TwimlError)) throw new TypeError(`run ${run}: ${String(error)} at ${JSON.stringify(body.toString('latin1'))}`, { cause: error });
      expect(error.code).toBeOneOf([11750, 12100, 12101, 12102, 12300]);
      met.refused++;
    }
  }
  expect(met.read).toBeGreaterThan(1000);
  expect(met.refused).toBeGreaterThan(1000);
  expect(met.verbs).toBeGreaterThan(1000);
}, 120_000);
