import { expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { muLawToPcm, tonePower } from '../../testing/rtp-caller.ts';
import { G722Encoder } from '../codec/g722.ts';
import { MixParty } from '../mix/mix-party.ts';
import { parseRtp, RtpView, writeRtpHeader } from '../rtp/packet.ts';
import { PhoneTrack } from './phone-track.ts';

function packet(sequenceNumber: number): RtpView {
  const buffer = Buffer.alloc(172, 0x90);
  writeRtpHeader(buffer, { payloadType: 0, marker: false, sequenceNumber, timestamp: sequenceNumber * 160, ssrc: 1 });
  const view = new RtpView();
  parseRtp(view, buffer);
  return view;
}

it('a phone that is not for everybody sends browsers silence, packet for packet', () => {
  const party = new MixParty(newSid('MT'));
  const track = new PhoneTrack(party);
  const sent: [sequenceNumber: number, first: number, last: number][] = [];
  track.addSink({
    packetForwarded: (view) => sent.push([view.sequenceNumber, view.buffer[view.payloadOffset]!, view.buffer[view.payloadOffset + view.payloadLength - 1]!]),
    sourceEnded: () => {},
  });
  const open = { muted: false, held: false, heardBy: null, hears: null };
  track.packetReceived(packet(1), 'pcmu', 0);
  party.setVoice({ ...open, muted: true });
  track.packetReceived(packet(2), 'pcmu', 20);
  party.setVoice({ ...open, held: true });
  track.packetReceived(packet(3), 'pcma', 40);
  party.setVoice({ ...open, heardBy: [newSid('MT')] });
  track.packetReceived(packet(4), 'pcmu', 60);
  party.setVoice({ ...open, hears: [] });
  track.packetReceived(packet(5), 'pcmu', 80);
  expect(sent).toEqual([
    [1, 0x90, 0x90],
    [2, 0xff, 0xff],
    [3, 0xd5, 0xd5],
    [4, 0xff, 0xff],
    [5, 0x90, 0x90],
  ]);
});

it('G.722 goes as it came to who takes it, and as µ-law to who does not', () => {
  const track = new PhoneTrack(new MixParty(newSid('MT')));
  const [wide, narrow]: [Buffer[], Buffer[]] = [[], []];
  const sinkOf = (kept: Buffer[], codecs: string[]) => ({
    packetForwarded: (view: RtpView, codec: string) => {
      expect(codec).toBe(codecs[0]);
      kept.push(Buffer.from(view.buffer.subarray(view.payloadOffset, view.payloadOffset + view.payloadLength)));
    },
    takes: (codec: string) => codecs.includes(codec),
    sourceEnded: () => {},
  });
  track.addSink(sinkOf(wide, ['g722', 'pcmu']));
  track.addSink(sinkOf(narrow, ['pcmu']));
  const encoder = new G722Encoder();
  for (let n = 0; n < 25; n++) {
    const view = packet(n);
    const tone = Int16Array.from({ length: 320 }, (_, i) => Math.round(8000 * Math.sin((2 * Math.PI * 700 * (n * 320 + i)) / 16_000)));
    encoder.encode(tone, view.buffer.subarray(12));
    track.packetReceived(view, 'g722', n * 20);
  }
  expect(wide).toHaveLength(25);
  expect(narrow).toHaveLength(25);
  expect(tonePower(Int16Array.from(Buffer.concat(narrow), muLawToPcm).slice(-3200), 700)).toBeGreaterThan(0.04);
});

it.each([['opus', 3], ['g722', 160], ['pcma', 160]])('silence of a %s phone is of that codec', (codec, length) => {
  const party = new MixParty(newSid('MT'));
  party.setVoice({ muted: true, held: false, heardBy: null, hears: null });
  const track = new PhoneTrack(party);
  const sent: Buffer[] = [];
  track.addSink({ packetForwarded: (view) => sent.push(view.buffer.subarray(view.payloadOffset, view.payloadOffset + view.payloadLength)), sourceEnded: () => {} });
  track.packetReceived(packet(1), codec, 0);
  expect(sent[0]).toHaveLength(length);
  expect(sent[0]!.includes(0x90)).toBe(false);
});
