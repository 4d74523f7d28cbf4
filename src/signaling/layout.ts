import type { ParticipantSid, TrackSid } from '../base/sid.ts';
import { defaultCodecs, type BrowserCodec } from '../sdp/browser-codecs.ts';
import { MAX_SECTIONS, type BrowserDescription, type BrowserDirection, type BrowserSection } from '../sdp/browser-description.ts';
import type { PrintedSection } from '../sdp/browser-print.ts';

/** A track that a browser is to get. */
export interface WantedTrack {
  trackSid: TrackSid;
  participantSid: ParticipantSid;
  kind: 'audio' | 'video';
  /** It comes from a phone: G.711 as it is. */
  phone: boolean;
}

/** A wanted track in its place. */
export interface PlacedTrack extends WantedTrack {
  ssrc: number;
  rtxSsrc?: number;
}

/** One m-line as both sides have agreed on it, or as the description in flight will have it. */
export interface Line {
  mid: string;
  kind: BrowserSection['kind'];
  rejected: boolean;
  /** What the browser sends there. */
  browserSends: boolean;
  trackId: string | null;
  encodings: BrowserSection['encodings'];
  /** Whether its transceiver takes what we send. */
  browserReceives: boolean;
  sending: PlacedTrack | null;
  codecs: BrowserCodec[];
  extensions: Record<string, number>;
}

/** The receiver's numbering, from its first offer, for the lines that we add. */
export interface Numbering {
  audio: { codecs: BrowserCodec[]; extensions: Record<string, number> };
  video: { codecs: BrowserCodec[]; extensions: Record<string, number> };
}

export interface Placing {
  wanted: ReadonlyMap<TrackSid, WantedTrack>;
  numbering: Numbering;
  /** A random SSRC that is in use nowhere else. */
  newSsrc: () => number;
}

/** One is kept for the data channels. */
const MAX_MEDIA_LINES = MAX_SECTIONS - 1;

const sends = (direction: BrowserDirection): boolean => direction === 'sendrecv' || direction === 'sendonly';
const receives = (direction: BrowserDirection): boolean => direction === 'sendrecv' || direction === 'recvonly';

/** Numbering of a browser; a kind that its offer has no section of gets the usual numbers. */
export function numberingOf(offer: BrowserDescription): Numbering {
  const taken = new Set(offer.sections.flatMap((section) => section.payloadTypes));
  const of = (kind: 'audio' | 'video'): Numbering['audio'] => {
    const section = offer.sections.find((each) => each.kind === kind && each.codecs.length > 0);
    return section ? { codecs: section.codecs, extensions: section.extensions } : { codecs: defaultCodecs(kind, taken), extensions: {} };
  };
  return { audio: of('audio'), video: of('video') };
}

/**
 * Lines of our answer to a browser's offer: the same m-lines in the same order (an answer cannot add any), free ones filled
 * with wanted tracks.
 */
export function answerLines(agreed: readonly Line[], offer: BrowserDescription, placing: Placing): Line[] {
  const known = new Map(agreed.map((line) => [line.mid, line]));
  const lines = offer.sections.map((section) => offeredLine(section, known.get(section.mid)));
  return place(lines, placing);
}

function offeredLine(section: BrowserSection, before: Line | undefined): Line {
  const media = section.kind === 'audio' || section.kind === 'video';
  const rejected = section.rejected || section.kind === 'other' || (media && section.codecs.length === 0);
  const browserReceives = !rejected && media && receives(section.direction);
  return {
    mid: section.mid,
    kind: section.kind,
    rejected,
    browserSends: !rejected && media && sends(section.direction),
    trackId: section.trackId,
    encodings: section.encodings,
    browserReceives,
    sending: browserReceives ? (before?.sending ?? null) : null,
    codecs: section.codecs,
    extensions: section.extensions,
  };
}

/**
 * Lines of the next server offer, null when nothing has to change. A line whose track has gone is offered without one first;
 * it can take another only after the browser has agreed, because a new track shows by a line that begins to send (rsp §4.2).
 */
export function offerLines(agreed: readonly Line[], placing: Placing): Line[] | null {
  const lines = place(agreed, placing);
  const placed = new Set(lines.flatMap((line) => (line.sending ? [line.sending.trackSid] : [])));
  for (const track of placing.wanted.values()) {
    if (!placed.has(track.trackSid) && lines.length < MAX_MEDIA_LINES) lines.push(addedLine(lines, track, placing));
  }
  // SCTP runs from the start on our side; left unanswered it would take the transport down after a minute (rsp §7).
  if (!lines.some((line) => line.kind === 'application')) lines.push(applicationLine(lines));
  const changed = lines.length !== agreed.length || lines.some((line, i) => line.sending?.trackSid !== agreed[i]?.sending?.trackSid);
  return changed ? lines : null;
}

