'use strict';
// One browser in a room, driven by a test: hums its own tone, sends a moving picture, and listens to each track apart.

const WINDOW_MS = 100;

/** Plays sound in a private audio graph; made on first use. */
let graph = null;
const audio = () => (graph ??= new AudioContext({ sampleRate: 48000 }));

function toneTrack(hz) {
  const oscillator = new OscillatorNode(audio(), { frequency: hz });
  const gain = new GainNode(audio(), { gain: 0.4 });
  const destination = audio().createMediaStreamDestination();
  oscillator.connect(gain).connect(destination);
  oscillator.start();
  return destination.stream.getAudioTracks()[0];
}

/** `colour`: of all of it, if it is not to change. `noise`: share of the picture that is grain, for pictures that take their bits. */
function pictureTrack({ width = 320, height = 180, noise = 0, colour = null } = {}) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  document.body.append(canvas);
  const pen = canvas.getContext('2d');
  let turn = 0;
  setInterval(() => {
    turn += 7;
    pen.fillStyle = colour ?? `hsl(${turn % 360} 80% 50%)`;
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = 'black';
    pen.fillRect(turn % width, height / 3, 40, 40);
    for (let i = 0; i < noise * 400; i++) {
      pen.fillStyle = `hsl(${Math.random() * 360} 80% 50%)`;
      pen.fillRect(Math.random() * width, Math.random() * height, 12, 12);
    }
  }, 66);
  return canvas.captureStream(15).getVideoTracks()[0];
}

/** An ear for one remote audio track. */
class Ear {
  constructor(mediaStreamTrack) {
    const stream = new MediaStream([mediaStreamTrack]);
    // Chromium lets remote sound flow into the graph only while an element plays it.
    this.element = Object.assign(new Audio(), { srcObject: stream });
    this.element.play().catch(() => undefined);
    this.analyser = new AnalyserNode(audio(), { fftSize: 8192, smoothingTimeConstant: 0 });
    this.source = audio().createMediaStreamSource(stream);
    this.source.connect(this.analyser);
    this.buffer = new Float32Array(8192);
  }

  /** Amplitude of each tone and mean power of the last 100 ms. */
  window(frequencies) {
    this.analyser.getFloatTimeDomainData(this.buffer);
    const count = Math.round((audio().sampleRate * WINDOW_MS) / 1000);
    const samples = this.buffer.subarray(this.buffer.length - count);
    let power = 0;
    for (const sample of samples) power += sample * sample;
    return { power: power / count, amplitudes: frequencies.map((hz) => amplitudeOf(samples, hz, audio().sampleRate)) };
  }

  close() {
    this.source.disconnect();
    this.element.srcObject = null;
  }
}

/** Goertzel. */
function amplitudeOf(samples, hz, rate) {
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / rate);
  let s1 = 0;
  let s2 = 0;
  for (const sample of samples) [s1, s2] = [sample + coefficient * s1 - s2, s1];
  return (Math.sqrt(Math.max(0, s1 * s1 + s2 * s2 - coefficient * s1 * s2)) * 2) / samples.length;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Share of `ms` in which each tone was clearly there, per ear. */
async function listenTo(ears, ms, frequencies) {
  await audio().resume();
  const report = Object.fromEntries(Object.keys(ears).map((key) => [key, Object.fromEntries(frequencies.map((hz) => [hz, { windows: 0, share: 0, amplitude: 0 }]))]));
  const end = performance.now() + ms;
  let windows = 0;
  while (performance.now() < end) {
    await pause(WINDOW_MS);
    windows++;
    for (const [key, ear] of Object.entries(ears)) {
      const { power, amplitudes } = ear.window(frequencies);
      frequencies.forEach((hz, i) => {
        const entry = report[key][hz];
        entry.amplitude += amplitudes[i];
        if (amplitudes[i] > 0.01 && amplitudes[i] ** 2 / 2 >= 0.1 * power) entry.share++;
      });
    }
  }
  for (const ear of Object.values(report)) {
    for (const entry of Object.values(ear)) Object.assign(entry, { windows, share: entry.share / windows, amplitude: entry.amplitude / windows });
  }
  return report;
}

