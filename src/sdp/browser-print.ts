import type { BrowserCodec } from './browser-codecs.ts';
import type { BrowserDirection } from './browser-description.ts';

/** One m-section of ours. */
export interface PrintedSection {
  kind: 'audio' | 'video' | 'application' | 'other';
  mid: string;
  /** Written with port 0. */
  rejected: boolean;
  /** Seen from us. */
  direction: BrowserDirection;
  codecs: BrowserCodec[];
  extensions: Record<string, number>;
  /** The track we send there. */
  sending: { streamId: string; trackId: string; ssrc: number; rtxSsrc?: number; cname: string } | null;
}

/** Our side of the one transport that carries all sections. */
export interface PrintedTransport {
  iceUfrag: string;
  icePwd: string;
  fingerprint: string;
  setup: 'active' | 'passive' | 'actpass';
  /** Values of a=candidate lines. */
  candidates: string[];
}

/** Writes an offer or answer to a browser (RFC 8829 §5). `sessionId` stays, `version` grows with each description. */
export function printBrowserDescription(options: { sessionId: number; version: number; transport: PrintedTransport; sections: PrintedSection[] }): string {
  const { transport, sections } = options;
  const bundled = sections.filter((section) => !section.rejected).map((section) => section.mid);
  const lines = [
    'v=0',
    `o=- ${options.sessionId} ${options.version} IN IP4 127.0.0.1`,
    's=-',
    't=0 0',
    ...(bundled.length > 0 ? [`a=group:BUNDLE ${bundled.join(' ')}`] : []),
    'a=msid-semantic: WMS *',
    ...sections.flatMap((section) => (section.rejected ? rejected(section) : section.kind === 'application' ? application(section, transport) : media(section, transport))),
  ];
  return `${lines.join('\r\n')}\r\n`;
}

function rejected(section: PrintedSection): string[] {
  const mLine = section.kind === 'application' ? 'm=application 0 UDP/DTLS/SCTP webrtc-datachannel' : `m=${section.kind === 'video' ? 'video' : 'audio'} 0 UDP/TLS/RTP/SAVPF 0`;
  return [mLine, 'c=IN IP4 0.0.0.0', `a=mid:${section.mid}`, 'a=inactive'];
}

function transportLines(transport: PrintedTransport): string[] {
  return [
    `a=ice-ufrag:${transport.iceUfrag}`,
    `a=ice-pwd:${transport.icePwd}`,
    `a=fingerprint:${transport.fingerprint}`,
    `a=setup:${transport.setup}`,
    ...transport.candidates.map((candidate) => `a=candidate:${candidate}`),
    'a=end-of-candidates',
  ];
}

function application(section: PrintedSection, transport: PrintedTransport): string[] {
  return ['m=application 9 UDP/DTLS/SCTP webrtc-datachannel', 'c=IN IP4 0.0.0.0', ...transportLines(transport), `a=mid:${section.mid}`, 'a=sctp-port:5000', 'a=max-message-size:262144'];
}

function media(section: PrintedSection, transport: PrintedTransport): string[] {
  const payloadTypes = section.codecs.flatMap((codec) => [codec.payloadType, ...(codec.rtxPayloadType === undefined ? [] : [codec.rtxPayloadType])]);
  return [
    `m=${section.kind} 9 UDP/TLS/RTP/SAVPF ${payloadTypes.join(' ')}`,
    'c=IN IP4 0.0.0.0',
    'a=rtcp:9 IN IP4 0.0.0.0',
    ...transportLines(transport),
    `a=mid:${section.mid}`,
    ...Object.entries(section.extensions).map(([uri, id]) => `a=extmap:${id} ${uri}`),
    `a=${section.direction}`,
    ...(section.sending ? [`a=msid:${section.sending.streamId} ${section.sending.trackId}`] : []),
    'a=rtcp-mux',
    'a=rtcp-rsize',
    ...section.codecs.flatMap(codecLines),
    ...sendingLines(section),
  ];
}

function codecLines(codec: BrowserCodec): string[] {
  const { name, payloadType, clockRateHz, channels, parameters, rtxPayloadType } = codec;
  return [
    `a=rtpmap:${payloadType} ${NAMES[name] ?? name}/${clockRateHz}${channels === undefined ? '' : `/${channels}`}`,
    ...(parameters === undefined ? [] : [`a=fmtp:${payloadType} ${parameters}`]),
    ...(FEEDBACK[name] ?? []).map((feedback) => `a=rtcp-fb:${payloadType} ${feedback}`),
    ...(rtxPayloadType === undefined ? [] : [`a=rtpmap:${rtxPayloadType} rtx/${clockRateHz}`, `a=fmtp:${rtxPayloadType} apt=${payloadType}`]),
  ];
}

const NAMES: Record<string, string> = { pcmu: 'PCMU', pcma: 'PCMA', g722: 'G722', vp8: 'VP8', vp9: 'VP9', h264: 'H264' };
const VIDEO_FEEDBACK = ['transport-cc', 'ccm fir', 'nack', 'nack pli'];
const FEEDBACK: Record<string, string[]> = { opus: ['transport-cc'], vp8: VIDEO_FEEDBACK, vp9: VIDEO_FEEDBACK, h264: VIDEO_FEEDBACK };

function sendingLines({ sending }: PrintedSection): string[] {
  if (!sending) return [];
  const { ssrc, rtxSsrc, cname, streamId, trackId } = sending;
  const describe = (id: number): string[] => [`a=ssrc:${id} cname:${cname}`, `a=ssrc:${id} msid:${streamId} ${trackId}`];
  return [...(rtxSsrc === undefined ? [] : [`a=ssrc-group:FID ${ssrc} ${rtxSsrc}`]), ...describe(ssrc), ...(rtxSsrc === undefined ? [] : describe(rtxSsrc))];
}