/** Wanted tracks that no line is left for: an SDP has only so many, and none of theirs is free. */
export function homelessTracks(lines: readonly Line[], wanted: ReadonlyMap<TrackSid, WantedTrack>): TrackSid[] {
  if (lines.length < MAX_MEDIA_LINES) return [];
  const placed = new Set(lines.flatMap(({ sending }) => (sending ? [sending.trackSid] : [])));
  const of = (wantedKind: 'audio' | 'video'): TrackSid[] => {
    const free = lines.filter((line) => line.kind === wantedKind && line.browserReceives && !line.sending).length;
    const waiting = [...wanted.values()].filter(({ trackSid, kind }) => kind === wantedKind && !placed.has(trackSid));
    return waiting.slice(free).map(({ trackSid }) => trackSid);
  };
  return [...of('audio'), ...of('video')];
}

/** Takes out what is wanted no more, and fills lines that were free already. */
function place(agreed: readonly Line[], placing: Placing): Line[] {
  const { wanted } = placing;
  const placed = new Set<TrackSid>();
  for (const { sending } of agreed) if (sending && wanted.has(sending.trackSid)) placed.add(sending.trackSid);
  const waiting = [...wanted.values()].filter((track) => !placed.has(track.trackSid));
  return agreed.map((line) => {
    if (line.sending) return wanted.has(line.sending.trackSid) ? line : { ...line, sending: null };
    if (line.rejected || !line.browserReceives) return line;
    const next = waiting.findIndex((track) => track.kind === line.kind);
    const track = next < 0 ? undefined : waiting.splice(next, 1)[0];
    return track ? { ...line, sending: placedTrack(track, placing) } : line;
  });
}

function placedTrack(track: WantedTrack, { newSsrc }: Placing): PlacedTrack {
  return { ...track, ssrc: newSsrc(), ...(track.kind === 'video' ? { rtxSsrc: newSsrc() } : {}) };
}

function addedLine(lines: readonly Line[], track: WantedTrack, placing: Placing): Line {
  return {
    mid: freeMid(lines),
    kind: track.kind,
    rejected: false,
    browserSends: false,
    trackId: null,
    encodings: [],
    browserReceives: true,
    sending: placedTrack(track, placing),
    ...placing.numbering[track.kind],
  };
}

function applicationLine(lines: readonly Line[]): Line {
  return { mid: freeMid(lines), kind: 'application', rejected: false, browserSends: false, trackId: null, encodings: [], browserReceives: false, sending: null, codecs: [], extensions: {} };
}

function freeMid(lines: readonly Line[]): string {
  const used = new Set(lines.map((line) => line.mid));
  let n = lines.length;
  while (used.has(`s${n}`)) n++;
  return `s${n}`;
}

/** Our offer, answered: what the browser took of it. A line that it does not take from us is left to others. */
export function settledLines(offered: readonly Line[], answer: BrowserDescription): Line[] {
  return offered.map((line, i) => {
    const section = answer.sections[i];
    if (!section || section.mid !== line.mid || section.rejected) return { ...line, rejected: true, browserSends: false, trackId: null, encodings: [], browserReceives: false, sending: null };
    const taken = line.sending === null || receives(section.direction);
    return {
      ...line,
      browserSends: line.kind !== 'application' && sends(section.direction),
      trackId: section.trackId,
      encodings: section.encodings,
      browserReceives: line.browserReceives && taken,
      sending: taken ? line.sending : null,
    };
  });
}

/** A line as our SDP says it. In offers a line stays open for what the browser sends, or might send again. */
export function printedSection(line: Line): PrintedSection {
  const { sending } = line;
  return {
    kind: line.kind,
    mid: line.mid,
    rejected: line.rejected,
    direction: sending ? (line.browserSends ? 'sendrecv' : 'sendonly') : line.browserSends ? 'recvonly' : 'inactive',
    codecs: codecOrder(line),
    extensions: line.extensions,
    sending: sending && {
      streamId: sending.participantSid,
      trackId: sending.trackSid,
      ssrc: sending.ssrc,
      ...(sending.rtxSsrc === undefined ? {} : { rtxSsrc: sending.rtxSsrc }),
      cname: sending.participantSid,
    },
  };
}

/** What phones speak besides Opus comes first where the browser only listens; where it sends too, the first codec is the one it sends. */
function codecOrder({ codecs, sending, browserSends }: Line): BrowserCodec[] {
  if (!sending?.phone || browserSends) return codecs;
  const ofPhones = codecs.filter((codec) => codec.name === 'pcmu' || codec.name === 'pcma' || codec.name === 'g722');
  return [...ofPhones, ...codecs.filter((codec) => !ofPhones.includes(codec))];
}
