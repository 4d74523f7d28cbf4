import type { SrtpKeying } from './rtp/srtp.ts';
import type { Emitter } from '../base/emitter.ts';
import type { RoomSid, TrackSid } from '../base/sid.ts';

/**
 * The wall between the planes. The control plane (voice, rooms, signaling, bridge) sees the media plane only as these
 * interfaces. They carry requests and events, never a packet. `media/control/` implements them over IPC, `media/worker.ts`
 * serves them. All requests reject with `MediaError` when the worker has gone.
 */
export interface MediaPlane {
  /** Of our certificate in DTLS with phones, as in a=fingerprint: `sha-256 AB:CD:…`. Absent: there is no DTLS with phones. */
  readonly dtlsFingerprint?: string;
  /**
   * Opens one phone's media: an RTP socket (and RTCP on port + 1) on the least loaded worker, or on the worker of `near`,
   * so that a call that will join a room needs no pipe.
   */
  createPhone(options: { near?: RoomMedia }): Promise<PhoneMedia>;
  /** Opens a room's mixer and forwarder on the least loaded worker. */
  createRoom(options: { roomSid: RoomSid }): Promise<RoomMedia>;
}

/** Why a media object is gone without having been asked to close. */
export type MediaLossReason = 'worker-died';

export class MediaError extends Error {
  override readonly name = 'MediaError';
  readonly reason: 'worker-died' | 'closed' | 'no-port' | 'bad-request' | 'prompt-unreadable' | 'prompt-type';
  constructor(reason: MediaError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

// ---------------------------------------------------------------------------------------------------------- phones

/** What a phone leg may speak. */
export type PhoneCodec = 'PCMU' | 'PCMA' | 'G722' | 'OPUS';

/** What a phone wishes for the Opus that it gets (RFC 7587 §6.1). */
export interface PhoneOpusWishes {
  /** It can use in-band FEC. */
  fec: boolean;
  /** Highest sampling rate that it can play. */
  maxPlaybackRateHz: number;
  /** Average bit rate that it bears; null: any. */
  maxBitrateBps: number | null;
}

/** Keys of a phone's SRTP (RFC 4568), one of each direction. Secrets: never in a log. */
export interface PhoneSrtp {
  send: SrtpKeying;
  receive: SrtpKeying;
}

/** ICE with a phone: we are lite (RFC 8445 §2.5). The passwords are secrets: never in a log. */
export interface PhoneIce {
  localUfrag: string;
  localPwd: string;
  remoteUfrag: string;
}

/** DTLS-SRTP with a phone (RFC 5763). */
export interface PhoneDtls {
  /** The phone's, as in a=fingerprint: `sha-256 AB:CD:…`. */
  fingerprint: string;
  /** Ours. */
  role: 'active' | 'passive';
}

/** What offer/answer settled. Given again after each re-INVITE; sequence numbers and SSRC of ours go on over it. */
export interface PhoneRemote {
  /** Where the phone wants its RTP. Media from elsewhere latches (symmetric RTP) on the first valid packet. */
  address: string;
  port: number;
  /** `address` cannot be reached from here (that of a network behind a NAT): nothing is sent until the phone's own media shows where it is. Default false. */
  awaited?: boolean;
  /** Address of the phone's signaling: media from there is likelier its own than that from elsewhere. */
  signalingAddress?: string;
  /** Default: port + 1; equal to port with rtcp-mux. */
  rtcpPort?: number;
  codec: PhoneCodec;
  /** Payload type on the wire for `codec`, 0 or 8 as a rule. */
  payloadType: number;
  /** Payload type of telephone-event, null when not negotiated. */
  dtmfPayloadType: number | null;
  /** Unit of its durations. Default 8000. */
  dtmfClockRateHz?: number;
  /** Payload type of CN (RFC 3389); absent: 13, which means nothing else (RFC 3551 §6). */
  comfortNoisePayloadType?: number;
  /** For OPUS alone. Default: no FEC, any rate. */
  opus?: PhoneOpusWishes;
  /** Packet time we send with, in ms: 20 (default), 10, 30 or 40; 20 for OPUS. */
  ptimeMs: number;
  /** False while the phone holds us (a=sendonly/inactive seen from the phone): we fall silent but keep our sequence, and the media time-out pauses: few send anything then. */
  send: boolean;
  /** False when we expect no media from the phone: the media time-out pauses. */
  receive: boolean;
  /** It is another phone than before, which took the call over: where the one before sends from is not believed any more. */
  anotherPhone?: boolean;
  /** Absent: plain RTP. */
  srtp?: PhoneSrtp;
  /** Absent: the phone speaks no ICE, and `address` and `port` say where it is. */
  ice?: PhoneIce;
  /** Absent: no DTLS. */
  dtls?: PhoneDtls;
}

export interface PhoneMediaEvents {
  /** A key was pressed; once per press (RFC 4733 §2.5), at its beginning. */
  digitReceived: [digit: string];
  /** First valid RTP packet of the phone. */
  firstPacketReceived: [];
  /** Nothing valid came from the phone for `mediaTimeoutMs` though it should have sent. */
  mediaTimedOut: [];
  /** Its DTLS handshake failed, or did not come: it will never be heard. At most once. */
  securityFailed: [why: string];
  /** The phone began or ceased to speak. Only while `watchVoice(true)`; `ceased` comes as soon as the last sound is 100 ms old. */
  voiceChanged: [speaking: boolean];
  /** A steady single tone of 0.2 s or more ended, as an answering machine's beep. Only while `watchVoice(true)`. */
  beepHeard: [];
  /** Gone by itself. No further event follows. */
  lost: [reason: MediaLossReason];
}

/** Something to be heard. Files are read and decoded in the media plane, off its packet thread. */
export type PromptSource =
  /** An absolute path; `contentType` as the web server gave it: WAV, MP3, AIFF, GSM, µ-law, or application/octet-stream. */
  | { kind: 'file'; path: string; contentType: string }
  | { kind: 'tone'; frequencyHz: number; durationMs: number; levelDbov: number }
  | { kind: 'silence'; durationMs: number }
  /** The United States' ringing tone: 440 + 480 Hz, 2 s on, 4 s off; one cadence, to be looped. */
  | { kind: 'ringback' }
  /** What a recording begins with: 1000 Hz, 0.25 s. */
  | { kind: 'beep' };

export type PlayOutcome = 'finished' | 'stopped';

export interface PhoneMediaStats {
  packetsReceived: number;
  packetsSent: number;
  packetsLost: number;
  packetsDiscarded: number;
  jitterMs: number;
  /** How it sounds here, and how it is at the phone by its RTCP; absent where there is no phone. */
  quality?: PhoneQuality;
}

export interface PhoneQuality {
  codec: PhoneCodec;
  /** Whose scale the next two stand on: ITU-T G.107, or G.107.1 for G.722 and Opus. */
  scale: 'narrow-band' | 'wide-band';
  /** R, 0–93.2 or 0–129. This and the next are null when nothing was heard of it. */
  rating: number | null;
  /** 1–4.41 or 1–4.5. */
  mos: number | null;
  /** Mean of the call; these three are null when the phone never told. */
  roundTripMs: number | null;
  /** Of our packets. */
  remoteLost: number | null;
  remoteJitterMs: number | null;
}

/** What a phone gives to and takes from the mix of its room. Everybody else's mix obeys at once. */
export interface RoomVoice {
  /** Not heard; hears all. */
  muted: boolean;
  /** Neither heard nor hearing: silence, or what `play` gives it. */
  held: boolean;
  /** Owners of these tracks alone hear it (a coach); null: everybody. */
  heardBy: TrackSid[] | null;
  /** It hears these tracks alone (subscribe rules); null: everybody. */
  hears: TrackSid[] | null;
}

/** A recording: WAV, 8 kHz, 16 bit; mode 0600; its header is right at least once a second, so that a crash leaves a playable file. */
export interface RecordingOptions {
  /** Absolute; its folder exists. */
  path: string;
  /** The phone's own voice, what it hears, or both. */
  source: 'inbound' | 'outbound' | 'both';
  /** 2: inbound left, outbound right. */
  channels: 1 | 2;
  maxDurationMs: number;
  /** Ends when the phone has not spoken for so long, counted from the beginning as well; 0: never. */
  silenceTimeoutMs: number;
  /** Silence at both ends is cut off (the file is made shorter when it ends). */
  trimSilence: boolean;
}

/** `lost`: the worker died or the disk did not follow; `phone-closed`: its phone or room closed. */
export type RecordingEndReason = 'stopped' | 'silence' | 'max-duration' | 'phone-closed' | 'lost';

export interface RecordingResult {
  reason: RecordingEndReason;
  /** Of the file, after trimming. */
  durationMs: number;
  bytes: number;
}

export interface MediaRecording extends Emitter<{ ended: [result: RecordingResult] }> {
  /** Once it is over, which it may be before anybody can listen for `ended`. */
  readonly result: RecordingResult | null;
  /** Nothing is written until `resume`; `silence` instead writes silence for the pause. */
  pause(mode: 'skip' | 'silence'): Promise<void>;
  resume(): Promise<void>;
  /** Resolves when the file is complete; idempotent, also after it ended by itself. */
  stop(): Promise<RecordingResult>;
}

/** A recording of one track of a room, in a file of its own. */
export interface TrackRecordingOptions {
  /** Absolute, without extension; its folder exists. `.mka` or `.mkv` is appended. Mode 0600. */
  path: string;
  kind: 'audio' | 'video';
  maxDurationMs: number;
}

export type TrackRecordingCodec = 'OPUS' | 'PCMU' | 'VP8' | 'H264' | 'VP9';

/** What happened to one track's file. */
export interface TrackRecordingResult {
  /** `track-ended`: its publisher ended it, or went over to a codec that cannot be in the same file; `no-media`: there is no file; `phone-closed`: the room closed. */
  reason: RecordingEndReason | 'track-ended' | 'no-media';
  durationMs: number;
  bytes: number;
  codec: TrackRecordingCodec | null;
  container: 'mka' | 'mkv';
  /** With extension. */
  path: string;
  /** Wall clock (ms since 1970, one clock for all files of a server) of the first media; null without any. Better known than `started` told. */
  startedAtMs: number | null;
}

export interface TrackRecordingEvents {
  /** The first media came: its codec, and its wall clock as far as known by then. */
  started: [codec: TrackRecordingCodec, startedAtMs: number];
  ended: [result: TrackRecordingResult];
  /** No packet has come for 10 s. */
  mediaLost: [];
  /** Packets come again. */
  mediaReturned: [];
}

export interface TrackRecording extends Emitter<TrackRecordingEvents> {
  readonly trackSid: TrackSid;
  /** What `started` told, which it may have before anybody can listen for it. */
  readonly begun: TrackRecordingEvents['started'] | null;
  /** Once it is over, which it may be before anybody can listen for `ended`. */
  readonly result: TrackRecordingResult | null;
  /** Resolves when the file is complete; idempotent, also after it ended by itself. */
  stop(): Promise<TrackRecordingResult>;
}

export interface StreamOptions {
  /** `ws:` or `wss:`. */
  url: string;
  track: 'inbound' | 'outbound' | 'both';
  /** What the other side sends is played to the phone (`<Connect><Stream>`). */
  bidirectional: boolean;
  streamSid: string;
  accountSid: string;
  callSid: string;
  /** customParameters of the start message. */
  parameters: Record<string, string>;
  /** Extra headers of the handshake, such as the signature. */
  headers?: Record<string, string>;
  /** The only addresses that the URL's host name may lead to; absent: whatever DNS says. */
  addresses?: string[];
}

/** `invalid-message`: the other side sent what is not of the protocol; `buffer-overflow`: audio was left out. Each is told once. */
export type StreamWarning = 'invalid-message' | 'buffer-overflow';

export type StreamEndReason = 'stopped' | 'remote-closed' | 'unreachable' | 'refused' | 'protocol' | 'phone-closed' | 'lost';

export interface MediaStreamEvents {
  /** The handshake succeeded. */
  started: [];
  warned: [warning: StreamWarning, detail: string];
  /** Once, in any case. `detail` of `remote-closed` begins with the WebSocket close code. */
  ended: [reason: StreamEndReason, detail: string];
}

/** A media stream over WebSocket. */
export interface MediaStream extends Emitter<MediaStreamEvents> {
  readonly streamSid: string;
  /** Once it is over, which it may be before anybody can listen for `ended`. */
  readonly ending: MediaStreamEvents['ended'] | null;
  stop(): Promise<void>;
}

/** One phone's media. Created idle: it keeps sending comfort silence once connected, until something is played or joined. */
export interface PhoneMedia extends Emitter<PhoneMediaEvents> {
  readonly id: string;
  /** Local RTP port (even); RTCP is on the next one. */
  readonly localPort: number;
  connect(remote: PhoneRemote): Promise<void>;
  /**
   * Plays to the phone; resolves when it has been heard to its end or was stopped. One at a time: a second call stops the
   * first. `loops` 1 by default, 0 means until stopped. Rejects with MediaError `prompt-unreadable` or `prompt-type`.
   * In a room the phone hears it instead of the room; its own voice goes on into the room.
   */
  play(source: PromptSource, options?: { loops?: number; signal?: AbortSignal }): Promise<PlayOutcome>;
  /** A key of the phone that came in signaling (INFO): told by `digitReceived` and to media streams as any other, unless its media told it too. */
  keySignaled(key: { digit: string; /** For how long it was held before it was told. */ heldMs: number }): Promise<void>;
  /** Sends keys as RFC 4733 events: 0-9 A-D * #, `w` pauses 0.5 s, `W` 1 s. Resolves when all went out. */
  sendDigits(digits: string): Promise<void>;
  /** Publishes the phone as `trackSid` in the room and lets it hear the room's mix-minus. Pipes between workers by itself. */
  joinRoom(room: RoomMedia, options: { trackSid: TrackSid; voice?: Partial<RoomVoice> }): Promise<void>;
  /** Changes what is given and leaves the rest; kept over re-INVITEs, forgotten by `leaveRoom`. */
  setRoomVoice(voice: Partial<RoomVoice>): Promise<void>;
  /** Any number at a time. */
  record(options: RecordingOptions): Promise<MediaRecording>;
  /** The media worker opens the WebSocket itself; resolves at once, the stream tells how it goes. */
  openStream(options: StreamOptions): Promise<MediaStream>;
  /** Turns `voiceChanged` and `beepHeard` on or off. */
  watchVoice(on: boolean): Promise<void>;
  /** Back to silence. Does nothing when it is in no room. */
  leaveRoom(): Promise<void>;
  stats(): Promise<PhoneMediaStats>;
  /** Closes sockets; idempotent. */
  close(): Promise<void>;
}

// ----------------------------------------------------------------------------------------------------------- rooms

export interface RoomMediaEvents {
  /** The loudest talker among phones and browsers, with hysteresis; null when all are silent. */
  activeSpeakerChanged: [trackSid: TrackSid | null];
  /**
   * Which layers of a simulcast track (lowest first) some subscriber gets or waits for. All are taken as wanted until the first
   * event; told on changes only, a layer that becomes wanted at once, one that ceases to be after 3 s.
   */
  layersWanted: [demand: LayerDemand];
  lost: [reason: MediaLossReason];
}

export interface LayerDemand {
  trackSid: TrackSid;
  layers: boolean[];
}

/** A mixer and forwarder. Beside a video room it is also the bridge of a `<Dial>` and the mixer of a `<Conference>`. */
export interface RoomMedia extends Emitter<RoomMediaEvents> {
  readonly roomSid: RoomSid;
  /** As `activeSpeakerChanged` told last. */
  readonly activeSpeaker: TrackSid | null;
  /** Opens one browser's transport; resolves with gathered candidates. */
  createBrowser(options: { remote: RemoteIceDtls }): Promise<BrowserMedia>;
  /** Heard by every phone of the room, mixed with what they hear; several at a time. Rejects like `PhoneMedia.play`. */
  play(source: PromptSource, options?: { loops?: number; signal?: AbortSignal }): Promise<PlayOutcome>;
  /** Records the mix of all phones and browsers that everybody may hear, one channel, without what `play` plays. */
  record(options: Pick<RecordingOptions, 'path' | 'maxDurationMs' | 'trimSilence'>): Promise<MediaRecording>;
  /** Records one track, a browser's or a phone's, which may still have to come. Any number at a time. */
  recordTrack(trackSid: TrackSid, options: TrackRecordingOptions): Promise<TrackRecording>;
  /** Cuts what one track says into utterances, for a speech recognizer. It may still have to come. */
  listen(trackSid: TrackSid, options: { folder: string }): Promise<TrackListening>;
  close(): Promise<void>;
}

/** What somebody said without a pause of 0.6 s or more, 15 s at most. */
export interface Utterance {
  /** WAV, 8 kHz, 16 bit, one channel, mode 0600; whoever hears of it deletes it. */
  path: string;
  /** Wall clock, ms since 1970. */
  startedAtMs: number;
  durationMs: number;
}

export interface TrackListeningEvents {
  spoken: [utterance: Utterance];
  /** Once: the room closed or its worker died. */
  ended: [];
}

export interface TrackListening extends Emitter<TrackListeningEvents> {
  readonly trackSid: TrackSid;
  /** Resolves when what is being said has been told: who hangs up right after a word has said it. Idempotent. */
  stop(): Promise<void>;
}

// -------------------------------------------------------------------------------------------------------- browsers

/** The browser's side of ICE and DTLS, read from its SDP. */
export interface RemoteIceDtls {
  iceUfrag: string;
  icePwd: string;
  /** As in a=fingerprint: `sha-256 AB:CD:…`. */
  fingerprint: string;
}

/** Our side, to be written into our SDP. */
export interface LocalIceDtls {
  iceUfrag: string;
  icePwd: string;
  fingerprint: string;
  /** DTLS role to be written as a=setup of an answer: `active` as a rule (rsp.md §4.2). */
  setup: 'active' | 'passive';
  /** Values of a=candidate lines, without the prefix. Host candidates with the public address where one is configured. */
  candidates: string[];
}

export type TrackKind = 'audio' | 'video';

/** One codec as the SDP of one browser numbers it. */
export interface RtpCodec {
  /** In lower case: opus, pcmu, pcma, g722, vp8, h264, vp9. */
  name: string;
  payloadType: number;
  clockRateHz: number;
  channels?: number;
  /** RTX payload type whose apt is this one. */
  rtxPayloadType?: number;
  /** fmtp text as in the SDP. */
  parameters?: string;
}

/** Header extension URI → id of that browser's SDP. */
export type HeaderExtensions = Record<string, number>;

/** A browser's track on its way to us. */
export interface ReceiveTrack {
  trackSid: TrackSid;
  kind: TrackKind;
  mid: string;
  codecs: RtpCodec[];
  extensions: HeaderExtensions;
  /** From a=ssrc / a=ssrc-group, lowest layer first. Empty when the SDP names none: the MID extension tells then. */
  encodings: { ssrc: number; rtxSsrc?: number }[];
}

/** A track of somebody else on its way to a browser. */
export interface SendTrack {
  /** The publication that is subscribed to: a browser's or a phone's of the same room. */
  trackSid: TrackSid;
  kind: TrackKind;
  mid: string;
  ssrc: number;
  rtxSsrc?: number;
  cname: string;
  /** The receiving browser's numbering. */
  codecs: RtpCodec[];
  extensions: HeaderExtensions;
}

/** How one subscribed video is wanted by its browser. */
export interface VideoWish {
  trackSid: TrackSid;
  priority: 'high' | 'standard' | 'low';
  /** False: the page does not show it. */
  enabled: boolean;
  /** Size it is shown in, CSS pixels; null: not known, the best layer is wanted. */
  renderDimensions: { width: number; height: number } | null;
}

/** What one browser may get of the videos it is subscribed to. */
export interface VideoPolicy {
  /** Of all videos together, in bit/s; null: as much as the path carries. */
  maxBitrateBps: number | null;
  /** Videos at a time; null: all. */
  maxTracks: number | null;
  /**
   * `grid`: all get their lowest layer before one gets a higher one, and rise in turns; `collaboration`: all get their lowest
   * layer, then the most important rise first; `presentation`: the most important gets all it can use before the next gets any.
   */
  mode: 'grid' | 'collaboration' | 'presentation';
  /** When bandwidth may switch a video off: once congestion is measured, as soon as the estimate does not suffice, never. */
  switchOff: 'detected' | 'predicted' | 'disabled';
  /** In the order in which equals are served. Videos that are not listed come last: standard, enabled, size not known. */
  wishes: VideoWish[];
}

/** How one direction does for one kind, over the last report interval (1 s or more). Null: not known. */
export interface FlowQuality {
  /** RTP as it passes here, with its headers, over the last second. */
  actualBps: number;
  /** Estimate for this kind: audio may use the whole path, video what audio leaves. */
  availableBps: number | null;
  rttMs: number | null;
  jitterMs: number | null;
  /** 0–1. */
  fractionLost: number | null;
}

/** Null where no track of the kind is on its way. */
export interface BrowserQuality {
  /** Browser → us. */
  send: Record<TrackKind, FlowQuality | null>;
  /** Us → browser. */
  receive: Record<TrackKind, FlowQuality | null>;
}

/** Data tracks of one browser: complete lists. */
export interface DataTracks {
  /** The browser's own; `trackId` labels the channel that it opens for it. */
  published: { trackId: string; trackSid: TrackSid }[];
  /** Those of others that it gets, each over a channel labelled with the SID. */
  subscribed: TrackSid[];
}

export interface BrowserMediaEvents {
  /** ICE and DTLS are up: media flows. */
  connected: [];
  /** ICE or DTLS gave up, or consent expired. The transport is dead; an ICE restart makes a new one. */
  failed: [];
  /**
   * Subscribed videos that it ceased or began to get, for whatever cause (bandwidth, `maxTracks`, not shown). Only after a policy
   * was set; a video is on until told off.
   */
  videoSwitched: [change: { off: TrackSid[]; on: TrackSid[] }];
  /** A text the browser sent on a channel of `openChannel`: at most 16,384 characters, 20 a second after a burst of 100; hostile until checked. */
  channelMessage: [label: string, text: string];
  lost: [reason: MediaLossReason];
}

export interface BrowserMediaStats {
  bytesReceived: number;
  bytesSent: number;
  packetsReceived: number;
  packetsSent: number;
}

export interface BrowserMedia extends Emitter<BrowserMediaEvents> {
  readonly id: string;
  /** Changes with each `restartIce`. */
  readonly local: LocalIceDtls;
  /** For an offer with a new ufrag/pwd: new transport under the same object; SSRCs and sequence numbers go on (rsp.md §7). */
  restartIce(remote: RemoteIceDtls): Promise<LocalIceDtls>;
  /** The complete list of what this browser publishes; tracks no longer listed end for their subscribers. */
  setReceiveTracks(tracks: ReceiveTrack[]): Promise<void>;
  /** The complete list of what this browser gets. A new video track asks its publisher for a key frame. */
  setSendTracks(tracks: SendTrack[]): Promise<void>;
  /** Every message of a published data track goes to everybody of the room who has it among its subscribed ones. */
  setDataTracks(tracks: DataTracks): Promise<void>;
  /**
   * The latest text of a state goes to the browser over an ordered, reliable data channel of this label, which the first call
   * opens. Sent once the browser has said something there; older texts that have not gone are dropped. 16 labels at most.
   */
  showState(label: string, text: string): Promise<void>;
  /** Replaces the policy before. Without any, every video is sent, in the best layer that the path carries. */
  setVideoPolicy(policy: VideoPolicy): Promise<void>;
  quality(): Promise<BrowserQuality>;
  /** Opens an ordered, reliable data channel of this label for texts both ways; it outlives ICE restarts. Counted with those of `showState`. */
  openChannel(label: string): Promise<void>;
  /**
   * Sends a text there once the browser has said something, after all texts before. Rejects with MediaError `bad-request` when the
   * browser has let 256 texts or 256 kB pile up.
   */
  sendOnChannel(label: string, text: string): Promise<void>;
  stats(): Promise<BrowserMediaStats>;
  close(): Promise<void>;
}
