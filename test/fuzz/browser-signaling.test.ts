import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { TwilioError } from '../../src/base/errors.ts';
import { newSid } from '../../src/base/sid.ts';
import { readBrowserDescription } from '../../src/sdp/browser-description.ts';
import { printBrowserDescription } from '../../src/sdp/browser-print.ts';
import { SdpError } from '../../src/sdp/sdp-error.ts';
import { answerLines, numberingOf, offerLines, printedSection, settledLines } from '../../src/signaling/layout.ts';
import { readClientMessage } from '../../src/signaling/messages.ts';
import { TcmpServer } from '../../src/signaling/tcmp.ts';
import { BROKEN_INPUTS, mutate, randomFrom } from './mutate.ts';

const INPUTS = BROKEN_INPUTS;
const offer = readFileSync(new URL('./chromium-offer.sdp', import.meta.url));
const transport = { iceUfrag: 'abcd', icePwd: 'x'.repeat(22), fingerprint: 'sha-256 AA:BB', setup: 'active' as const, candidates: [] };
const wanted = new Map(
  (['audio', 'video', 'audio'] as const).map((kind, i) => {
    const track = { trackSid: newSid('MT'), participantSid: newSid('PA'), kind, phone: i === 2 };
    return [track.trackSid, track] as const;
  }),
);

/** What signaling does with an offer, down to the texts it sends back; each of them must be readable again. */
function negotiate(sdp: string): void {
  const description = readBrowserDescription(sdp);
  const placing = { wanted, numbering: numberingOf(description), newSsrc: () => 1 };
  const answered = answerLines([], description, placing);
  const offered = offerLines(answered, placing) ?? answered;
  settledLines(offered, description);
  for (const lines of [answered, offered]) {
    const text = printBrowserDescription({ sessionId: 1, version: 1, transport, sections: lines.map(printedSection) });
    if (lines.every((line) => line.rejected)) continue;
    expect(readBrowserDescription(text).sections.map((section) => section.mid)).toEqual(lines.map((line) => line.mid));
  }
}

it(`${INPUTS} broken offers are refused with SdpError or taken, nothing else`, { timeout: 60_000 + INPUTS * 2 }, () => {
  const random = randomFrom(7);
  let taken = 0;
  for (let i = 0; i < INPUTS; i++) {
    const input = mutate(offer, offer, random).toString('utf8');
    try {
      negotiate(input);
      taken++;
    } catch (error) {
      if (!(error instanceof SdpError)) throw new Error(`input ${i}`, { cause: error });
    }
  }
  expect(taken).toBeGreaterThan(INPUTS / 100);
  expect(taken).toBeLessThan(INPUTS);
});

const frames = [
  { type: 'hello', id: 'x', version: 2, timeout: 5000, body: { type: 'ice', version: 1, edge: 'roaming', token: 'a.b.c' } },
  {
    type: 'msg',
    body: {
      type: 'connect',
      version: 2,
      name: 'Room',
      token: 'a.b.c',
      format: 'unified',
      participant: { revision: 2, tracks: [{ id: 't', kind: 'audio', name: 'mic', enabled: true, priority: 'standard' }] },
      peer_connections: [{ id: 'p', description: { type: 'offer', revision: 1, sdp: 'v=0' } }],
      subscribe: { revision: 1, rules: [{ type: 'include', all: true }] },
    },
  },
  { type: 'msg', body: { type: 'update', version: 2, session: 's', participant: { revision: 3, tracks: [] }, peer_connections: [{ id: 'p', ice: { candidates: [], ufrag: 'u', revision: 1 } }] } },
  { type: 'msg', body: { type: 'sync', version: 2, session: 's', token: 'a.b.c', participant: { revision: 3, tracks: [] }, peer_connections: [{ id: 'p', description: { type: 'answer', revision: 2, sdp: 'v=0' } }] } },
  { type: 'msg', body: { type: 'disconnect', version: 2, session: 's' } },
].map((frame) => Buffer.from(JSON.stringify(frame)));

it(`${INPUTS} broken frames are refused with 53004 or taken, nothing else`, { timeout: 60_000 + INPUTS * 2 }, () => {
  const random = randomFrom(11);
  let read = 0;
  for (let i = 0; i < INPUTS; i++) {
    const machine = new TcmpServer(0);
    machine.textReceived('{"type":"hello"}', 0);
    const input = mutate(frames[random(frames.length)]!, frames[random(frames.length)]!, random).toString('utf8');
    for (const body of machine.textReceived(input, 1).bodies) {
      try {
        readClientMessage(body);
        read++;
      } catch (error) {
        if (!(error instanceof TwilioError) || error.code !== 53004) throw new Error(`input ${i}: ${input}`, { cause: error });
      }
    }
  }
  expect(read).toBeGreaterThan(INPUTS / 100);
});
