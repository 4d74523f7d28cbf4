import { expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
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
