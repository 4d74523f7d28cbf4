import { describe, expect, it } from 'vitest';
import { muLawToPcm } from '../../testing/rtp-caller.ts';
import type { StreamOptions } from '../protocol.ts';
import { StreamSession } from './stream-session.ts';

// One media stream without its socket: what the other side reads, and what comes of what it writes.

const SID = `MZ${'0'.repeat(32)}`;
const QUIET = { nowMs: 0, unsentBytes: 0 };
const silence = new Int16Array(160);

interface Told {
  event: string;
  sequenceNumber: string;
  streamSid: string;
  media: { track: string; chunk: string; timestamp: string; payload: string };
  [member: string]: unknown;
}

function open(over: Partial<StreamOptions> = {}) {
  const options: StreamOptions = { url: 'wss://app.test', track: 'inbound', bidirectional: true, streamSid: SID, accountSid: 'AC1', callSid: 'CA1', parameters: {}, ...over };
  const sent: Told[] = [];
  const warnings: string[] = [];
  let played = 0;
  let congested = 0;
  const session = new StreamSession(options, {
    send: (text) => void sent.push(JSON.parse(text) as Told),
    playbackFilled: () => void played++,
    warned: (warning, detail) => void warnings.push(`${warning}: ${detail}`),
    congested: () => void congested++,
  });
  session.opened(1000);
  const say = (message: object | string): void => session.textReceived(typeof message === 'string' ? message : JSON.stringify({ streamSid: SID, ...message }));
  const media = (bytes: number, code = 0x2a): void => say({ event: 'media', media: { payload: Buffer.alloc(bytes, code).toString('base64') } });
  return { session, sent, warnings, say, media, played: () => played, congested: () => congested, last: () => sent.at(-1) };
}

const heard = (session: StreamSession): number => session.playback.read(new Int16Array(160));

describe('what the other side reads', () => {
  it('begins with connected and start', () => {
    const { sent } = open({ track: 'both', parameters: { 'first "name"': 'Ada' } });
    expect(sent).toEqual([
      { event: 'connected', protocol: 'Call', version: '1.0.0' },
      {
        event: 'start',
        sequenceNumber: '1',
        streamSid: SID,
        start: { accountSid: 'AC1', callSid: 'CA1', streamSid: SID, tracks: ['inbound', 'outbound'], customParameters: { 'first "name"': 'Ada' }, mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 } },
      },
    ]);
  });

  it('goes on with 20 ms of µ-law per message, numbered through', () => {
    const { session, sent } = open();
    const loud = new Int16Array(160).fill(8000);
    session.frame(loud, silence, { nowMs: 1005, unsentBytes: 0 });
    session.frame(silence, loud, { nowMs: 1025.4, unsentBytes: 0 });
    const [first, second] = sent.slice(2);
    expect(first).toMatchObject({ event: 'media', sequenceNumber: '2', streamSid: SID, media: { track: 'inbound', chunk: '1', timestamp: '5' } });
    expect(second).toMatchObject({ sequenceNumber: '3', media: { track: 'inbound', chunk: '2', timestamp: '25' } });
    const codes = Buffer.from(first?.media.payload ?? '', 'base64');
    expect(codes).toHaveLength(160);
    expect(Math.abs(muLawToPcm(codes[80] as number) - 8000)).toBeLessThan(260);
    expect(Buffer.from(second?.media.payload ?? '', 'base64').every((code) => code === 0xff)).toBe(true);
  });

  it('has each track counted for itself when both are wanted', () => {
    const { session, sent } = open({ track: 'both', bidirectional: false });
    session.frame(silence, silence, QUIET);
    session.frame(silence, silence, QUIET);
    expect(sent.slice(2).map(({ sequenceNumber, media }) => [sequenceNumber, media.track, media.chunk])).toEqual([['2', 'inbound', '1'], ['3', 'outbound', '1'], ['4', 'inbound', '2'], ['5', 'outbound', '2']]);
  });

  it('has keys on bidirectional streams only', () => {
    const talk = open();
    talk.session.digit('7');
    expect(talk.last()).toEqual({ event: 'dtmf', streamSid: SID, sequenceNumber: '2', dtmf: { track: 'inbound_track', digit: '7' } });
    const fork = open({ bidirectional: false });
    fork.session.digit('7');
    expect(fork.last()).toMatchObject({ event: 'start' });
  });

  it('ends with stop', () => {
    const { session, last } = open();
    session.stopped();
    expect(last()).toEqual({ event: 'stop', sequenceNumber: '2', streamSid: SID, stop: { accountSid: 'AC1', callSid: 'CA1' } });
  });

  it('misses audio, never a number, while it reads too slowly; given up after 10 s', () => {
    const { session, sent, warnings, congested } = open();
    session.frame(silence, silence, { nowMs: 2000, unsentBytes: 200_000 });
    session.frame(silence, silence, { nowMs: 4000, unsentBytes: 0 });
    expect(sent.slice(2)).toEqual([expect.objectContaining({ sequenceNumber: '2', media: expect.objectContaining({ timestamp: '3000' }) as object })]);
    expect(warnings).toHaveLength(1);
    for (let nowMs = 5000; nowMs < 15_000; nowMs += 20) session.frame(silence, silence, { nowMs, unsentBytes: 200_000 });
    expect(congested()).toBe(0);
    session.frame(silence, silence, { nowMs: 15_000, unsentBytes: 200_000 });
    expect(congested()).toBe(1);
    expect(warnings).toHaveLength(1);
  });
});