const party = {
  room: null,
  /** Everything the SDK told, in order: { at, name, … }. */
  events: [],
  ears: {},
  audioTrack: null,
  videoTrack: null,
  /** Own data tracks by name, and what came over those of others: { identity, trackName, text } or { …, bytes }. */
  dataTracks: {},
  messages: [],

  tell(name, details = {}) {
    this.events.push({ at: Date.now(), name, ...details });
  },

  /** Resolves with what the page knows of the room, rejects never: an SDK error comes back as { error }. */
  async join({ token, wsServer, roomName, toneHz = null, video = false, data = null, options = {} }) {
    await audio().resume();
    const { LocalAudioTrack, LocalDataTrack, LocalVideoTrack, connect } = Twilio.Video;
    const tracks = [];
    if (toneHz !== null) tracks.push((this.audioTrack = new LocalAudioTrack(toneTrack(toneHz), { name: 'hum' })));
    if (video) tracks.push((this.videoTrack = new LocalVideoTrack(pictureTrack(video === true ? {} : video), { name: 'picture' })));
    for (const [name, how] of Object.entries(data ?? {})) tracks.push((this.dataTracks[name] = new LocalDataTrack({ name, ...how })));
    try {
      this.room = await connect(token, { wsServer, tracks, insights: false, logLevel: 'warn', ...(roomName === undefined ? {} : { name: roomName }), ...options });
    } catch (error) {
      return { error: { code: error.code ?? null, message: String(error.message), name: error.name } };
    }
    this.watch(this.room);
    return this.describe();
  },

  watch(room) {
    room.on('participantConnected', (participant) => {
      this.tell('participantConnected', { identity: participant.identity, sid: participant.sid });
      this.watchParticipant(participant);
    });
    room.on('participantDisconnected', (participant) => this.tell('participantDisconnected', { identity: participant.identity, sid: participant.sid }));
    for (const name of ['participantReconnecting', 'participantReconnected']) room.on(name, (participant) => this.tell(name, { identity: participant.identity }));
    room.on('reconnecting', (error) => this.tell('reconnecting', { code: error?.code ?? null, message: error?.message }));
    room.on('reconnected', () => this.tell('reconnected'));
    room.on('disconnected', (_room, error) => this.tell('disconnected', { code: error?.code ?? null, message: error?.message ?? null }));
    for (const name of ['recordingStarted', 'recordingStopped']) room.on(name, () => this.tell(name));
    for (const name of ['trackWarning', 'trackWarningsCleared']) room.localParticipant.on(name, (...told) => this.tell(name, { sid: told.at(-1).trackSid, message: told.length > 1 ? told[0] : null }));
    room.on('dominantSpeakerChanged', (participant) => this.tell('dominantSpeakerChanged', { identity: participant?.identity ?? null }));
    room.localParticipant.on('networkQualityLevelChanged', (level) => this.tell('networkQualityLevelChanged', { identity: room.localParticipant.identity, level }));
    for (const participant of room.participants.values()) this.watchParticipant(participant);
  },

  watchParticipant(participant) {
    const who = participant.identity;
    for (const name of ['trackPublished', 'trackUnpublished']) {
      participant.on(name, (publication) => this.tell(name, { identity: who, kind: publication.kind, sid: publication.trackSid, trackName: publication.trackName }));
    }
    for (const name of ['trackEnabled', 'trackDisabled']) participant.on(name, (track) => this.tell(name, { identity: who, kind: track.kind, sid: track.sid ?? track.trackSid }));
    participant.on('networkQualityLevelChanged', (level) => this.tell('networkQualityLevelChanged', { identity: who, level }));
    for (const name of ['trackSwitchedOff', 'trackSwitchedOn']) participant.on(name, (track) => this.tell(name, { identity: who, sid: track.sid }));
    participant.on('trackSubscriptionFailed', (error, publication) => this.tell('trackSubscriptionFailed', { identity: who, code: error.code, sid: publication.trackSid }));
    participant.on('trackSubscribed', (track, publication) => this.subscribed(who, track, publication));
    participant.on('trackUnsubscribed', (track) => this.unsubscribed(who, track));
    for (const publication of participant.tracks.values()) if (publication.track) this.subscribed(who, publication.track, publication);
  },

  subscribed(identity, track, publication) {
    this.tell('trackSubscribed', { identity, kind: track.kind, sid: publication.trackSid });
    if (track.kind === 'audio') this.ears[`${identity} ${publication.trackSid}`] = new Ear(track.mediaStreamTrack);
    if (track.kind === 'video') document.body.append(track.attach());
    if (track.kind === 'data') track.on('message', (message) => this.messages.push({ identity, trackName: track.name, ...(typeof message === 'string' ? { text: message } : { bytes: [...new Uint8Array(message)] }) }));
  },

  unsubscribed(identity, track) {
    this.tell('trackUnsubscribed', { identity, kind: track.kind, sid: track.sid });
    const key = `${identity} ${track.sid}`;
    this.ears[key]?.close();
    delete this.ears[key];
    if (track.kind === 'video') for (const element of track.detach()) element.remove();
  },

  describe() {
    const { room } = this;
    const tracksOf = (participant) => [...participant.tracks.values()].map((p) => ({ sid: p.trackSid, kind: p.kind, name: p.trackName, enabled: p.isTrackEnabled, subscribed: p.isSubscribed ?? null }));
    return {
      sid: room.sid,
      name: room.name,
      state: room.state,
      recording: room.isRecording,
      localIdentity: room.localParticipant.identity,
      localSid: room.localParticipant.sid,
      localTracks: tracksOf(room.localParticipant),
      participants: [...room.participants.values()].map((participant) => ({ identity: participant.identity, sid: participant.sid, state: participant.state, tracks: tracksOf(participant) })),
    };
  },

  /** { identity: { hz: { windows, share, amplitude } } } of what came from each participant in the next `ms`. */
  async listen(ms, frequencies) {
    const report = await listenTo(this.ears, ms, frequencies);
    // Several tracks of one identity: each tone from the one where it is clearest.
    const heard = {};
    for (const [key, tones] of Object.entries(report)) {
      const entry = (heard[key.slice(0, key.lastIndexOf(' '))] ??= {});
      for (const [hz, tone] of Object.entries(tones)) if (tone.share >= (entry[hz]?.share ?? 0)) entry[hz] = tone;
    }
    return heard;
  },

  /** Inbound figures by track SID, from the SDK's own getStats(). */
  async inbound() {
    const result = {};
    for (const report of await this.room.getStats()) {
      for (const stats of report.remoteAudioTrackStats) result[stats.trackSid] = { kind: 'audio', packetsReceived: stats.packetsReceived, audioLevel: stats.audioLevel, bytesReceived: stats.bytesReceived, codec: stats.codec };
      for (const stats of report.remoteVideoTrackStats) result[stats.trackSid] = { kind: 'video', packetsReceived: stats.packetsReceived, frameRate: stats.frameRate, dimensions: stats.dimensions, codec: stats.codec };
    }
    return result;
  },

  /** Raw inbound-rtp reports of every peer connection of the page. */
  async rtp() {
    const rows = [];
    for (const connection of window.peerConnections) {
      if (connection.connectionState === 'closed') continue;
      for (const stats of (await connection.getStats()).values()) {
        if (stats.type !== 'inbound-rtp') continue;
        const { kind, trackIdentifier, packetsReceived, bytesReceived, framesDecoded, framesReceived, freezeCount, estimatedPlayoutTimestamp, keyFramesDecoded, totalAudioEnergy, totalSamplesDuration, concealedSamples, codecId, frameWidth, mid } = stats;
        const codec = (await connection.getStats()).get(codecId)?.mimeType ?? null;
        rows.push({ kind, trackIdentifier, packetsReceived, bytesReceived, framesDecoded, framesReceived, freezeCount, estimatedPlayoutTimestamp, keyFramesDecoded, totalAudioEnergy, totalSamplesDuration, concealedSamples, codec, frameWidth, mid });
      }
    }
    return rows;
  },

  /** Its picture sends nothing more, though it stays published. */
  async stallPicture() {
    for (const connection of window.peerConnections) {
      for (const sender of connection.getSenders()) if (sender.track?.kind === 'video') await sender.replaceTrack(null);
    }
  },

  enableAudio(enabled) {
    if (enabled) this.audioTrack.enable();
    else this.audioTrack.disable();
  },

  async publishTone(hz, name) {
    this.audioTrack = new Twilio.Video.LocalAudioTrack(toneTrack(hz), { name });
    const publication = await this.room.localParticipant.publishTrack(this.audioTrack);
    return publication.trackSid;
  },

  /** Layers of the simulcast picture, in the order of the encodings: null keeps one as it is. */
  async scaleLayers(factors) {
    for (const connection of window.peerConnections) {
      for (const sender of connection.getSenders()) {
        if (sender.track?.kind !== 'video') continue;
        const parameters = sender.getParameters();
        parameters.encodings.forEach((encoding, i) => (encoding.scaleResolutionDownBy = factors[i] ?? 1));
        await sender.setParameters(parameters);
      }
    }
  },

  /** The SDK can say it to the server, though its public method does not call it yet. */
  setBandwidthProfile(profile) {
    this.room.localParticipant._signaling.setBandwidthProfile(profile);
  },

  /** What the page sends: one row per layer. */
  async outbound() {
    const rows = [];
    for (const connection of window.peerConnections) {
      if (connection.connectionState === 'closed') continue;
      for (const { type, kind, ssrc, frameWidth, framesEncoded, bytesSent, active, pliCount, targetBitrate } of (await connection.getStats()).values()) {
        if (type === 'outbound-rtp') rows.push({ kind, ssrc, frameWidth, framesEncoded, bytesSent, active, pliCount, targetBitrate });
      }
    }
    return rows;
  },

  /** So many tones and pictures at once; resolves with their SIDs when all are published. */
  async publishMany(tones, pictures) {
    const { LocalAudioTrack, LocalVideoTrack } = Twilio.Video;
    this.many = [...tones.map((hz) => new LocalAudioTrack(toneTrack(hz))), ...Array.from({ length: pictures }, () => new LocalVideoTrack(pictureTrack()))];
    const publications = await Promise.all(this.many.map((track) => this.room.localParticipant.publishTrack(track)));
    return publications.map((publication) => publication.trackSid);
  },

  unpublishMany() {
    this.room.localParticipant.unpublishTracks(this.many);
  },

  /** m-lines of the page's live connections. */
  mLines() {
    const live = window.peerConnections.filter((connection) => connection.connectionState !== 'closed');
    return live.reduce((sum, connection) => sum + (connection.currentRemoteDescription?.sdp.match(/^m=/gm)?.length ?? 0), 0);
  },

  async publishPicture() {
    this.videoTrack = new Twilio.Video.LocalVideoTrack(pictureTrack(), { name: 'picture' });
    const publication = await this.room.localParticipant.publishTrack(this.videoTrack);
    return publication.trackSid;
  },

  unpublishAudio() {
    this.room.localParticipant.unpublishTrack(this.audioTrack);
  },

  async publishData(name, how = {}) {
    this.dataTracks[name] = new Twilio.Video.LocalDataTrack({ name, ...how });
    const publication = await this.room.localParticipant.publishTrack(this.dataTracks[name]);
    return publication.trackSid;
  },

  unpublishData(name) {
    this.room.localParticipant.unpublishTrack(this.dataTracks[name]);
  },

  /** Texts as they are, lists of numbers as an ArrayBuffer. */
  send(name, messages) {
    for (const message of messages) this.dataTracks[name].send(typeof message === 'string' ? message : new Uint8Array(message).buffer);
  },

  /** What the page's subscriber sees of a data track's delivery. */
  delivery(trackName) {
    const tracks = [...this.room.participants.values()].flatMap((participant) => [...participant.dataTracks.values()].map(({ track }) => track));
    const { ordered, reliable, maxPacketLifeTime, maxRetransmits } = tracks.find((track) => track?.name === trackName);
    return { ordered, reliable, maxPacketLifeTime, maxRetransmits };
  },

  /** The next offer of the page restarts ICE. */
  restartIceNext() {
    for (const connection of window.peerConnections) {
      if (connection.connectionState === 'closed') continue;
      const createOffer = connection.createOffer.bind(connection);
      connection.createOffer = (options) => {
        delete connection.createOffer;
        return createOffer({ ...options, iceRestart: true });
      };
    }
  },

  /** ICE user fragments of the page's live connections. */
  ufrags() {
    return window.peerConnections.filter((connection) => connection.connectionState !== 'closed').map((connection) => /a=ice-ufrag:(\S+)/.exec(connection.currentLocalDescription?.sdp ?? '')?.[1] ?? null);
  },

  leave() {
    this.room?.disconnect();
  },

  /** Two connections inside this page, one humming into the other: proves ear and stats without any server. */
  async selfTest(hz, frequencies) {
    await audio().resume();
    const sender = new RTCPeerConnection();
    const receiver = new RTCPeerConnection();
    sender.onicecandidate = ({ candidate }) => candidate && receiver.addIceCandidate(candidate);
    receiver.onicecandidate = ({ candidate }) => candidate && sender.addIceCandidate(candidate);
    const heard = new Promise((resolve) => (receiver.ontrack = ({ track, transceiver }) => track.kind === 'audio' && resolve({ track, transceiver })));
    sender.addTrack(toneTrack(hz));
    sender.addTrack(pictureTrack());
    await sender.setLocalDescription();
    await receiver.setRemoteDescription(sender.localDescription);
    await receiver.setLocalDescription();
    await sender.setRemoteDescription(receiver.localDescription);
    const { track } = await heard;
    const ears = { loop: new Ear(track) };
    await pause(1500);
    const report = await listenTo(ears, 1500, frequencies);
    const rtp = await this.rtp();
    sender.close();
    receiver.close();
    return { tones: report.loop, rtp };
  },
};

// Every connection the SDK makes, so that raw reports can be read. A proxy and not a subclass: the SDK reads the properties
// of the constructor's own prototype, and without them never hears of a track.
window.peerConnections = [];
window.RTCPeerConnection = new Proxy(RTCPeerConnection, {
  construct(target, parameters) {
    const connection = new target(...parameters);
    window.peerConnections.push(connection);
    return connection;
  },
});
window.party = party;
