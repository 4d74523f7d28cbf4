import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { newSid } from '../base/sid.ts';
import { readBrowserDescription } from '../sdp/browser-description.ts';
import { printBrowserDescription } from '../sdp/browser-print.ts';
import { answerLines, homelessTracks, numberingOf, offerLines, printedSection, settledLines, type Line, type Placing, type WantedTrack } from './layout.ts';

const offer = readBrowserDescription(readFileSync(new URL('../../test/fuzz/chromium-offer.sdp', import.meta.url), 'utf8'));

function track(kind: 'audio' | 'video', phone = false): WantedTrack {
  return { trackSid: newSid('MT'), participantSid: newSid('PA'), kind, phone };
}

let ssrc = 100;
function placing(...tracks: WantedTrack[]): Placing {
  return { wanted: new Map(tracks.map((each) => [each.trackSid, each])), numbering: numberingOf(offer), newSsrc: () => ssrc++ };
}

const print = (lines: Line[]): string =>
  printBrowserDescription({ sessionId: 1, version: 1, transport: { iceUfrag: 'u', icePwd: 'p', fingerprint: 'sha-256 AA', setup: 'active', candidates: [] }, sections: lines.map(printedSection) });
/** What a browser that takes everything would answer. */
const agree = (lines: Line[]): Line[] => settledLines(lines, readBrowserDescription(print(lines).replace(/a=sendonly/g, 'a=recvonly').replace(/\r\na=msid:/g, '\r\na=x:')));
const placed = (lines: Line[]): (string | null)[] => lines.map((line) => line.sending?.trackSid ?? null);

describe('the offer of Chromium', () => {
  it('is read: codecs in our order with their retransmissions, the streams, the track ids', () => {
    const [audio, video, data] = offer.sections;
    expect(audio?.codecs.map((codec) => [codec.name, codec.payloadType])).toEqual([['opus', 111], ['pcmu', 0], ['pcma', 8], ['g722', 9], ['telephone-event', 126]]);
    expect(video?.codecs[0]).toMatchObject({ name: 'vp8', payloadType: 96, rtxPayloadType: 97 });
    expect(video?.encodings).toEqual([{ ssrc: 1854781617, rtxSsrc: 2679466446 }]);
    expect(audio?.trackId).toBe('2c0f1249-92c6-4a02-b9dc-599c30c54dad');
    expect(data?.kind).toBe('application');
  });

  it('gives simulcast layers from low to high', () => {
    const munged = readFileSync(new URL('../../test/fuzz/chromium-offer.sdp', import.meta.url), 'utf8').replace(
      'a=ssrc-group:FID 1854781617 2679466446',
      'a=ssrc-group:SIM 1854781617 20 30\r\na=ssrc-group:FID 1854781617 2679466446\r\na=ssrc-group:FID 20 21\r\na=ssrc-group:FID 30 31',
    );
    expect(readBrowserDescription(munged).sections[1]?.encodings).toEqual([{ ssrc: 1854781617, rtxSsrc: 2679466446 }, { ssrc: 20, rtxSsrc: 21 }, { ssrc: 30, rtxSsrc: 31 }]);
  });
});

describe('lines', () => {
  it('of the answer take what fits, a server offer takes the rest', () => {
    const [one, two, picture] = [track('audio'), track('audio'), track('video')];
    const answer = answerLines([], offer, placing(one, two, picture));
    expect(placed(answer)).toEqual([one.trackSid, picture.trackSid, null]);
    expect(print(answer)).toContain(`a=msid:${one.participantSid} ${one.trackSid}`);
    const next = offerLines(answer, placing(one, two, picture));
    expect(placed(next ?? [])).toEqual([one.trackSid, picture.trackSid, null, two.trackSid]);
    expect(offerLines(agree(next ?? []), placing(one, two, picture))).toBeNull();
  });

  it('change their track only through silence', () => {
    const [first, second] = [track('audio'), track('audio')];
    const answer = answerLines([], { ...offer, sections: offer.sections.slice(0, 1) }, placing(first));
    const silent = agree(offerLines(answer, placing()) ?? []);
    expect(placed(silent)).toEqual([null, null]);
    expect(placed(offerLines(silent, placing(second)) ?? [])[0]).toBe(second.trackSid);
    const both = offerLines(answer, placing(second)) ?? [];
    expect(placed(both)[0]).toBeNull();
    expect(placed(both)).toContain(second.trackSid);
  });

  it('end at 128: tracks that find no place are known, and get one when another goes', () => {
    const many = Array.from({ length: 130 }, () => track('audio'));
    const answer = answerLines([], offer, placing(...many));
    const full = agree(offerLines(answer, placing(...many)) ?? []);
    expect(full).toHaveLength(127);
    const { wanted } = placing(...many);
    const homeless = homelessTracks(full, wanted);
    // 127 lines, of them one for the browser's video and one for data.
    expect(homeless).toEqual(many.slice(125).map(({ trackSid }) => trackSid));
    const fewer = many.slice(1);
    const silent = agree(offerLines(full, placing(...fewer)) ?? []);
    expect(homelessTracks(silent, placing(...fewer).wanted), 'one is about to get the free line').toEqual(homeless.slice(1));
    expect(placed(offerLines(silent, placing(...fewer)) ?? [])[0]).toBe(homeless[0]);
  });

  it('offer m=application when the browser did not', () => {
    const answer = answerLines([], { ...offer, sections: offer.sections.slice(0, 2) }, placing());
    expect(offerLines(answer, placing())?.map((line) => line.kind)).toEqual(['audio', 'video', 'application']);
  });

  it('name G.711 first for a phone where the browser only listens', () => {
    const phone = track('audio', true);
    const answer = answerLines([], offer, placing(track('audio'), phone));
    expect(print(answer)).toContain('m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 9 126');
    const added = print(offerLines(answer, { ...placing(), wanted: new Map([...answer.flatMap((line) => (line.sending ? [[line.sending.trackSid, line.sending] as const] : [])), [phone.trackSid, phone]]) }) ?? []);
    expect(added).toContain('m=audio 9 UDP/TLS/RTP/SAVPF 0 8 9 111 126');
  });

  it('go elsewhere when the browser does not take them', () => {
    const one = track('audio');
    const next = offerLines(answerLines([], { ...offer, sections: offer.sections.slice(2) }, placing()), placing(one)) ?? [];
    const refused = settledLines(next, readBrowserDescription(print(next).replace(/a=sendonly/g, 'a=inactive')));
    expect(placed(refused)).toEqual([null, null]);
    expect(placed(offerLines(refused, placing(one)) ?? [])).toEqual([null, null, one.trackSid]);
  });
});