describe('what the other side writes', () => {
  it('is heard by the phone in its order, whatever the size of the pieces', () => {
    const { session, media, played } = open();
    media(100, 0x80);
    media(400, 0x00);
    expect(played()).toBe(1);
    const out = new Int16Array(160);
    expect(session.playback.read(out)).toBe(160);
    expect([out[0], out[99], out[100], out[159]]).toEqual([32_124, 32_124, -32_124, -32_124]);
    expect([heard(session), heard(session)]).toEqual([160, 160]);
    expect(session.playback.read(out)).toBe(20);
    expect([out[19], out[20]]).toEqual([-32_124, 0]);
    expect(heard(session)).toBe(0);
    media(10);
    expect(played()).toBe(2);
  });

  it('a mark comes back when what was before it was heard', () => {
    const { session, media, say, last } = open();
    media(200);
    say({ event: 'mark', mark: { name: 'half' } });
    media(200);
    say({ event: 'mark', mark: { name: 'all' } });
    heard(session);
    expect(last()).toMatchObject({ event: 'start' });
    heard(session);
    expect(last()).toEqual({ event: 'mark', streamSid: SID, sequenceNumber: '2', mark: { name: 'half' } });
    heard(session);
    expect(last()).toMatchObject({ sequenceNumber: '3', mark: { name: 'all' } });
  });

  it('a mark comes back at once when nothing waits, and on clear', () => {
    const { session, media, say, last } = open();
    say({ event: 'mark', mark: { name: 'nothing' } });
    expect(last()).toMatchObject({ mark: { name: 'nothing' } });
    media(8000);
    say({ event: 'mark', mark: { name: 'cut' } });
    expect(last()).toMatchObject({ mark: { name: 'nothing' } });
    say({ event: 'clear' });
    expect(last()).toMatchObject({ mark: { name: 'cut' } });
    expect(heard(session)).toBe(0);
  });

  it.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['null', 'null'],
    ['another stream', { event: 'clear', streamSid: `MZ${'1'.repeat(32)}` }],
    ['an unknown event', { event: 'start' }],
    ['media without a payload', { event: 'media', media: {} }],
    ['a payload that is no text', { event: 'media', media: { payload: 5 } }],
    ['a payload that is no base64', { event: 'media', media: { payload: 'hello world!' } }],
    ['media that is a list', { event: 'media', media: ['x'] }],
    ['a mark without a name', { event: 'mark', mark: {} }],
    ['a mark that is too long', { event: 'mark', mark: { name: 'x'.repeat(300) } }],
  ])('%s is warned of and nothing else', (_what, message) => {
    const { session, sent, warnings, say } = open();
    say(message);
    say(message);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^invalid-message: /);
    expect(sent).toHaveLength(2);
    expect(heard(session)).toBe(0);
  });

  it('means nothing on a stream that only listens', () => {
    const { session, media, warnings } = open({ bidirectional: false });
    media(160);
    expect(warnings).toHaveLength(1);
    expect(heard(session)).toBe(0);
  });

  it('costs the same in pieces of one sample as in large ones', () => {
    const { session } = open();
    const one = Buffer.from([0x80]);
    for (let n = 0; n < 2_000_000; n++) session.playback.push(one);
    const out = new Int16Array(160);
    const startedMs = performance.now();
    for (let n = 0; n < 500; n++) session.playback.read(out);
    expect(performance.now() - startedMs).toBeLessThan(500);
    expect([out[0], out[159]]).toEqual([32_124, 32_124]);
  });

  it('may wait for 10 minutes of audio and no more', () => {
    const { session, media, warnings } = open();
    for (let n = 0; n < 150; n++) media(32_000);
    expect(warnings).toEqual([]);
    media(1);
    expect(warnings).toEqual(['buffer-overflow: more than 10 minutes of audio wait to be played']);
    heard(session);
    media(160);
    expect(warnings).toHaveLength(1);
  });
});
